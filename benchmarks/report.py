"""One table out of all saved figures.

    python -m benchmarks.report [--write]

Prints Markdown; `--write` puts it between the markers of `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from benchmarks._results import RESULTS
from benchmarks.quality.fitted import SameDataError
from benchmarks.quality.report import PROFILES, refused

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
HIDDEN = ("quick_", "tmp_")

Figures = dict[str, Any]
Lines = Iterator[tuple[str, str]]
"""(what was measured, the figure with its unit)."""


def main() -> None:
    """Print the table, or write it into the README."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="into benchmarks/README.md")
    if parser.parse_args().write:
        write()
    else:
        print(table(load()))


def load(folder: Path = RESULTS) -> list[Figures]:
    """Every saved result with the name of its file, in the order of names."""
    return [
        {**orjson.loads(path.read_bytes()), "file": path.name}
        for path in sorted(folder.glob("*.json"))
        if not path.name.startswith(HIDDEN)
    ]


def write(readme: Path = README, folder: Path = RESULTS) -> None:
    """Replace what stands between the markers.

    Raises:
        ValueError: the markers are not there.
    """
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{readme} has no {BEGIN} ... {END}")
    readme.write_text(f"{before}{BEGIN}\n\n{table(load(folder))}\n\n{END}{after}", encoding="utf-8")


def table(results: list[Figures]) -> str:
    """A Markdown table with the figures of known benchmarks, and a list of the other files."""
    rows = ["| benchmark | measured | figure |", "|---|---|---|"]
    others, machines = [], []
    for result in results:
        name = result["benchmark"]
        if name not in LINES:
            others.append(f"[{result['file'].removesuffix('.json')}](results/{result['file']})")
            continue
        rows += [f"| {name} | {what} | {figure} |" for what, figure in LINES[name](result["figures"])]
        machines.append(f"- {name}: {_machine(result)}")
    if others:
        rows += ["", f"More figures: {', '.join(others)}."]
    return "\n".join([*rows, "", *machines])


def _machine(result: Figures) -> str:
    machine = result["machine"]
    return f"{machine['cores']} cores of {machine['cpu']}, load {machine['load_1m']} at the end, {result['date'][:10]}"


def _sets(figures: Figures) -> Lines:
    yield (
        f"nDCG@10 / recall@10, mean of {figures['mean_of']} sets, profile {figures['profile']}",
        f"{figures['mean_ndcg@10']} / {figures['mean_recall@10']}",
    )
    for one in figures["sets"]:
        yield f"{one['set']}: nDCG@10 / recall@10", f"{one['ndcg@10']} / {one['recall@10']}"
    for name, area in figures["abstention_auroc"].items():
        yield f"{name}: confidence of answerable over unanswerable questions (AUROC)", str(area)
    for name, rate in figures["current_above_old"].items():
        yield f"{name}: current memory above the outdated one", f"{rate} %"
    for one in figures["sets"]:
        latency = f"{one['recall_p50_ms']} / {one['recall_p95_ms']} ms, {one['ingest_rows_per_s']} rows/s"
        yield f"{one['set']}: recall p50 / p95, ingest", latency


def _large(figures: Figures) -> Lines:
    yield "bulk load with given vectors", f"{figures['bulk_load']['rows_per_s']} rows/s"
    for clients in (1, 8):
        recall = figures[f"recall_{clients}"]
        yield f"recall, {_clients(clients)}", f"{_spread(recall)}, {recall['recalls_per_s']}/s"
    yield "everything but the embedding, 1 client", _spread(figures["recall_1"]["without_embedding"])
    parts = ", ".join(f"{name} {ms}" for name, ms in figures["recall_1"]["parts_p50_ms"].items())
    yield "parts of a recall, p50 in ms", parts
    yield "recall while another client writes", _spread(figures["recall_1_while_writing"])
    for what, name in (("text", "write_text"), ("given vector", "write_given_vector")):
        for clients in (1, 8):
            written = figures[f"{name}_{clients}"]
            yield f"single write ({what}), {_clients(clients)}", f"{_spread(written)}, {written['writes_per_s']}/s"
    yield (
        "facts found among the first ten",
        f"{figures['facts']['recall_at_10']:.1%} of {figures['facts']['questions']}",
    )
    yield "resident memory, empty / loaded", f"{_mb(figures['rss_empty_bytes'])} / {_mb(figures['rss_loaded_bytes'])}"
    yield "bank / database", f"{_mb(figures['bank_bytes'])} / {_mb(figures['database_bytes'])}"
    yield "start to ready", ", ".join(f"{start['ready_s']} s" for start in figures["starts"])
    yield (
        "steps of a start",
        ", ".join(f"{name.removesuffix('_s')} {s} s" for name, s in figures["start_steps"].items()),
    )


def _small(figures: Figures) -> Lines:
    for clients in (1, 8):
        recall = figures[f"recall_{clients}"]
        yield f"recall, {_clients(clients)}", f"{_spread(recall)}, {recall['recalls_per_s']}/s"
    each = figures["bank_bytes"]["sum"] // figures["namespaces"]
    yield f"bank of one namespace of {figures['memories_each']}", f"{each / 1e3:.1f} kB"
    yield f"allocated / held (aim: at most {figures['aim_ratio']})", str(figures["ratio"])
    yield "resident memory for each namespace", f"{figures['rss_per_namespace_bytes'] / 1e3:.1f} kB"
    yield "start to ready", f"{figures['restart']['ready_s']} s"


def _ingest(figures: Figures) -> Lines:
    yield "embedder alone", f"{figures['embedder_alone_rows_per_s']['median']} rows/s"
    for name in sorted(figures):
        if name.startswith("ratio_"):
            clients = int(name.removeprefix("ratio_"))
            rate = figures[f"ingest_{clients}_rows_per_s"]["median"]
            yield f"batch ingest, {_clients(clients)}", f"{rate} rows/s, {figures[name]} of the embedder alone"


def _filtered(figures: Figures) -> Lines:
    for name, one in figures["filters"].items():
        first = one.get("first_after_a_write")
        extra = f", first after a write {first['p50_ms']} ms" if first else ""
        exact = "exact" if one["exact"] else f"NOT EXACT {one['exactness']}"
        yield f"filter: {name}", f"{_spread(one['without_embedding'])} without the embedding{extra}, {exact}"


def _quality(figures: Figures) -> Lines:
    try:
        refused(figures)
    except SameDataError as error:
        yield "quality of recall", f"not shown: {error}"
        return
    for profile, of in figures["profiles"].items():
        if "mean_of" in of:
            what = f"profile {profile}: mean nDCG@10 / recall@10 of {of['mean_of']} sets"
            yield what, f"{of['mean_ndcg@10']} / {of['mean_recall@10']}"
        for name, one in of["sets"].items():
            yield (
                f"profile {profile}, {name}: nDCG@10 / recall@10",
                f"{one['ndcg@10']} / {one['recall@10']}, {_spread(one)}",
            )


def _abilities(figures: Figures) -> Lines:
    for name, one in figures["abilities"].items():
        scores = ", ".join(f"{profile} {one[profile]['score']}" for profile in PROFILES if profile in one)
        yield f"{name} (chance {one['chance']})", f"{scores} of 100"


def _latency(figures: Figures) -> Lines:
    for name, of in figures["sets"].items():
        for profile, one in of["profiles"].items():
            yield f"{figures['memories']} memories as in {name}, profile {profile}", _spread(one)
    if large := figures.get("large"):
        what = (
            f"search of {large['memories']} memories: all channels against semantic and keyword (aim: {large['aim']})"
        )
        yield what, f"{large['ratio_of_p50']} of the p50: {_spread(large['all'])}"


def _poisoning(figures: Figures) -> Lines:
    for half, name in (("held_out", "held out"), ("made_with", "that rules were made with")):
        found, wrong = figures["attacks"][half], figures["harmless"][half]
        yield f"made attacks found, patterns {name} ({found['texts']})", f"{found['flagged']:.1%}"
        yield f"harmless look-alikes flagged, patterns {name} ({wrong['texts']})", f"{wrong['flagged']:.1%}"
    for name, one in figures["memories"].items():
        yield f"memories of {name} flagged ({one['memories']})", f"{one['flagged']:.2%}"


def _poisoned_recall(figures: Figures) -> Lines:
    of = f"{figures['poison']} poisoned among {figures['harmless']} harmless, top {figures['top_k']}"
    for mode in ("strict", "flag"):
        one = figures[mode]
        found = f"{one['quarantined_hits']} in quarantine, of one untrusted source {one['largest_share']:.0%} at most"
        yield f"found in {one['questions']} recalls, quarantine {mode} ({of})", found


def _revocation(figures: Figures) -> Lines:
    for database in ("sqlite", "postgresql"):
        found = figures[database]
        of = f"{figures['memories']} memories and {found['revoked']['derived']} derived"
        for name, step in found["steps"].items():
            yield f"{database}: {name} of {of}", f"{step['s']} s ({step['processor_s']} s of processor)"


def _load(figures: Figures) -> Lines:
    of = f"{figures['processes']} processes, {figures['namespaces']} × {figures['memories']}, {figures['embedder']}"
    for kind, one in ((kind, figures[kind]) for kind in ("recalls", "writes", "mixed")):
        held = one["held"]
        figure = f"{held['offered_per_s']}/s, p50 {held['p50_ms']} ms, p99 {held['p99_ms']} ms" if held else "none"
        yield f"{kind} at p99 ≤ {figures['p99_ms']:g} ms ({of})", figure
        for what, name in (("that", "overload"), ("the peak", "overload_of_peak")):
            if over := one[name]:
                yield (
                    f"{kind} at four times {what}: {over['offered_per_s']}/s",
                    f"goodput {over['goodput_per_s']}/s within {over['in_time_ms']:g} ms, {over['goodput_share']} of "
                    f"before; {over['refused']} of {over['sent']} refused, {over['failed']} failed",
                )


LINES: dict[str, Callable[[Figures], Lines]] = {
    "poisoning": _poisoning,
    "poisoned_recall": _poisoned_recall,
    "revocation": _revocation,
    "retrieval_sets": _sets,
    "namespace_100k": _large,
    "filtered_recall": _filtered,
    "namespaces_1000": _small,
    "batch_ingest": _ingest,
    "load_stub": _load,
    "load_real": _load,
    "quality": _quality,
    "quality_sample": _quality,
    "quality_abilities": _abilities,
    "quality_latency": _latency,
}


def _spread(figures: Figures) -> str:
    return f"p50 {figures['p50_ms']} ms, p95 {figures['p95_ms']} ms"


def _clients(number: int) -> str:
    return "1 client" if number == 1 else f"{number} clients"


def _mb(number: int) -> str:
    return f"{number / 1e6:.0f} MB"


if __name__ == "__main__":
    main()
