"""Vectors below half precision in the bank: what comes in, what scans say of them, and what readers get back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpu.bank.bank import Bank
from gpu.bank.coding import coded, codes_of, decoded, encoded
from gpu.bank.errors import DimensionError
from gpu.bank.filters import ScanFilter
from gpu.bank.fingerprints import fingerprints
from gpu.bank.layouts import TIERS, Tier, row_words
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.proposed import best_among
from gpu.bank.records import RecordBatch
from gpu.large.scans import nearest_of_all
from gpu.ops.coded_scan.op import coded_of, coded_scan
from gpu.ops.coded_scan.reference import coded_rows
from tests.fixtures.bank_records import random_batch

Array = np.ndarray[Any, Any]


def mixed(rng: np.random.Generator, n: int, dim: int) -> tuple[RecordBatch, RecordBatch, Array]:
    """The same memories exact and in three tiers, all of them active and within their time."""
    batch = random_batch(rng, list(range(n)), dim=dim)
    batch = replace(batch, states=np.zeros(n, np.uint8))
    tiers = rng.integers(0, len(TIERS), n).astype(np.uint8)
    return batch, coded(batch, tiers), tiers


def bank_of(*batches: RecordBatch, dim: int) -> NamespaceBank:
    bank = NamespaceBank(PagePool(), dim)
    for batch in batches:
        bank.put(batch)
    return bank


def vector(rng: np.random.Generator, dim: int) -> Array:
    found = rng.standard_normal(dim).astype(np.float32)
    return found / np.float32(np.linalg.norm(found))


@pytest.mark.parametrize("dim", [1, 2, 7, 16, 33, 384])
@pytest.mark.parametrize("n", [1, 3, 130])
def test_the_kernel_means_what_the_reference_says(n: int, dim: int) -> None:
    rng = np.random.default_rng(n * 1000 + dim)
    _, held, tiers = mixed(rng, n, dim)
    query = vector(rng, dim)
    words = [held.codes[held.code_offsets[i] : held.code_offsets[i + 1]] for i in range(n)]
    expected = coded_rows(words, tiers.tolist(), query)
    with bank_of(held, dim=dim).pinned() as seen:
        scores = coded_of(seen.current_rows, query, np.arange(n))
        np.testing.assert_allclose(scores, expected, atol=1e-4)
        shuffled = rng.integers(0, n, 2 * n)
        np.testing.assert_array_equal(coded_of(seen.current_rows, query, shuffled), scores[shuffled])
        eligible = rng.integers(0, 2, n).astype(np.uint8)
        out = np.full(n, -7.0, np.float32)
        coded_scan(seen.current_rows, query, eligible, out)
        written = (eligible > 0) & np.isfinite(scores)
        np.testing.assert_array_equal(out[written], scores[written])
        assert (out[~written] == -7).all()
        with pytest.raises(DimensionError):
            coded_of(seen.current_rows, np.ones(dim + 1, np.float32), np.arange(n))


def test_scores_are_near_to_the_exact_ones_and_below_them_as_a_rule() -> None:
    rng = np.random.default_rng(5)
    batch, held, tiers = mixed(rng, 400, 384)
    query = vector(rng, 384)
    with bank_of(batch, dim=384).view(ScanFilter()) as exact, bank_of(held, dim=384).view(ScanFilter()) as view:
        wanted, found = exact.dense(query), view.dense(query)
        there = np.isfinite(wanted)
        assert np.array_equal(there, np.isfinite(found))
        apart, kinds = found[there] - wanted[there], tiers[there]
        np.testing.assert_array_equal(apart[kinds == 0], 0)
        for number, error in ((1, 4e-4), (2, 5.5e-3)):
            # One standard error is taken off.
            assert abs(apart[kinds == number].mean() + error) < error / 2
            assert np.abs(apart[kinds == number]).max() < 6 * error
        some = np.arange(0, 400, 3)
    with bank_of(held, dim=384).view(ScanFilter()) as view:
        np.testing.assert_array_equal(view.dense_of(query, some), found[some])


def test_readers_get_vectors_back() -> None:
    rng = np.random.default_rng(6)
    batch, held, tiers = mixed(rng, 60, 384)
    with bank_of(held, dim=384).view(ScanFilter()) as view:
        slots = rng.permutation(60)[:40]
        columns, offsets = view.ranges("vectors", slots)
        for i, slot in enumerate(slots.tolist()):
            rows = columns["vectors"][offsets[i] : offsets[i + 1]].astype(np.float32)
            exact = batch.vectors[batch.view_offsets[slot] : batch.view_offsets[slot + 1]].astype(np.float32)
            assert rows.shape == exact.shape
            apart = np.linalg.norm(rows - exact, axis=1)
            assert (apart <= (0.0, 0.012, 0.15)[tiers[slot]]).all()


def test_a_code_depends_on_its_own_vector_alone() -> None:
    rng = np.random.default_rng(7)
    rows = np.stack([vector(rng, 384) for _ in range(1_100)]).astype(np.float16)
    for tier in (Tier.INT8, Tier.INT4):
        together = encoded(rows, tier)
        for i in (0, 1, 37, 1_023, 1_024, 1_099):
            np.testing.assert_array_equal(together[i : i + 1], encoded(rows[i : i + 1], tier))
        assert together.shape == (1_100, row_words(tier, 384))
        codes = codes_of(together, tier, 384)
        assert len(codes) == 1_100
        assert (np.einsum("ij,ij->i", decoded(together, tier, 384), rows.astype(np.float32)) > 0.98).all()


def test_a_tier_changes_by_a_put_and_the_bytes_go_with_the_compaction() -> None:
    rng = np.random.default_rng(8)
    dim, n = 384, 200
    batch = replace(random_batch(rng, list(range(n)), dim=dim), states=np.zeros(n, np.uint8))
    bank = bank_of(batch, dim=dim)
    exact = set(fingerprints(batch))
    assert set(bank.fingerprints()) == exact
    before = bank.vector_bytes()
    for number in (1, 2):
        held = coded(batch, np.full(n, number, np.uint8))
        bank.put(held)
        assert set(bank.fingerprints()) == set(fingerprints(held))
        after = bank.vector_bytes()
        assert after[Tier.FP16] == 0
        assert after[TIERS[number]] < before[Tier.FP16] * (0.52, 0.27)[number - 1]
        assert len(bank) == n
    bank.compact()
    assert set(bank.fingerprints()) == set(fingerprints(held))
    bank.put(batch)
    assert set(bank.fingerprints()) == exact
    assert bank.vector_bytes() == before


def test_erased_codes_are_gone_at_once() -> None:
    rng = np.random.default_rng(9)
    batch, held, tiers = mixed(rng, 40, 16)
    bank = bank_of(held, dim=16)
    target = int(np.flatnonzero((tiers == 2) & (np.diff(batch.view_offsets) > 0))[0])
    raw = held.codes[held.code_offsets[target] : held.code_offsets[target + 1]].tobytes()
    query = vector(rng, 16)
    with bank.view(ScanFilter()) as view:
        assert view.dense_of(query, np.array([target]))[0] > -np.inf
        bank.erase(batch.memory_ids[target : target + 1])
        assert view.dense_of(query, np.array([target]))[0] == -np.inf
        assert view.ranges("vectors", np.array([target]))[1].tolist() == [0, 0]
    with bank.pinned() as seen:
        assert all(raw not in page.buffer.tobytes() for page in seen.current_rows.coded.pages)


def test_a_batch_is_encoded_once() -> None:
    _, held, tiers = mixed(np.random.default_rng(10), 20, 8)
    with pytest.raises(ValueError, match="once"):
        coded(held, tiers)


def test_what_finds_the_nearest_without_codes_is_helped() -> None:
    """An index or a device knows the exact rows alone."""
    rng = np.random.default_rng(11)
    _, held, _ = mixed(rng, 300, 64)

    class ExactRowsAlone:
        def search(self, view: Any, vector: Array, limit: int) -> Any:
            (segment, _, mask) = next(iter(view.segments()))
            return best_among(view, vector, limit, nearest_of_all(segment, vector, mask, limit), 100)

        def memory_bytes(self) -> int:
            return 0

        def close(self) -> None: ...

    bank = Bank().open("a", 64)
    bank.put(held)
    query = vector(rng, 64)
    with bank.view(ScanFilter()) as view:
        wanted = view.nearest(query, 20)
    bank.nearest = ExactRowsAlone()
    with bank.view(ScanFilter()) as view:
        found = view.nearest(query, 20)
    np.testing.assert_array_equal(found.slots, wanted.slots)
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-6)
