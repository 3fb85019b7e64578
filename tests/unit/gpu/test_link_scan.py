"""The link scan against its plain reference."""

from dataclasses import replace

import numpy as np
import pytest

from gpu.bank.errors import PageOwnershipError
from gpu.bank.records import RecordBatch
from gpu.ops.link_scan.op import link_scan
from gpu.ops.link_scan.reference import link_rows
from tests.fixtures.bank_records import memory_id, offsets_of, random_batch
from tests.unit.gpu.test_bank_ops import poisoned_segment


def linked_batch(n: int, others: int = 40) -> RecordBatch:
    rng = np.random.default_rng(n)
    counts = rng.integers(0, 4, n)
    to = rng.integers(0, others, int(counts.sum()))
    return replace(
        random_batch(rng, list(range(n))),
        link_targets=np.frombuffer(b"".join(memory_id(i) for i in to.tolist()), np.uint8).reshape(-1, 16).copy(),
        link_relations=rng.integers(0, 5, to.size).astype(np.uint8),
        link_offsets=offsets_of(counts),
    )


@pytest.mark.parametrize("n", [0, 1, 7, 63, 1000, 1023])
def test_the_scan_finds_what_the_reference_finds(n: int) -> None:
    batch = linked_batch(n)
    wanted = [memory_id(i) for i in (0, 3, 17, 39, 1000)]
    targets = np.frombuffer(b"".join(wanted), np.uint8).reshape(-1, 16)
    eligible = (np.random.default_rng(n + 1).random(n) < 0.7).astype(np.uint8)
    slots, which, relations = link_scan(poisoned_segment(batch, 8).snapshot(5), targets, eligible)
    expected = link_rows(batch, wanted, eligible.astype(bool))
    assert sorted(zip(slots.tolist(), which.tolist(), relations.tolist(), strict=True)) == expected
    assert (np.diff(slots) >= 0).all()
    assert n < 63 or expected


def test_ids_that_share_a_half_are_told_apart() -> None:
    batch = linked_batch(1)
    first, other = bytes(8) + b"12345678", b"abcdefgh" + b"12345678"
    batch = replace(
        batch,
        link_targets=np.frombuffer(other, np.uint8).reshape(1, 16),
        link_relations=np.zeros(1, np.uint8),
        link_offsets=np.array([0, 1]),
    )
    segment = poisoned_segment(batch, 8)
    for wanted, found in ((first, []), (other, [0])):
        targets = np.frombuffer(wanted, np.uint8).reshape(1, 16)
        assert link_scan(segment.snapshot(5), targets, np.ones(1, np.uint8))[0].tolist() == found


def test_what_does_not_fit_is_refused() -> None:
    segment = poisoned_segment(linked_batch(50), 8)
    taken, eligible = segment.snapshot(5), np.ones(50, np.uint8)
    with pytest.raises(ValueError, match="16"):
        link_scan(taken, np.zeros((1, 8), np.uint8), eligible)
    assert link_scan(taken, np.zeros((0, 16), np.uint8), eligible)[0].size == 0
    segment.links.table.pages[0].header[0] += 1
    with pytest.raises(PageOwnershipError):
        link_scan(taken, np.zeros((1, 16), np.uint8), eligible)
