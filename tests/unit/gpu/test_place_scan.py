"""Which memories hold asked places, against a plain reference."""

import numpy as np
import pytest

from gpu.bank.errors import PageOwnershipError
from gpu.bank.pages import PagePool
from gpu.bank.segment import Segment
from gpu.ops.place_scan.op import place_scan
from gpu.ops.place_scan.reference import place_rows
from tests.fixtures.bank_records import random_batch


@pytest.mark.parametrize("n", [0, 1, 7, 63, 1000, 1023])
@pytest.mark.parametrize("q", [0, 1, 4])
def test_place_scan(n: int, q: int) -> None:
    rng = np.random.default_rng(n + q)
    batch = random_batch(rng, list(range(n)))
    segment = Segment(PagePool(), 8)
    segment.append(batch)
    ids = rng.choice(np.arange(1, 25), q, replace=False).astype(np.uint64)
    eligible = rng.integers(0, 2, n).astype(np.uint8)
    slots, which = place_scan(segment.snapshot(5), ids, eligible)
    assert slots.tolist() == sorted(slots.tolist())
    found = list(zip(slots.tolist(), which.tolist(), strict=True))
    assert len(found) == len(set(found))
    assert set(found) == place_rows(batch, ids, eligible.astype(bool))


def test_place_scan_reads_no_page_of_somebody_else() -> None:
    segment = Segment(PagePool(), 8)
    segment.append(random_batch(np.random.default_rng(0), list(range(50))))
    segment.places.table.pages[-1].header[1] += 1
    with pytest.raises(PageOwnershipError):
        place_scan(segment.snapshot(5), np.ones(1, np.uint64), np.ones(50, np.uint8))


def test_place_scan_wants_a_row_of_ids() -> None:
    with pytest.raises(ValueError, match="ids"):
        place_scan(Segment(PagePool(), 8).snapshot(5), np.ones((1, 1), np.uint64), np.ones(0, np.uint8))
