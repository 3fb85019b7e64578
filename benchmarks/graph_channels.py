"""What the channels of entities, spreading, association and consolidation cost beside semantic and keyword search.

Memories in groups of meaning, fifty to a conversation, each with one to four mentions of natural frequencies (the most
frequent name is in a third of them); one in twenty is a gist of three others. The questions are near a memory and name
two of what is mentioned. Figures are processor time of the one thread that works, so that other work does not count.
Also what the table of names costs.

Run: OMP_NUM_THREADS=1 python -m benchmarks.graph_channels
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmarks._bank_data import memories
from benchmarks._results import save
from gpu.bank.bank import Bank
from gpu.bank.filters import ScanFilter
from gpu.bank.records import RecordBatch, Relation
from gpu.warm_up import warm_up
from retrieval.aliases import NameTable
from retrieval.channels.associative import AssociativeChannel
from retrieval.channels.consolidation import ConsolidationChannel
from retrieval.channels.entity import EntityChannel
from retrieval.channels.keyword import KeywordChannel
from retrieval.channels.semantic import SemanticChannel
from retrieval.channels.spreading import SpreadingChannel
from retrieval.types import AnalysedQuery, ChannelResult, Query, Terms

SIZES, DIM, SEED, QUESTIONS, LIMIT = (10_000, 100_000), 384, 7, 40, 100
GROUPS, TURNS, GISTS, SOURCES = 200, 50, 0.05, 3


def main() -> None:
    """Measure and save."""
    warm_up()
    figures: dict[str, Any] = {"table of 10,000 names": _names()}
    print(figures)
    for n in SIZES:
        namespace = Bank().open("ns", DIM)
        batch = _tied(memories(n, DIM, SEED))
        namespace.put(batch)
        taken: dict[str, list[float]] = defaultdict(list)
        for query in _questions(batch):
            with namespace.view(ScanFilter()) as view:
                view.mask()
                seeds: dict[str, ChannelResult] = {}
                for channel in (SemanticChannel(), KeywordChannel(), EntityChannel()):
                    start = time.thread_time()
                    result = channel.search(query, view, LIMIT)
                    taken[channel.name].append(time.thread_time() - start)
                    if result is not None:
                        seeds[channel.name] = result
                for seeded in (SpreadingChannel(), AssociativeChannel(), ConsolidationChannel()):
                    start = time.thread_time()
                    seeded.search(query, view, LIMIT, seeds)
                    taken[seeded.name].append(time.thread_time() - start)
        figures[str(n)] = {name: _spread_of(seconds) for name, seconds in taken.items()}
        print(n, figures[str(n)])
    print(save("graph_channels", figures, command="OMP_NUM_THREADS=1 python -m benchmarks.graph_channels", seed=SEED))


def _spread_of(seconds: list[float]) -> dict[str, float]:
    ms = np.array(seconds) * 1e3
    return {"cpu_p50_ms": round(float(np.median(ms)), 2), "cpu_p95_ms": round(float(np.percentile(ms, 95)), 2)}


def _tied(batch: RecordBatch) -> RecordBatch:
    """The memories with groups of meaning, mentions, conversations and gists."""
    rng, n = np.random.default_rng(SEED), len(batch)
    rows = batch.vectors.astype(np.float32)
    centres = rng.standard_normal((GROUPS, DIM)).astype(np.float32) / np.sqrt(DIM)
    rows += centres[rng.integers(0, GROUPS, n)] + rng.standard_normal(DIM).astype(np.float32) / np.sqrt(DIM)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    mentions, gists = rng.integers(1, 5, n), rng.random(n) < GISTS
    names = np.minimum(rng.zipf(1.4, int(mentions.sum())), n // 4).astype(np.uint64)
    links = gists.astype(np.int64) * SOURCES
    return replace(
        batch,
        vectors=rows.astype(np.float16),
        entity_ids=names * np.uint64(0x9E3779B97F4A7C15),
        entity_offsets=np.concatenate([[0], np.cumsum(mentions)]),
        sequences=(np.arange(n) // TURNS + 1).astype(np.uint64),
        link_targets=batch.memory_ids[rng.integers(0, n, int(links.sum()))],
        link_relations=np.full(int(links.sum()), int(Relation.DERIVED_FROM), np.uint8),
        link_offsets=np.concatenate([[0], np.cumsum(links)]),
    )


def _questions(batch: RecordBatch) -> Iterator[AnalysedQuery]:
    rng, n = np.random.default_rng(SEED + 1), len(batch)
    ids, counts = np.unique(batch.entity_ids, return_counts=True)
    known = ids[(counts > n // 2000) & (counts < n // 50)]
    for row in rng.integers(0, n, QUESTIONS).tolist():
        vector = batch.vectors[row] + rng.standard_normal(DIM) * 0.04
        terms = batch.term_ids[batch.term_offsets[row] : batch.term_offsets[row + 1]]
        yield AnalysedQuery(
            query=Query("What?", datetime(2026, 1, 1, tzinfo=UTC), 10, ScanFilter()),
            terms=Terms(terms, np.ones(terms.size, np.uint16), terms.size),
            mention_ids=rng.choice(known, 2, replace=False),
            vector=(vector / np.linalg.norm(vector)).astype(np.float32),
        )


def _names() -> dict[str, float]:
    """Milliseconds to learn 20,000 memories with two names each, to resolve a name, and to list every entity."""
    rng, table = np.random.default_rng(SEED), NameTable()
    syllables = [a + b for a in "bcdfghklmnprst" for b in "aeiou"]
    words = ["".join(rng.choice(syllables, 3)).title() for _ in range(3000)]
    people = [f"{words[a]} {words[b]}" for a, b in rng.integers(0, 3000, (5000, 2)).tolist()]
    start = time.thread_time()
    for memory, (a, b) in enumerate(rng.integers(0, 5000, (20_000, 2)).tolist()):
        table.put(memory, (people[a], people[b].split()[memory % 2]))
    learned = time.thread_time()
    for a in rng.integers(0, 5000, 200).tolist():
        table.put("again", ())  # nothing is kept from one to the next, as after a write
        table.remove("again")
        table.expand([people[a]])
    resolved = time.thread_time()
    groups = table.groups()
    return {
        "names": len(table),
        "entities": len(groups),
        "learn_ms_per_memory": round((learned - start) / 20, 4),
        "resolve_ms": round((resolved - learned) / 200 * 1e3, 3),
        "list_all_ms": round((time.thread_time() - resolved) * 1e3, 1),
    }


if __name__ == "__main__":
    main()
