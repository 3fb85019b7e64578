"""How well the times of memories fit wanted spans, against a plain reference and by hand."""

from dataclasses import replace

import numpy as np
import pytest

from gpu.bank.errors import PageOwnershipError
from gpu.bank.pages import PagePool
from gpu.bank.records import NEVER_US, UNKNOWN_US
from gpu.bank.segment import Segment
from gpu.ops.interval_scan.op import LONGEST_WIDTH_US, OPEN_WIDTH_US, SHORTEST_WIDTH_US, decay_widths, interval_scan
from gpu.ops.interval_scan.reference import interval_rows
from tests.fixtures.bank_records import random_batch, with_spans

HOUR = 3_600_000_000
DAY = 24 * HOUR


def fits(wanted: list[tuple[int, int]], occurred: int | None, spans: list[tuple[int, int]]) -> float:
    batch = with_spans(random_batch(np.random.default_rng(0), [0]), [spans])
    batch = replace(batch, occurred_us=np.array([UNKNOWN_US if occurred is None else occurred]))
    segment = Segment(PagePool(), 8)
    segment.append(batch)
    out = np.empty(1, np.float32)
    interval_scan(segment.snapshot(5), np.array(wanted), np.ones(1, np.uint8), out)
    return float(out[0])


@pytest.mark.parametrize("n", [0, 1, 7, 63, 1000, 1023])
@pytest.mark.parametrize("q", [1, 3])
def test_interval_scan(n: int, q: int) -> None:
    rng = np.random.default_rng(n + q)
    batch = random_batch(rng, list(range(n)))
    scale = int(rng.integers(1, 50)) * HOUR
    batch = replace(
        batch,
        spans=batch.spans * scale,
        occurred_us=np.where(batch.occurred_us == UNKNOWN_US, UNKNOWN_US, batch.occurred_us * scale),
    )
    starts = rng.integers(0, 900, q) * scale
    wanted = np.stack([starts, starts + rng.integers(1, 200, q) * scale], axis=1)
    segment = Segment(PagePool(), 8)
    segment.append(batch)
    for page in segment.spans.table.pages:
        page.column("bounds")[max(0, segment.spans.length - page.start) :] = wanted[0]
    eligible = rng.integers(0, 2, n).astype(np.uint8)
    out = np.full(n, np.nan, np.float32)
    interval_scan(segment.snapshot(5), wanted, eligible, out)
    expected = interval_rows(batch, wanted, decay_widths(wanted), eligible.astype(bool))
    np.testing.assert_allclose(out, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("occurred", "spans", "expected"),
    [
        (None, [], 0.0),
        (5 * DAY, [], 1.0),
        (0, [], 1.0),
        (10 * DAY, [], 0.5),  # the span is half-open
        (None, [(2 * DAY, 3 * DAY)], 1.0),
        (None, [(0, 10 * DAY)], 1.0),
        (None, [(8 * DAY, 12 * DAY)], 0.75),
        (None, [(-45 * DAY, 55 * DAY)], 0.55),
        (20 * DAY, [], 0.5 * np.exp(-1)),
        (-20 * DAY, [], 0.5 * np.exp(-2)),
        (None, [(20 * DAY, 21 * DAY)], 0.5 * np.exp(-1)),
        (None, [(10 * DAY, 11 * DAY)], 0.5),
        (20 * DAY, [(8 * DAY, 12 * DAY), (30 * DAY, 31 * DAY)], 0.75),
    ],
)
def test_a_time_fits_by_how_much_of_it_was_asked_for(
    occurred: int | None, spans: list[tuple[int, int]], expected: float
) -> None:
    assert fits([(0, 10 * DAY)], occurred, spans) == pytest.approx(expected, abs=1e-6)


def test_near_misses_rank_below_hits_and_by_distance() -> None:
    scores = [fits([(0, DAY)], at, []) for at in (DAY - 1, DAY, DAY + HOUR, 2 * DAY, 9 * DAY, 900 * DAY)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 1.0
    assert scores[1] == 0.5
    assert scores[-1] == 0.0


def test_the_best_of_several_wanted_spans_counts() -> None:
    assert fits([(0, DAY), (50 * DAY, 60 * DAY)], 55 * DAY, []) == 1.0


def test_open_spans_have_a_side_without_end() -> None:
    assert fits([(10 * DAY, NEVER_US)], 10_000 * DAY, []) == 1.0
    assert fits([(UNKNOWN_US, 0)], -10_000 * DAY, []) == 1.0
    assert fits([(UNKNOWN_US, 0)], 30 * DAY, []) == pytest.approx(0.5 * np.exp(-1), abs=1e-6)
    assert fits([(0, DAY)], None, [(0, NEVER_US)]) == pytest.approx(0.5, abs=1e-3)
    assert fits([(0, DAY)], None, [(UNKNOWN_US, NEVER_US)]) == pytest.approx(0.5, abs=1e-3)
    assert decay_widths(np.array([(0, 10), (0, NEVER_US), (0, DAY), (-9999 * DAY, 0)])).tolist() == [
        SHORTEST_WIDTH_US, OPEN_WIDTH_US, float(DAY), LONGEST_WIDTH_US,
    ]  # fmt: skip


@pytest.mark.parametrize("wanted", [[(5, 5)], [(5, 4)], [(0, 1), (3, 2)]])
def test_an_empty_span_is_refused(wanted: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="start before"):
        fits(wanted, 0, [])


@pytest.mark.parametrize("sort", ["attributes", "spans"])
def test_the_scan_reads_no_page_of_somebody_else(sort: str) -> None:
    segment = Segment(PagePool(), 8)
    segment.append(random_batch(np.random.default_rng(0), list(range(50))))
    getattr(segment, sort).table.pages[-1].header[1] += 1
    with pytest.raises(PageOwnershipError):
        interval_scan(segment.snapshot(5), np.array([(0, 9)]), np.ones(50, np.uint8), np.empty(50, np.float32))
