"""The figures of quality as Markdown tables; refuses those that rest on a fit to the very data they are about.

    python -m benchmarks.quality report [--write] [--parameters FILE]

`--write` puts the tables between the markers of `docs/quality.md`. Ends with code 2, and says why, if parameters that
the figures rest on were fitted on a set that is reported: those that `run` recorded, and those given here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import orjson

from benchmarks import _results
from benchmarks.quality import fitted
from benchmarks.quality.sets import Json

PAGE = _results.RESULTS.parents[1] / "docs" / "quality.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
QUALITY, ABLATION, ABILITIES, LATENCY = "quality", "quality_ablation", "quality_abilities", "quality_latency"
PROFILES = ("fast", "balanced", "thorough")
ALL = "all"


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality report", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--write", action="store_true", help="into docs/quality.md")
    parser.add_argument("--parameters", type=Path, action="append", default=[], help="fitted parameters that were used")
    parser.add_argument("--results", type=Path, default=_results.RESULTS, help="folder of the saved figures")
    options = parser.parse_args(argv)
    try:
        text = tables(options.results, [fitted.read(path) for path in options.parameters])
    except fitted.SameDataError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    if options.write:
        write(PAGE, text)
    else:
        print(text)


def write(page: Path, text: str) -> None:
    """Replaces what stands between the markers.

    Raises:
        ValueError: the markers are not there.
    """
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{page} has no {BEGIN} ... {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def tables(folder: Path, given: Sequence[fitted.Fitted] = ()) -> str:
    """All tables of which there are figures.

    Args:
        folder: of the saved figures.
        given: fitted parameters that the figures rest on, beside those that they name themselves.

    Raises:
        SameDataError: a set that is reported belongs to a fit.
    """
    parts: list[str] = []
    if saved := _saved(folder, QUALITY):
        refused(saved["figures"], given)
        parts += ["### Sets", _origin(saved), *_lines(quality(saved["figures"])), ""]
        parts += ["### Sets by type of question", *_lines(by_type(saved["figures"])), ""]
    if saved := _saved(folder, ABLATION):
        fitted.refuse(given, saved["figures"]["sets"])
        parts += ["### What each channel is worth", _origin(saved), *_lines(ablation(saved["figures"])), ""]
    if saved := _saved(folder, ABILITIES):
        parts += ["### Abilities", _origin(saved), *_lines(abilities(saved["figures"])), ""]
    if saved := _saved(folder, LATENCY):
        parts += ["### Latency", _origin(saved), *_lines(latency(saved["figures"])), ""]
    return "\n".join(parts).strip()


def refused(figures: Json, given: Sequence[fitted.Fitted] = ()) -> None:
    """Raises `SameDataError` if a set was reported with parameters that were fitted on it."""
    for of in figures["profiles"].values():
        for name, one in of["sets"].items():
            files = [fitted.Fitted(file["name"], tuple(file[fitted.MARK]), {}) for file in one.get("fitted", ())]
            fitted.refuse([*files, *given], [name])


def quality(figures: Json) -> Iterator[Sequence[object]]:
    """Every set and profile."""
    yield ("set", "profile", "nDCG@10", "R@5", "R@10", "R@20", "MRR", "all@10", "p50 ms", "p95 ms", "also")
    for name in dict.fromkeys(name for _, of in _profiles(figures) for name in of["sets"]):
        for profile, of in _profiles(figures):
            if (one := of["sets"].get(name)) is not None:
                yield (name, profile, *_measures(one), one["p50_ms"], one["p95_ms"], _also(one))
    for profile, of in _profiles(figures):
        if "mean_of" in of:
            means = {key.removeprefix("mean_"): value for key, value in of.items() if key.startswith("mean_")}
            yield (f"**mean of {of['mean_of']}**", profile, *_measures(means), "", "", "")


def by_type(figures: Json) -> Iterator[Sequence[object]]:
    """nDCG@10, recall@10 and p50 of each type, by profile."""
    there = _profiles(figures)
    yield ("set: type", "questions", *(f"{profile}: nDCG@10 / R@10 / p50 ms" for profile, _ in there))
    for name in dict.fromkeys(name for _, of in there for name in of["sets"]):
        types = dict.fromkeys(type_ for _, of in there for type_ in of["sets"].get(name, {}).get("by_type", ()))
        for type_ in types:
            ones = [of["sets"].get(name, {}).get("by_type", {}).get(type_) for _, of in there]
            count = next(one["questions"] for one in ones if one)
            cells = [f"{one['ndcg@10']} / {one['recall@10']} / {one['p50_ms']}" if one else "" for one in ones]
            yield (f"{name}: {type_}", count, *cells)


def ablation(figures: Json) -> Iterator[Sequence[object]]:
    """Each channel: mean loss over the sets, where its removal costs, where it helps."""
    yield ("channel", "mean loss, 7 sets", "its removal costs points on (95 % interval above 0)", "and helps on")
    for name, one in figures["worth"].items():
        mean = "" if one["mean_loss"] is None else f"{one['mean_loss']:+.2f}"
        yield (name, mean, _points(one["costs_on"]) or "nothing", _points(one["helps_on"]) or "nothing")


def abilities(figures: Json) -> Iterator[Sequence[object]]:
    """Each ability by profile, beside chance."""
    yield ("ability", "questions", "chance", *PROFILES, "by type (last profile)")
    for name, one in figures["abilities"].items():
        scores = [one[profile]["score"] if profile in one else "" for profile in PROFILES]
        last: Json = next((one[profile] for profile in reversed(PROFILES) if profile in one), {"by_type": {}})
        types = ", ".join(f"{type_} {score}" for type_, score in last["by_type"].items())
        yield (name, one["questions"], one["chance"], *scores, types)


def latency(figures: Json) -> Iterator[Sequence[object]]:
    """Namespaces of 10,000 by profile; all channels against two at 100,000."""
    yield ("texts as in", "memories", "profile", "p50 ms", "p95 ms")
    for name, of in figures["sets"].items():
        for profile, one in of["profiles"].items():
            words = f"{name}, {of['mean_words']} words"
            yield (words, figures["memories"], profile, one["p50_ms"], one["p95_ms"])
    if large := figures.get("large"):
        yield ("search alone", large["memories"], "all channels", large["all"]["p50_ms"], large["all"]["p95_ms"])
        two = large["two"]
        yield ("search alone", large["memories"], "semantic and keyword", two["p50_ms"], two["p95_ms"])
        yield ("ratio", large["memories"], f"aim: at most {large['aim']}", large["ratio_of_p50"], "")


def _saved(folder: Path, name: str) -> Json | None:
    path = folder / f"{name}.json"
    saved: Json | None = orjson.loads(path.read_bytes()) if path.exists() else None
    return saved


def _profiles(figures: Json) -> list[tuple[str, Json]]:
    return [(name, figures["profiles"][name]) for name in PROFILES if name in figures["profiles"]]


def _measures(one: Json) -> list[object]:
    return [one.get(name, "") for name in ("ndcg@10", "recall@5", "recall@10", "recall@20", "mrr", "hit_all@10")]


def _also(one: Json) -> str:
    more = []
    if "current_above_old" in one:
        more.append(f"current above outdated {one['current_above_old']} %")
    if "abstention_auroc" in one:
        more.append(f"abstention AUROC {one['abstention_auroc']}")
    if one.get("degraded"):
        more.append(f"{one['degraded']} answers degraded")
    return ", ".join(more)


def _points(on: dict[str, float], most: int = 6) -> str:
    """The largest first; `all` of a set stands for its types where it is there."""
    largest = sorted(on.items(), key=lambda pair: -pair[1])
    shown = ", ".join(f"{where} {points:.1f}" for where, points in largest[:most])
    return shown + (f" and {len(largest) - most} more" if len(largest) > most else "")


def _origin(saved: Json) -> str:
    machine = saved["machine"]
    where = f"{machine['cores']} cores of {machine['cpu']}, load {machine['load_1m']} at the end"
    models = saved["figures"].get("model_ms")
    takes = ", ".join(f"{ms} ms to {what.replace('_', ' ')}" for what, ms in (models or {}).items())
    speed = f" One thread takes {takes}." if takes else ""
    return f"`{saved['command']}`, {saved['date'][:10]}, revision {saved['revision']}, {where}{asked(saved)}.{speed}\n"


def asked(saved: Json) -> str:
    """How many questions were asked, if not all of them; as the end of a sentence."""
    figures = saved["figures"]
    limits = {name: of.get("limit") for name, of in figures.get("profiles", {"": figures}).items()}
    said = []
    for limit in sorted({limit for limit in limits.values() if limit}):
        names = [name for name in limits if limits[name] == limit]
        with_some = "" if len(names) == len(limits) else " with " + " and ".join(names)
        said.append(f", about {limit} questions of each set{with_some}")
    return "".join(said)


def _lines(rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A Markdown table; the first row is its head."""
    for number, row in enumerate(rows):
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
        if number == 0:
            yield "|" + "---|" * len(row)


if __name__ == "__main__":
    main()
