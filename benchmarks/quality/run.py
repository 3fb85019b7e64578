"""Quality and latency of recall on real sets, from the same run, over HTTP, for each profile.

    python -m benchmarks.quality run --data DATA [--set NAME] [--profile fast] [--limit N] [--limit-of thorough=N]

Each set and profile has a server process of its own, so that no cache of one helps another; the rows of a set are
written once and kept for its other profiles, unless the set grows between its questions. Where shipped numbers were
fitted on a set, its server gets those that were fitted without it. One client asks one question
at a time and waits for it; latency is what it waited. Figures go to `results/`; with `--details`, every question's
ranking goes to a folder, with what each channel said of each hit.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from benchmarks import _results
from benchmarks._http import Client
from benchmarks._server import scratch, serve
from benchmarks.quality import fitted, measures
from benchmarks.quality.sets import AVERAGED, Json, Question, Set, Step, add_options, folders, read
from benchmarks.quality.speed import model_ms

PROFILES = ("fast", "balanced", "thorough")
COMMAND = "python -m benchmarks.quality run --data DATA"
NAME = "quality"
TOP_K = 20
BATCH = 100
PARTS = ("embed", "locate", "search", "rerank", "fetch", "total")


@dataclass(frozen=True, slots=True)
class Answered:
    """One question and what came back.

    Attributes:
        found: external ids, best first.
        channels: for each hit, rank (None if the channel did not list it) and score by channel.
        waited_ms: what the client waited.
        timings_ms: the server's own clocks.
    """

    id: str
    type: str
    gold: tuple[str, ...]
    outdated: tuple[str, ...]
    found: tuple[str, ...]
    channels: tuple[dict[str, tuple[int | None, float]], ...]
    confidence: float
    waited_ms: float
    timings_ms: dict[str, float]
    degraded: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> None:
    """Play every set with every profile; save after each."""
    options = _options(argv)
    chosen = folders(options)
    given = [(name, fitted.read(Path(path))) for name, path in (one.split("=", 1) for one in options.fitted)]
    given = given or [(fitted.SETTINGS[one.name], one) for one in fitted.shipped() if one.name in fitted.SETTINGS]
    _refuse(given, [folder.name for folder in chosen])
    figures = _kept(options.name) if options.keep else {}
    held = _cores(options.servers, options.cores)
    profiles = options.profile or PROFILES
    limits = {profile: options.limit for profile in profiles} | dict(options.limit_of)
    figures |= {"model_ms": model_ms(), "profiles": figures.get("profiles", {})}
    for folder in chosen:
        asked = {profile: read(folder, limits[profile]) for profile in profiles}
        settings = dict(one.split("=", 1) for one in options.setting)
        with scratch() as place:
            settings |= _without(given, folder.name, place)
            for profile, answered, written in _played(asked, place, settings, held):
                of = figures["profiles"].setdefault(profile, {"sets": {}})
                of["limit"] = limits[profile]
                of["sets"][folder.name] = {**summary(answered), **written, "fitted": _named(given, folder.name)}
                of |= means(of["sets"])
                _details(options.details, folder.name, profile, answered)
                _say(folder.name, profile, of["sets"][folder.name])
                _results.save(options.name, figures, command=COMMAND)
    print(f"saved {_results.RESULTS / options.name}.json")


def _played(
    asked: Mapping[str, Set], place: Path, settings: dict[str, str], held: Sequence[Collection[int]] | None
) -> Iterator[tuple[str, list[Answered], Json]]:
    """Answers by profile, from servers of its own, and how fast the rows were written.

    Args:
        asked: by profile, the set with the questions that it is asked.
        place: for data folders.
        settings: of the servers.
        held: cores of each server; they share the questions. None: one server that has them all.
    """
    rates: Json = {}
    written = place / "data"
    whole = max(asked.values(), key=lambda one: sum(len(step.rows) for step in one.steps))
    if not whole.grows:
        with serve(written, **settings) as server:
            client = Client(server.url)
            begun, rows = time.perf_counter(), 0
            for step in whole.steps:
                write_rows(client.post, namespace_of(whole, step), step.rows)
                rows += len(step.rows)
            rates = _rate(rows, time.perf_counter() - begun)
    for profile, data in asked.items():
        begun = time.perf_counter()
        servers: Sequence[Collection[int] | None] = held or (None,)
        with ThreadPoolExecutor(len(servers)) as asking:
            parts = [
                asking.submit(
                    _part,
                    data.part(number, len(servers)),
                    profile,
                    written,
                    place / f"{profile}-{number}",
                    settings,
                    on,
                )
                for number, on in enumerate(servers)
            ]
            done = [part.result() for part in parts]
        if data.grows:
            rates = _rate(sum(part.rows for part in done), max(part.spent_s for part in done))
        of_id = {answer.id: answer for part in done for answer in part.answered}
        yield (
            profile,
            [of_id[question.id] for step in data.steps for question in step.questions],
            {
                **rates,
                "servers": [sorted(on) for on in held] if held else "one, on all cores",
                "minutes": round((time.perf_counter() - begun) / 60, 1),
                "rss_bytes": done[0].rss_bytes,
                "measured": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )


def _rate(rows: int, spent_s: float) -> Json:
    return {"rows": rows, "ingest_rows_per_s": round(rows / max(spent_s, 1e-9), 1)}


@dataclass(frozen=True, slots=True)
class _Part:
    """What came of a part of a set's questions; `spent_s` is the time that its `rows` took to write."""

    answered: list[Answered]
    rows: int
    spent_s: float
    rss_bytes: int


def _part(
    data: Set, profile: str, written: Path, folder: Path, settings: dict[str, str], cores: Collection[int] | None
) -> _Part:
    """Asks a part of a set's questions of a server over a copy of what was written, or that is written meanwhile."""
    if not data.grows:
        shutil.copytree(written, folder)
    answered, rows, spent_s = [], 0, 0.0
    with serve(folder, cores, **settings) as server:
        client = Client(server.url)
        for step in data.steps:
            namespace = namespace_of(data, step)
            if data.grows and step.rows:
                begun = time.perf_counter()
                write_rows(client.post, namespace, step.rows)
                spent_s += time.perf_counter() - begun
                rows += len(step.rows)
            answered += [ask(client.post, question, namespace, profile) for question in step.questions]
        return _Part(answered, rows, spent_s, server.rss_bytes())


def namespace_of(data: Set, step: Step) -> str:
    """Where the rows of a step are written."""
    return f"quality/{data.name}/{step.namespace}"


def write_rows(post: Callable[[str, Json], Json], namespace: str, rows: Sequence[Json]) -> dict[str, str]:
    """Writes rows in batches; returns external ids by id.

    Raises:
        RuntimeError: one was refused.
    """
    names: dict[str, str] = {}
    for start in range(0, len(rows), BATCH):
        answer = post("/v1/memories:batch", {"namespace": namespace, "memories": list(rows[start : start + BATCH])})
        for item in answer["items"]:
            if item["status"] >= 300:
                raise RuntimeError(f"a memory was refused: {item}")
            names[item["id"]] = item["external_id"]
    return names


def ask(post: Callable[[str, Json], Json], question: Question, namespace: str, profile: str) -> Answered:
    """Asks one question and keeps what came back."""
    body = question.body(namespace, top_k=TOP_K, profile=profile, explain=True)
    begun = time.perf_counter()
    answer = post("/v1/recall", body)
    waited_ms = (time.perf_counter() - begun) * 1e3
    return Answered(
        id=question.id,
        type=question.type,
        gold=tuple(sorted(question.gold)),
        outdated=tuple(sorted(question.outdated)),
        found=tuple(hit["memory"]["external_id"] for hit in answer["hits"]),
        channels=tuple(
            {name: (one["rank"], one["score"]) for name, one in hit["channels"].items()} for hit in answer["hits"]
        ),
        confidence=answer["confidence"],
        waited_ms=waited_ms,
        timings_ms=answer["explanation"]["timings_ms"],
        degraded=tuple(answer["degraded"]),
    )


def summary(answered: Sequence[Answered]) -> Json:
    """Figures of one set and profile, in percent and milliseconds.

    Quality is over the answerable questions; latency, and the area of the confidence, over all.
    """
    answerable = [one for one in answered if _is_answerable(one)]
    types = sorted({one.type for one in answered})
    out: Json = {"questions": len(answerable), **_quality(answerable), **_latency(answered)}
    out["by_type"] = {
        name: {"questions": len(of), **_quality(of), **_latency(of)}
        for name in types
        if (of := [one for one in answered if one.type == name])
    }
    marked = [one for one in answered if one.outdated]
    if marked:
        firsts = [measures.current_first(o.found, frozenset(o.gold), frozenset(o.outdated)) for o in marked]
        out["current_above_old"] = measures.percent(firsts)
    sure = [one.confidence for one in answerable]
    area = measures.auroc(sure, [one.confidence for one in answered if not _is_answerable(one)])
    if area is not None:
        out["abstention_auroc"] = round(area, 3)
    out["degraded"] = sum(bool(one.degraded) for one in answered)
    out["channels"] = _channels(answered)
    out["parts_p50_ms"] = _parts(answered)
    return out


def means(sets: dict[str, Json]) -> Json:
    """Means over those of the averaged sets that are there."""
    there = [name for name in AVERAGED if name in sets]
    if not there:
        return {}
    return {
        "mean_of": len(there),
        **{f"mean_{name}": round(statistics.fmean(sets[one][name] for one in there), 2) for name in measures.NAMES},
    }


def _is_answerable(one: Answered) -> bool:
    return one.type != "adversarial"


def _quality(answered: Sequence[Answered]) -> dict[str, float]:
    of = [measures.ranked(one.found, frozenset(one.gold)) for one in answered]
    return {name: measures.percent([one[name] for one in of]) for name in measures.NAMES}


def _latency(answered: Sequence[Answered]) -> dict[str, float]:
    return measures.percentiles([one.waited_ms for one in answered])


def _channels(answered: Sequence[Answered]) -> dict[str, dict[str, float]]:
    """For each channel: in how many percent of the answers it listed a hit, and how many of the first ten it listed."""
    names = sorted({name for one in answered for hit in one.channels for name in hit})
    found: dict[str, dict[str, float]] = {}
    for name in names:
        listed = [sum(hit.get(name, (None, 0))[0] is not None for hit in one.channels[:10]) for one in answered]
        found[name] = {
            "answers": measures.percent([float(number > 0) for number in listed]),
            "of_first_ten": round(statistics.fmean(listed), 2),
        }
    return found


def _parts(answered: Sequence[Answered]) -> dict[str, float]:
    names = sorted({name for one in answered for name in one.timings_ms})
    return {
        name: round(statistics.median(one.timings_ms.get(name, 0.0) for one in answered), 3)
        for name in sorted(names, key=lambda name: (name not in PARTS, name))
    }


def _refuse(given: Sequence[tuple[str, fitted.Fitted]], sets: Sequence[str]) -> None:
    """Ends the command with code 2, before hours are spent, if what it would find may not be reported."""
    replaced = {one.name for _, one in given}
    try:
        fitted.refuse([one for one in fitted.shipped() if one.name not in replaced], sets)
        for _, one in given:
            for on in sets:
                one.left_out(on)
    except fitted.SameDataError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def _without(given: Sequence[tuple[str, fitted.Fitted]], on: str, place: Path) -> dict[str, str]:
    """Settings of the server that name files with parameters that were fitted without a set."""
    settings = {}
    for setting, one in given:
        if on in one.fitted_on:
            left = one.left_out(on)
            path = place / f"{setting}.json"
            path.write_bytes(orjson.dumps({fitted.MARK: list(left.fitted_on), "parameters": left.parameters}))
            settings[setting] = str(path)
    return settings


def _named(given: Sequence[tuple[str, fitted.Fitted]], on: str) -> list[Json]:
    """What the figures rest on, for the report to judge."""
    replaced = {one.name for _, one in given}
    files = [one.left_out(on) for _, one in given] + [one for one in fitted.shipped() if one.name not in replaced]
    return [{"name": one.name, fitted.MARK: list(one.fitted_on)} for one in files]


def _kept(name: str) -> Json:
    """Figures of an earlier run at the same revision, to go on with."""
    path = _results.RESULTS / f"{name}.json"
    if not path.exists():
        return {}
    saved = orjson.loads(path.read_bytes())
    if saved["revision"] != _results.revision():
        print(f"{path} is of {saved['revision']}, not of this revision: it is not kept", file=sys.stderr)
        sys.exit(2)
    figures: Json = saved["figures"]
    return figures


def _details(folder: Path | None, name: str, profile: str, answered: Sequence[Answered]) -> None:
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / f"{name}.{profile}.jsonl.gz", "wb") as stream:
        for one in answered:
            stream.write(orjson.dumps(asdict(one)) + b"\n")


def _say(name: str, profile: str, figures: Json) -> None:
    more = "".join(
        f"  {label} {figures[key]}"
        for key, label in (("current_above_old", "current first"), ("abstention_auroc", "AUROC"))
        if key in figures
    )
    quality = (
        f"nDCG@10 {figures['ndcg@10']:6.2f}  R@10 {figures['recall@10']:6.2f}  all@10 {figures['hit_all@10']:6.2f}"
    )
    print(
        f"{name:20s} {profile:9s} {quality}  p50 {figures['p50_ms']:8.2f}  p95 {figures['p95_ms']:8.2f} ms{more}",
        flush=True,
    )


def _cores(servers: int, each: int) -> list[list[int]] | None:
    """Cores of each server; None for one server with all of them. Ends the command with code 2 if there are too few."""
    if not each:
        return None if servers == 1 else [sorted(os.sched_getaffinity(0))] * servers
    own = sorted(os.sched_getaffinity(0))
    if servers * each > len(own):
        print(f"{servers} servers with {each} cores each: there are {len(own)}", file=sys.stderr)
        sys.exit(2)
    return [own[number * each : (number + 1) * each] for number in range(servers)]


def _limit_of(text: str) -> tuple[str, int]:
    profile, _, number = text.partition("=")
    if profile not in PROFILES:
        raise argparse.ArgumentTypeError(f"no profile: {profile}")
    return profile, int(number)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality run", description=(__doc__ or "").split("\n")[0]
    )
    add_options(parser)
    parser.add_argument("--profile", action="append", choices=PROFILES, help="default: all three")
    parser.add_argument(
        "--limit-of",
        action="append",
        default=[],
        type=_limit_of,
        metavar="PROFILE=N",
        help="about so many questions of each set for one profile, whatever --limit says",
    )
    parser.add_argument("--details", type=Path, help="folder for every question's ranking (jsonl.gz)")
    parser.add_argument("--keep", action="store_true", help="keep the other sets and profiles of the same revision")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE", help="of the server")
    parser.add_argument(
        "--fitted",
        action="append",
        default=[],
        metavar="SETTING=FILE",
        help="fitted parameters by the setting that names them; default: the shipped ones. Each set gets those that "
        "were fitted without it",
    )
    parser.add_argument("--servers", type=int, default=1, help="servers side by side that share the questions")
    parser.add_argument("--cores", type=int, default=0, help="of each server; default: all")
    parser.add_argument("--name", default=NAME, help="name of the file of figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
