"""What it costs and saves that the bank keeps faded memories less exactly: bytes, quality and speed, level by level.

A real set is written, and its questions are asked while all memories are active, after a run of `fade` has made all of
them warm, after another has made all of them cold, and after both were undone. The policy's factors make them fade in
seconds, and its prior is 0: nothing but the precision of the vectors differs between the levels. Profile `fast`, which
reads no texts to put hits in order, so that a worse vector is not made up for.

Run: OMP_NUM_THREADS=1 python -m benchmarks.lifecycle_tiers --data FOLDER [--set NAME] [--limit N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._results import save
from benchmarks.quality import measures
from benchmarks.quality.local import LocalService, local
from benchmarks.quality.sets import Question, Set, read
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from memsvc.db.tenancy import SERVICE
from memsvc.memories.write import Author
from memsvc.namespaces import repository as namespaces

SETS = ("locomo_dev", "covidqa_global")
LEVELS = ("active", "warm", "cold")
TOP_K = 20
BATCH = 100
_TURNS = 30
_FADED_S = 3.0
"""After so long, with factors of a ten-millionth, retention is next to nothing."""


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--set", action="append", help="only this one")
    parser.add_argument("--limit", type=int, help="about so many questions of a set")
    options = parser.parse_args()
    figures = {}
    for name in options.set or SETS:
        with tempfile.TemporaryDirectory() as folder, local(Path(folder), jobs="off") as service:
            figures[name] = measured(service, read(options.data / name, options.limit))
        print(name, figures[name])
    print(save("lifecycle_tiers", figures, command="python -m benchmarks.lifecycle_tiers --data FOLDER"))


def measured(service: LocalService, data: Set) -> dict[str, Any]:
    """Figures of one set, by level."""
    asked: list[tuple[str, Question]] = []
    for step in data.steps:
        for at in range(0, len(step.rows), BATCH):
            service.post(
                "/v1/memories:batch", {"namespace": step.namespace, "memories": list(step.rows[at : at + BATCH])}
            )
        asked += [(step.namespace, one) for one in step.questions if one.is_answerable]
    paths = list(dict.fromkeys(step.namespace for step in data.steps))
    found: dict[str, Any] = {}
    exact: list[dict[str, float]] = []
    for level in LEVELS:
        moved_s = fade(service, paths, level) if level != "active" else 0.0
        measures_of, waited = answers(service, asked)
        exact = exact or measures_of
        found[level] = {
            **sizes(service, paths),
            **quality(measures_of, exact),
            **measures.percentiles(waited),
            "scan_ms": scan_ms(service, paths),
            "moved_s": round(moved_s, 2),
        }
    return {
        "memories": sum(len(step.rows) for step in data.steps),
        "questions": len(asked),
        "levels": found,
    }


def answers(service: LocalService, asked: Sequence[tuple[str, Question]]) -> tuple[list[dict[str, float]], list[float]]:
    """Measures of each question's hits, and what it waited for them in milliseconds."""
    found, waited = [], []
    for namespace, question in asked:
        begun = time.perf_counter()
        answer = service.post("/v1/recall", question.body(namespace, top_k=TOP_K, profile="fast"))
        waited.append((time.perf_counter() - begun) * 1e3)
        found.append(measures.ranked([hit["memory"]["external_id"] for hit in answer["hits"]], question.gold))
    return found, waited


def quality(found: Sequence[dict[str, float]], exact: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Means in percent; for the two that are judged also the difference to the exact bank with its 95 % interval."""
    figures: dict[str, Any] = {name: measures.percent([one[name] for one in found]) for name in measures.NAMES}
    for name in ("ndcg@10", "recall@10"):
        apart = [one[name] - other[name] for one, other in zip(found, exact, strict=True)]
        figures[f"{name} less active"] = [round(100 * float(np.mean(apart)), 2), *measures.interval(apart)]
    return figures


def fade(service: LocalService, paths: Sequence[str], level: str) -> float:
    """Makes every memory fade as far as a level; returns the seconds that runs and banks took."""
    container = service.container
    principal = container.keys.anonymous
    assert principal is not None  # noqa: S101 - the service of a benchmark has no keys
    author = Author(principal.tenant_id, "benchmark")
    kinds = ("episodic", "semantic", "procedural")
    policy = {
        "factors": dict.fromkeys(kinds, 1e-7),
        "coldest": dict.fromkeys(kinds, level),
        "share_per_run": 1.0,
        "prior": 0.0,
    }
    for path in paths:
        container.jobs.set_care(principal.tenant_id, path, policy, {})
    time.sleep(_FADED_S)
    begun = time.perf_counter()
    for path in paths:
        container.jobs.ask(author, path, "fade", is_dry=False)
        container.scheduler.round()
        bank_of(service, path)
    return time.perf_counter() - begun


def sizes(service: LocalService, paths: Sequence[str]) -> dict[str, Any]:
    """Bytes of the namespaces' banks."""
    banks = [bank_of(service, path) for path in paths]
    vectors = [bank.vector_bytes() for bank in banks]
    return {
        "vector_bytes": {tier.value: sum(one[tier] for one in vectors) for tier in vectors[0]},
        "bank_bytes": sum(bank.memory_bytes() for bank in banks),
        "held_bytes": sum(bank.held_bytes() for bank in banks),
    }


def scan_ms(service: LocalService, paths: Sequence[str]) -> float:
    """The least time that scoring all memories of the largest namespace against a vector took."""
    bank = max((bank_of(service, path) for path in paths), key=len)
    vector = np.random.default_rng(1).standard_normal(bank.dim).astype(np.float32)
    vector /= np.float32(np.linalg.norm(vector))
    taken = []
    for _ in range(_TURNS):
        with bank.view(ScanFilter()) as view:
            view.mask()
            begun = time.perf_counter()
            view.dense(vector)
            taken.append(time.perf_counter() - begun)
    return round(min(taken) * 1e3, 3)


def bank_of(service: LocalService, path: str) -> NamespaceBank:
    """The bank of a namespace, brought up to the change log's head."""
    container = service.container
    principal = container.keys.anonymous
    assert principal is not None  # noqa: S101 - as above
    with container.database.read(SERVICE) as connection:
        namespace = namespaces.find(connection, principal.tenant_id, path)
    if namespace is None:
        raise LookupError(path)
    return container.keeper.catch_up(namespace.key, namespace.head_seq)


if __name__ == "__main__":
    main()
