"""Latency of recall: namespaces of 10,000 memories for each profile, and all channels together at 100,000.

    python -m benchmarks.quality latency --data DATA

10,000 memories of the length of conversation turns, and of scientific passages, tiled out of real sets with other
names and words (`tiled`), embedded by the service; one client asks the sets' own questions, each once. The servers that
are timed may be held to some cores of a larger machine. At 100,000 the
channels are compared inside the process: the search of a recall by all of them against that by semantic and keyword
search alone, over the same bank and questions, in turns; there the vectors of copies are those of the rows with noise,
given with the write.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import _results
from benchmarks._http import Client
from benchmarks._server import held_to, scratch, serve
from benchmarks.quality import measures
from benchmarks.quality.local import LocalService, local
from benchmarks.quality.run import PROFILES, write_rows
from benchmarks.quality.sets import Json, Question, Set, add_options, folders, read
from benchmarks.quality.speed import model_ms
from benchmarks.quality.tiled import tiled
from retrieval.embedders import packaged

COMMAND = "python -m benchmarks.quality latency --data DATA"
NAME = "quality_latency"
SETS = ("locomo_dev", "covidqa_global")
NAMESPACE = "latency"
BASE_CHANNELS = frozenset({"semantic", "keyword"})
NOISE = 0.3
SEED = 7
WARM_UP = 10


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, save and print."""
    options = _options(argv)
    options.set = options.set or list(SETS)
    figures: Json = {
        "memories": options.memories,
        "calls": options.calls,
        "server_cores": options.cores or "all",
        "model_ms": model_ms(),
        "sets": {},
    }
    for folder in folders(options):
        figures["sets"][folder.name] = by_profile(read(folder), options.memories, options.calls, options.cores)
        for profile, of in figures["sets"][folder.name]["profiles"].items():
            print(f"{folder.name:16s} {profile:9s} p50 {of['p50_ms']} ms, p95 {of['p95_ms']} ms {of['parts_p50_ms']}")
        _results.save(options.name, figures, command=COMMAND, seed=SEED)
    if options.large:
        figures["large"] = all_against_two(read(folders(options)[0]), options.large, options.calls, options.cores)
        print(figures["large"])
    print(f"saved {_results.save(options.name, figures, command=COMMAND, seed=SEED)}")


def by_profile(data: Set, n: int, calls: int, cores: Sequence[int] | None) -> Json:
    """p50 and p95 of each profile over HTTP, and where the time goes. The writing server may use every core."""
    memories, questions = tiled(_rows(data), n, SEED), _questions(data)
    words = statistics.fmean(len(m["content"].split()) for m in memories)
    found: Json = {"profiles": {}, "mean_words": round(words, 1)}
    with scratch() as folder:
        with serve(folder / "data") as server:
            begun = time.perf_counter()
            write_rows(Client(server.url).post, NAMESPACE, memories)
            found["ingest_rows_per_s"] = round(n / (time.perf_counter() - begun), 1)
        for profile in PROFILES:
            with serve(folder / "data", cores) as server:  # of its own: no cache of another profile's questions
                client = Client(server.url)
                for question in questions[-WARM_UP:]:
                    client.post("/v1/recall", question.body(NAMESPACE, profile=profile))
                found["profiles"][profile] = _timed(client, questions[: 2 * calls], profile)
                found["profiles"][profile]["rss_bytes"] = server.rss_bytes()
    return found


def _timed(client: Client, questions: Sequence[Question], profile: str) -> Json:
    """Times as a caller sees them, who asks for no explanation; every other question is asked where the time goes."""
    waited, parts = [], []
    for number, question in enumerate(questions):
        explain = number % 2 == 1
        body = question.body(NAMESPACE, profile=profile, explain=explain)
        begun = time.perf_counter()
        answer = client.post("/v1/recall", body)
        if explain:
            parts.append(answer["explanation"]["timings_ms"])
        else:
            waited.append((time.perf_counter() - begun) * 1e3)
    names = sorted({name for one in parts for name in one})
    return {
        **measures.percentiles(waited),
        "parts_p50_ms": {name: round(statistics.median(one.get(name, 0.0) for one in parts), 2) for name in names},
    }


def all_against_two(data: Set, n: int, calls: int, cores: Sequence[int] | None) -> Json:
    """A recall by all channels against one by semantic and keyword search, in turns over the same questions."""
    with scratch() as folder, held_to(cores), local(folder / "data") as service:
        embedder = packaged.load()
        rows = _rows(data)
        vectors = np.stack([views[0] for views in embedder.embed_documents([row["content"] for row in rows])])
        rng = np.random.default_rng(SEED)
        memories = tiled(rows, n, SEED)
        for start in range(0, n, 1000):
            part = memories[start : start + 1000]
            given = vectors[np.arange(start, start + len(part)) % len(rows)]
            noise = rng.standard_normal(given.shape) * NOISE / np.sqrt(given.shape[1])
            given = (given + noise) / np.linalg.norm(given + noise, axis=1, keepdims=True)
            sent = [{**row, "embedding": np.round(of, 6).tolist()} for row, of in zip(part, given, strict=True)]
            write_rows(service.post, NAMESPACE, sent)
        taken: dict[str, list[float]] = {"all": [], "two": []}
        for question in _questions(data)[: calls + WARM_UP]:
            for name, times in taken.items():
                with channels(service, BASE_CHANNELS if name == "two" else None):
                    times.append(_search_ms(service, question))
    kept = {name: times[WARM_UP:] for name, times in taken.items()}
    figures = {name: measures.percentiles(times) for name, times in kept.items()}
    ratio = round(figures["all"]["p50_ms"] / figures["two"]["p50_ms"], 3)
    return {"memories": n, **figures, "ratio_of_p50": ratio, "aim": 1.5}


def _search_ms(service: LocalService, question: Question) -> float:
    body = question.body(NAMESPACE, profile="fast", explain=True)
    timings = service.post("/v1/recall", body)["explanation"]["timings_ms"]
    return float(timings["search"])


@contextmanager
def channels(service: LocalService, names: frozenset[str] | None) -> Iterator[None]:
    """Leaves only some channels in the service's recaller for a while; None leaves all."""
    recaller: Any = service.container.recaller
    stages = recaller._stages
    if names is not None:
        every = ("worded", "channels", "seeded")
        kept = {of: tuple(one for one in getattr(stages, of) if one.name in names) for of in every}
        recaller._stages = replace(stages, **kept)
    try:
        yield
    finally:
        recaller._stages = stages


def _rows(data: Set) -> list[Json]:
    return [row for step in data.steps for row in step.rows]


def _questions(data: Set) -> list[Question]:
    """Questions of the set, each text once."""
    every = {question.text: question for step in data.steps for question in step.questions}
    return list(every.values())


def _cores(said: str) -> list[int]:
    return [int(number) for number in said.split(",")]


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality latency", description=(__doc__ or "").split("\n")[0]
    )
    add_options(parser)
    parser.add_argument("--memories", type=int, default=10_000, help="in the namespaces of each profile")
    parser.add_argument("--large", type=int, default=100_000, help="where channels are compared; 0 leaves it out")
    parser.add_argument("--calls", type=int, default=200, help="that are timed of each profile")
    parser.add_argument(
        "--cores", type=_cores, help="numbers of those that timed servers may use, as 0,1; default: all"
    )
    parser.add_argument("--name", default=NAME, help="name of the file of figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
