"""The fit of times with wanted spans equals its plain reference and behaves as its page says."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu.bank.pages import PagePool
from gpu.bank.records import NEVER_US, UNKNOWN_US, RecordBatch
from gpu.bank.segment import Segment
from gpu.ops.interval_scan.op import decay_widths, interval_scan
from gpu.ops.interval_scan.reference import interval_rows
from tests.fixtures.bank_records import random_batch, with_spans

times = (
    st.integers(-50, 50).map(lambda hours: hours * 3_600_000_000)
    | st.integers(-(2**62), 2**62)
    | st.sampled_from((UNKNOWN_US, NEVER_US))
)
spans = st.tuples(times, times)
wanted_spans = spans.filter(lambda span: span[0] < span[1])
memories = st.lists(st.tuples(times, st.lists(spans, max_size=3)), min_size=1, max_size=8)


def scanned(batch: RecordBatch, wanted: np.ndarray) -> np.ndarray:
    segment = Segment(PagePool(), 8)
    segment.append(batch)
    out = np.full(len(batch), np.nan, np.float32)
    interval_scan(segment.snapshot(5), wanted, np.ones(len(batch), np.uint8), out)
    return out


def batch_of(contents: list[tuple[int, list[tuple[int, int]]]]) -> RecordBatch:
    batch = with_spans(random_batch(np.random.default_rng(0), list(range(len(contents)))), [own for _, own in contents])
    return replace(batch, occurred_us=np.array([occurred for occurred, _ in contents], np.int64))


@settings(max_examples=200)
@given(memories, st.lists(wanted_spans, min_size=1, max_size=3))
def test_interval_scan_is_its_reference(
    contents: list[tuple[int, list[tuple[int, int]]]], asked: list[tuple[int, int]]
) -> None:
    wanted, batch = np.array(asked, np.int64), batch_of(contents)
    expected = interval_rows(batch, wanted, decay_widths(wanted), np.ones(len(batch), np.bool_))
    got = scanned(batch, wanted)
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert ((got >= 0) & (got <= 1)).all()


@settings(max_examples=100)
@given(st.lists(st.integers(-(10**15), 10**15), min_size=2, max_size=8), st.integers(1, 10**13))
def test_nearer_never_scores_less(points: list[int], length: int) -> None:
    wanted = np.array([(0, length)], np.int64)
    got = scanned(batch_of([(point, []) for point in points]), wanted)
    gaps = np.array([max(-point, point - length, 0) for point in points])
    inside = np.array([0 <= point < length for point in points])
    assert (got[inside] == 1).all()
    assert (got[~inside] <= 0.5).all()
    order = np.argsort(gaps[~inside], kind="stable")
    assert (np.diff(got[~inside][order]) <= 0).all()
