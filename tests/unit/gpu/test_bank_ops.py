"""Every kernel against its plain reference, on odd sizes and with rubbish in the memory that no row uses."""

from dataclasses import replace

import numpy as np
import pytest

from gpu.bank.errors import DimensionError, PageOwnershipError
from gpu.bank.filters import NumberColumn, Range, ScanFilter, TimeColumn
from gpu.bank.pages import PagePool
from gpu.bank.records import NEVER_US, Kind, RecordBatch, State
from gpu.bank.segment import Segment
from gpu.ops.bm25_scan.op import bm25_scan
from gpu.ops.bm25_scan.reference import bm25_rows
from gpu.ops.dense_scan.op import dense_scan
from gpu.ops.dense_scan.reference import dense_rows
from gpu.ops.filter_scan.op import filter_scan, plan
from gpu.ops.filter_scan.reference import filter_rows
from gpu.ops.top_memories.op import moments, top_memories
from gpu.ops.top_memories.reference import moments_rows, top_rows
from tests.fixtures.bank_records import random_batch

SIZES = [0, 1, 7, 63, 1000, 1023]
HASHED = 2**63


def poisoned_segment(batch: RecordBatch, dim: int) -> Segment:
    """A segment with the batch in it whose unused elements hold values that would show in any result."""
    segment = Segment(PagePool(), dim)
    segment.append(batch)
    for pages in segment.lists:
        for page in pages.table.pages:
            used = max(0, pages.length - page.start)
            for name in pages.layout.columns:
                column = page.column(name)
                column[used:] = 60000.0 if name == "vectors" else (0 if name == "slot" else 1)
    return segment


def flags(segment: Segment, scan: ScanFilter) -> np.ndarray:
    out = np.full(segment.attributes.length, 9, np.uint8)
    count = filter_scan(segment.snapshot(5), plan(scan), out)
    assert count == out.sum()
    return out


EVERYTHING = ScanFilter(states=frozenset())
FILTERS = {
    "active": ScanFilter(),
    "everything": EVERYTHING,
    "kinds": ScanFilter(kinds=frozenset({Kind.SEMANTIC, Kind.PROCEDURAL})),
    "states": ScanFilter(states=frozenset({State.FORGOTTEN, State.ARCHIVED})),
    "one pair": ScanFilter(any_pairs=((HASHED + 3,),)),
    "groups": ScanFilter(any_pairs=((HASHED + 3, HASHED + 4), (HASHED + 5, HASHED + 6, HASHED + 7))),
    "an empty group": ScanFilter(any_pairs=((),)),
    "no pairs": ScanFilter(no_pairs=(HASHED + 1, HASHED + 2)),
    "both": ScanFilter(any_pairs=((HASHED + 3, HASHED + 1),), no_pairs=(HASHED + 2,)),
    "many groups": ScanFilter(any_pairs=tuple(tuple(range(HASHED, HASHED + 11)) for _ in range(130))),
    "same hash in two groups": ScanFilter(any_pairs=((HASHED + 3,), (HASHED + 3, HASHED + 4))),
    "a pair needed and forbidden": ScanFilter(any_pairs=((HASHED + 3,),), no_pairs=(HASHED + 3,)),
    "time": ScanFilter(ranges=(Range(TimeColumn.OCCURRED, 250.5, 750),)),
    "all known times": ScanFilter(ranges=(Range(TimeColumn.OCCURRED, -np.inf, np.inf),)),
    "all known ends": ScanFilter(ranges=(Range(TimeColumn.VALID_TO, -np.inf, np.inf),)),
    "number": ScanFilter(ranges=(Range(NumberColumn.TRUST, 0.25, 0.75), Range(NumberColumn.IMPORTANCE, 0.5, 2))),
    "expiry": ScanFilter(now_us=500),
    "validity": ScanFilter(valid_at_us=500),
    "as of": ScanFilter(as_of_us=500),
}


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", FILTERS)
def test_filter_scan(name: str, n: int) -> None:
    batch = random_batch(np.random.default_rng(n), list(range(n)))
    scan = FILTERS[name]
    expected = filter_rows(batch, scan)
    assert flags(poisoned_segment(batch, 8), scan).tolist() == expected.astype(np.uint8).tolist()


@pytest.mark.parametrize("m", [0, 1, 100])
def test_filter_scan_with_allowed_ids(m: int) -> None:
    rng = np.random.default_rng(0)
    batch = random_batch(rng, list(range(300)))
    scan = ScanFilter(states=frozenset(), allowed=random_batch(rng, list(range(250, 250 + m))).memory_ids)
    assert np.flatnonzero(flags(poisoned_segment(batch, 8), scan)).tolist() == list(range(250, min(300, 250 + m)))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dim", [1, 8, 33])
def test_dense_scan(n: int, dim: int) -> None:
    rng = np.random.default_rng(n)
    batch = random_batch(rng, list(range(n)), dim=dim)
    query = rng.standard_normal(dim).astype(np.float32)
    query /= np.linalg.norm(query)
    segment = poisoned_segment(batch, dim)
    eligible = rng.integers(0, 2, n).astype(np.uint8)
    out = np.full(n, np.nan, np.float32)
    dense_scan(segment.snapshot(5), query, eligible, out)
    np.testing.assert_allclose(
        out, dense_rows(batch.vectors, batch.view_offsets, query, eligible.astype(bool)), atol=1e-6
    )


def test_dense_scan_takes_the_best_view() -> None:
    batch = random_batch(np.random.default_rng(0), [0], dim=2)
    views = np.array([[0, 1], [0.6, 0.8], [1, 0], [0.8, 0.6]], np.float16)
    segment = poisoned_segment(replace(batch, vectors=views, view_offsets=np.array([0, 4])), 2)
    out = np.empty(1, np.float32)
    dense_scan(segment.snapshot(5), np.array([1, 0], np.float32), np.ones(1, np.uint8), out)
    assert out.tolist() == [1.0]


def test_dense_scan_refuses_another_dimension() -> None:
    segment = poisoned_segment(random_batch(np.random.default_rng(0), [0]), 8)
    with pytest.raises(DimensionError):
        dense_scan(segment.snapshot(5), np.zeros(9, np.float32), np.ones(1, np.uint8), np.empty(1, np.float32))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("q", [0, 1, 5, 40])
def test_bm25_scan(n: int, q: int) -> None:
    rng = np.random.default_rng(n + q)
    batch = random_batch(rng, list(range(n)))
    segment = poisoned_segment(batch, 8)
    terms = (rng.choice(60, q, replace=False) * 2654435761 % 2**32).astype(np.uint32)
    weights = rng.random(q).astype(np.float32)
    eligible = rng.integers(0, 2, n).astype(np.uint8)
    out = np.full(n, np.nan, np.float32)
    bm25_scan(segment.snapshot(5), terms, weights, 1.5, 0.75, 21.5, eligible, out)
    weight_of = dict(zip(terms.tolist(), weights.tolist(), strict=True))
    np.testing.assert_allclose(out, bm25_rows(batch, weight_of, 1.5, 0.75, 21.5, eligible.astype(bool)), rtol=1e-5)


def test_bm25_scan_tells_terms_apart_that_share_a_mark() -> None:
    batch = random_batch(np.random.default_rng(0), [0, 1])
    ids = np.array([8192 + 5, 5, 3 * 8192 + 5], np.uint32)
    batch = replace(
        batch, term_ids=ids, term_freqs=np.array([1, 1, 1], np.uint16), term_offsets=np.array([0, 1, 3]),
        lengths=np.ones(2, np.uint32),
    )  # fmt: skip
    segment = poisoned_segment(batch, 8)
    query = np.array([5, 2 * 8192 + 5, 8192 + 5], np.uint32)
    out = np.empty(2, np.float32)
    weights = np.array([1, 10, 100], np.float32)
    bm25_scan(segment.snapshot(5), query, weights, 1.0, 0.0, 1.0, np.ones(2, np.uint8), out)
    assert out.tolist() == [50.0, 0.5]


@pytest.mark.parametrize(("k1", "b"), [(-1.0, 0.5), (1.0, 1.5), (1.0, -0.1)])
def test_bm25_scan_refuses_impossible_parameters(k1: float, b: float) -> None:
    segment = poisoned_segment(random_batch(np.random.default_rng(0), [0]), 8)
    one = np.ones(1, np.float32)
    with pytest.raises(ValueError, match="k1"):
        bm25_scan(segment.snapshot(5), np.ones(1, np.uint32), one, k1, b, 1.0, np.ones(1, np.uint8), one)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("limit", [0, 1, 10, 5000])
@pytest.mark.parametrize("ties", ["none", "some", "all"])
def test_top_memories(n: int, limit: int, ties: str) -> None:
    rng = np.random.default_rng(n)
    scores = {
        "none": rng.standard_normal(n), "some": rng.integers(0, 5, n).astype(float), "all": np.full(n, 0.5),
    }[ties].astype(np.float32)  # fmt: skip
    scores[rng.random(n) < 0.3] = -np.inf
    scores[rng.random(n) < 0.1] = np.nan
    slots, best = top_memories(scores, limit)
    expected = top_rows(scores, limit)
    assert slots.tolist() == expected[0].tolist()
    assert best.tolist() == expected[1].tolist()


@pytest.mark.parametrize("n", SIZES)
def test_moments(n: int) -> None:
    rng = np.random.default_rng(n)
    scores = rng.standard_normal(n).astype(np.float32)
    scores[rng.random(n) < 0.3] = -np.inf
    assert moments(scores) == pytest.approx(moments_rows(scores), abs=1e-6)


def test_top_memories_refuses_a_negative_limit() -> None:
    with pytest.raises(ValueError, match="limit"):
        top_memories(np.zeros(3, np.float32), -1)


@pytest.mark.parametrize("sort", ["attributes", "codes", "terms", "pairs"])
def test_no_scan_reads_a_page_of_somebody_else(sort: str) -> None:
    batch = random_batch(np.random.default_rng(0), list(range(50)))
    segment = poisoned_segment(batch, 8)
    getattr(segment, sort).table.pages[1].header[1] += 1
    rows, mask, out = segment.snapshot(5), np.ones(50, np.uint8), np.empty(50, np.float32)
    one = np.ones(1, np.float32)
    scans = {
        "attributes": lambda: filter_scan(rows, plan(EVERYTHING), mask),
        "pairs": lambda: filter_scan(rows, plan(ScanFilter(states=frozenset(), no_pairs=(1,))), mask),
        "codes": lambda: dense_scan(rows, np.ones(8, np.float32), mask, out),
        "terms": lambda: bm25_scan(rows, np.ones(1, np.uint32), one, 1.5, 0.75, 1.0, mask, out),
    }
    with pytest.raises(PageOwnershipError):
        scans[sort]()


def test_rows_that_died_before_the_snapshot_are_not_seen() -> None:
    batch = random_batch(np.random.default_rng(0), list(range(4)))
    segment = poisoned_segment(batch, 8)
    segment.set_column("died", np.arange(4), np.array([4, 5, 6, NEVER_US]))
    assert flags(segment, EVERYTHING).tolist() == [0, 0, 1, 1]
