"""What the channels of exact text, time, place and procedure cost beside semantic and keyword search, on one thread.

Memories of 150 bytes, twenty to a conversation; 30 % speak of a time, half have a place, a third are procedures.
Figures are processor time of the one thread that works, so that other work on the machine does not count.

Run: OMP_NUM_THREADS=1 python -m benchmarks.bank_channels
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._bank_data import DAY_US, memories
from benchmarks._results import save
from gpu.bank.bank import Bank
from gpu.bank.filters import ScanFilter
from gpu.bank.records import UNKNOWN_US, Kind, RecordBatch
from gpu.bank.view import BankView
from gpu.ops.interval_scan.op import interval_scan
from gpu.ops.text_scan.op import count_scan, near_scan
from gpu.warm_up import warm_up
from retrieval.analysis.folding import folded_text
from retrieval.channels.exact import ExactChannel
from retrieval.channels.keyword import KeywordChannel
from retrieval.channels.place import PlaceChannel
from retrieval.channels.procedural import ProceduralChannel
from retrieval.channels.semantic import SemanticChannel
from retrieval.channels.temporal import TemporalChannel
from retrieval.types import AnalysedQuery, Order, Query, Question, Terms

SIZES, DIM, SEED = (10_000, 100_000), 384, 7
TEXT_BYTES, PLACES, TURNS = 150, 200, 20
DOCS = Path(__file__).parents[1] / "docs"
START_US = 1_700_000_000_000_000
WORDS = (4, 30, 700, 2000)
"""Of the made-up terms, by how common they are."""
NEEDLES = {"rare": b"err-4711x", "common": b"memory bank", "in most texts": b"the"}


def main() -> None:
    """Measure and save."""
    warm_up()
    figures: dict[str, Any] = {}
    for n in SIZES:
        namespace = Bank().open("ns", DIM)
        batch = _with_all(memories(n, DIM, SEED))
        namespace.put(batch)
        with namespace.view(ScanFilter()) as view:
            figures[str(n)] = {"operations": _operations(view), "channels": _channels(view, batch)}
        namespace.put(replace(batch, versions=batch.versions + 1, occurred_us=np.full(n, UNKNOWN_US)))
        with namespace.view(ScanFilter()) as view:
            figures[str(n)]["channels without clocks"] = _channels(view, batch, only="temporal")
    print(save("bank_channels", figures, command="OMP_NUM_THREADS=1 python -m benchmarks.bank_channels", seed=SEED))


def milliseconds(work: Callable[[], Any], repeats: int = 30) -> dict[str, float]:
    """Least and median of the processor time of some calls, after one that is not counted."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.thread_time()
        work()
        taken.append((time.thread_time() - start) * 1e3)
    return {"cpu_min_ms": round(min(taken), 2), "cpu_p50_ms": round(float(np.median(taken)), 2)}


def _with_all(batch: RecordBatch) -> RecordBatch:
    """Texts, times, places, conversations and outcomes for made-up memories."""
    rng, n = np.random.default_rng(SEED), len(batch)
    pages = " ".join(page.read_text() for page in sorted(DOCS.rglob("*.md")))
    source = folded_text(pages).encode("ascii", "replace")
    texts = b"".join(source[at : at + TEXT_BYTES] for at in rng.integers(0, len(source) - TEXT_BYTES, n).tolist())
    spans, places = rng.random(n) < 0.3, rng.random(n) < 0.5
    starts = START_US + rng.integers(0, 1000, np.count_nonzero(spans)) * DAY_US
    return replace(
        batch,
        occurred_us=START_US + np.arange(n) * (1000 * DAY_US // n),
        sequences=(np.arange(n) // TURNS + 1).astype(np.uint64),
        outcomes=rng.choice([np.nan, 0.0, 0.5, 1.0], n).astype(np.float32),
        spans=np.stack([starts, starts + DAY_US], axis=1),
        span_offsets=np.concatenate([[0], np.cumsum(spans)]),
        place_ids=rng.integers(1, PLACES, np.count_nonzero(places)).astype(np.uint64),
        place_offsets=np.concatenate([[0], np.cumsum(places)]),
        texts=np.frombuffer(texts, np.uint8).copy(),
        text_offsets=np.arange(n + 1, dtype=np.int64) * TEXT_BYTES,
    )


def _operations(view: BankView) -> dict[str, Any]:
    ((segment, _, mask),) = view.segments()
    counts, flags = np.empty((1, view.n_slots), np.int32), np.empty((1, view.n_slots), np.uint8)
    scores, month = np.empty(view.n_slots, np.float32), np.array([(START_US, START_US + 30 * DAY_US)])
    figures: dict[str, Any] = {
        "interval_scan": milliseconds(lambda: interval_scan(segment, month, mask, scores)),
    }
    for name, needle in NEEDLES.items():
        figures[f"count_scan, {name}"] = milliseconds(partial(count_scan, segment, [needle], mask, counts, flags))
        for k in (1, 2):
            figures[f"near_scan k={k}, {name}"] = milliseconds(partial(near_scan, segment, [needle], k, mask, flags))
    for name, figure in figures.items():
        print(view.n_slots, name, figure)
    return figures


def _channels(view: BankView, batch: RecordBatch, only: str = "") -> dict[str, Any]:
    span = np.array([(START_US + 100 * DAY_US, START_US + 130 * DAY_US)])
    cases = {
        "semantic": (SemanticChannel(), Question()),
        "keyword": (KeywordChannel(), Question()),
        "exact, found": (ExactChannel(), Question(phrases=("memory bank",))),
        "exact, with typos": (ExactChannel(), Question(identifiers=("err-4711x",))),
        "temporal, span": (TemporalChannel(), Question(spans=span)),
        "temporal, first": (TemporalChannel(), Question(order=Order.FIRST)),
        "place": (PlaceChannel(), Question(place_ids=np.array([5, 77], np.uint64))),
        "procedural": (ProceduralChannel(), Question(kind_hint=Kind.PROCEDURAL)),
    }
    ids = np.sort((np.array(WORDS) * 2654435761 % 2**32).astype(np.uint32))
    query = AnalysedQuery(
        query=Query("", datetime(2026, 1, 1, tzinfo=UTC), 10, ScanFilter()),
        terms=Terms(ids, np.ones(ids.size, np.uint16), ids.size),
        mention_ids=np.empty(0, np.uint64),
        vector=batch.vectors[5].astype(np.float32),
    )
    figures = {}
    for name, (channel, question) in cases.items():
        if not name.startswith(only):
            continue
        asked = replace(query, question=question)
        found = channel.search(asked, view, 100)
        figures[name] = {
            **milliseconds(partial(channel.search, asked, view, 100)),
            "listed": 0 if found is None else found.slots.size,
        }
        print(view.n_slots, name, figures[name])
    return figures


if __name__ == "__main__":
    main()
