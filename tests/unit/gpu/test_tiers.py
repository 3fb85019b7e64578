"""Precision tiers: what is refused, what must never change, and the two-sided check of a store with mixed tiers."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu.bank.errors import DimensionError
from gpu.bank.layouts import Tier
from gpu.tiers.codecs import Codes, decode, dot, encode, row_bytes, step_down, unit
from gpu.tiers.fisher_rao import squared_distance, with_measured_error
from gpu.tiers.ranking import estimates, exact_first
from gpu.tiers.rotation import LARGEST_DIM, Rotation, rotation
from gpu.tiers.scores import tier_scores

DIM = 96
ROTATIONS = {
    1: "c68830a25204a09f8e77aada6bc5807f607cccaaa0ebb2a7122d317584478a8b",
    7: "4fc955c662ee35ba207dac2235f73521229caca178e874ee6c8a619e6b72e47b",
    384: "c0c7994d00a9beaf376e19eed6194befe7ccdf13a6c6010b8340ca6077cd289e",
    768: "f99842d649ffb2b0d1fda899ab09ab8ff10a1ce2d7d044ba01100efa27daf548",
}
CODES = {
    Tier.FP16: "40a4a0a78cb080aa",
    Tier.INT8: "f7f0b2e406f6cf78",
    Tier.INT4: "776378f566145fa6",
    Tier.BIT1: "90901a2c",
}


def clustered(seed: int, n: int) -> NDArray[np.float32]:
    """Unit vectors in clusters, with a share that all have in common, as embeddings have."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(40, DIM)) + 0.5
    return unit((centres[rng.integers(0, 40, n)] + 0.7 * rng.normal(size=(n, DIM))).astype(np.float32))


class Mixed:
    """A store whose rows lie in a tier by lot."""

    def __init__(self, seed: int) -> None:
        rows = clustered(seed, 1_540)
        turned = rotation(DIM).turn(rows)
        self.rows, self.queries = turned[:1_500], turned[1_500:]
        self.tier_of = np.random.default_rng(seed).integers(0, len(Tier), len(self.rows))
        self.decoded = np.empty_like(self.rows)
        self.errors = np.empty(len(self.rows), np.float32)
        self.parts: list[tuple[NDArray[np.int64], Codes]] = []
        for k, tier in enumerate(Tier):
            own = np.flatnonzero(self.tier_of == k)
            codes = encode(self.rows[own], tier)
            self.decoded[own], self.errors[own] = decode(codes), codes.errors
            self.parts.append((own, codes))

    def scores(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        out = np.empty(len(self.rows), np.float32)
        for own, codes in self.parts:
            out[own] = estimates(tier_scores(query, codes), codes.errors, codes.tier, DIM).scores()
        return out

    def l2(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Minus L2 to decoded rows; at one bit to the nearest multiple of them, which favours L2."""
        scale = np.where(self.tier_of == 3, 1 / (1 + self.errors), 1).astype(np.float32)
        away: NDArray[np.float32] = np.square(self.decoded * scale[:, None] - query).sum(axis=1)
        return -away

    def recall(self, found: NDArray[np.floating], query: NDArray[np.float32]) -> float:
        true = np.argsort(-(self.rows @ query))[:10]
        return len(set(true) & set(np.argsort(-found)[:10])) / 10


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_mixed_store_is_ranked_no_worse_than_by_l2_of_decoded_rows(seed: int) -> None:
    store = Mixed(seed)
    ours = np.mean([store.recall(store.scores(query), query) for query in store.queries])
    by_l2 = np.mean([store.recall(store.l2(query), query) for query in store.queries])
    assert ours >= by_l2


def test_fisher_rao_ranks_as_l2_with_the_measured_error_and_is_useless_with_one_from_the_bits_alone() -> None:
    store = Mixed(4)
    bits = np.array([16, 8, 4, 1])[store.tier_of]
    inflated = 0.2 * np.sqrt(32 / bits)[:, None]
    measured, by_bits, by_l2 = [], [], []
    for query in store.queries[:12]:
        measured.append(store.recall(-with_measured_error(query, store.decoded, store.errors), query))
        by_bits.append(store.recall(-squared_distance(query, 0.2, store.decoded, inflated), query))
        by_l2.append(store.recall(-np.square(store.decoded - query).sum(axis=1), query))
    assert abs(np.mean(measured) - np.mean(by_l2)) < 0.05
    assert np.mean(by_bits) < 0.6 * np.mean(by_l2)


@pytest.mark.parametrize("tier", [Tier.INT8, Tier.INT4, Tier.BIT1])
def test_of_two_copies_the_exact_one_is_preferred(tier: Tier) -> None:
    store = Mixed(5)
    exact, coarse = encode(store.rows, Tier.FP16), encode(store.rows, tier)
    cautious: list[bool] = []
    certain: list[bool] = []
    for query in store.queries:
        best = np.argsort(-(store.rows @ query))[:10]
        parts = [codes[best] for codes in (exact, coarse)]
        scores = np.concatenate(
            [estimates(tier_scores(query, part), part.errors, part.tier, DIM).scores() for part in parts]
        )
        cautious.extend(scores[:10] > scores[10:])
        order = np.argsort(-scores)
        rows, errors = np.concatenate([decode(part) for part in parts]), np.concatenate([part.errors for part in parts])
        places = np.argsort(order[exact_first(rows[order], errors[order])])
        certain.extend(places[:10] < places[10:])
    assert np.mean(cautious) > 0.7  # a normal deviate is below 1 in 84 of 100 cases
    assert all(certain)


def test_exact_first_leaves_memories_that_differ_where_they_are() -> None:
    rows = rotation(DIM).turn(unit(np.random.default_rng(1).normal(size=(20, DIM)).astype(np.float32)))
    coarse, exact = encode(rows[:10], Tier.BIT1), encode(rows[10:], Tier.FP16)
    order = exact_first(np.concatenate([decode(coarse), decode(exact)]), np.concatenate([coarse.errors, exact.errors]))
    np.testing.assert_array_equal(order, np.arange(20))
    assert exact_first(np.empty((0, DIM), np.float32), np.empty(0, np.float32)).size == 0


def test_the_rotation_and_the_codes_are_the_same_bits_for_ever() -> None:
    # Stored codes mean nothing to another rotation: whoever sees this fail must not mend the test.
    digests = {
        dim: hashlib.sha256(Rotation(dim).matrix().astype("<f4").tobytes()).hexdigest() for dim in (1, 7, 384, 768)
    }
    assert digests == ROTATIONS
    rows = (np.arange(60, dtype=np.float32).reshape(2, 30) % 7 - 3) / 16
    turned = rotation(30).turn(rows)
    assert {tier: encode(turned, tier).values[0].tobytes().hex()[:16] for tier in Tier} == CODES


@pytest.mark.parametrize("dim", [0, -1, LARGEST_DIM + 1])
def test_a_dimension_without_a_rotation_is_refused(dim: int) -> None:
    with pytest.raises(ValueError, match="dimensions"):
        Rotation(dim)


def test_rows_of_another_dimension_are_not_turned() -> None:
    for rows in (np.ones(5, np.float32), np.ones((2, 5), np.float32), np.float32(1)):
        with pytest.raises(ValueError, match="shape"):
            rotation(4).turn(np.asarray(rows))


def test_halves_and_read_only_rows_are_turned_and_stay_as_they_were() -> None:
    rows = unit(np.arange(1, 9, dtype=np.float32).reshape(2, 4)).astype(np.float16)
    rows.flags.writeable = False
    before = rows.copy()
    np.testing.assert_array_equal(rotation(4).turn(rows), rotation(4).turn(rows.astype(np.float32)))
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize("rows", [np.ones(4), np.ones((2, 0)), np.full((1, 4), np.nan), np.full((1, 4), np.inf)])
def test_rows_without_meaning_are_not_encoded(tier: Tier, rows: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="rows must"):
        encode(rows.astype(np.float32), tier)


def test_what_no_half_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="half"):
        encode(np.full((1, 2), 1e6, np.float32), Tier.FP16)


@pytest.mark.parametrize("tier", list(Tier))
def test_a_row_of_zeros_stays_one(tier: Tier) -> None:
    codes = encode(np.zeros((2, 9), np.float32), tier)
    assert not decode(codes).any()
    assert not codes.errors.any()
    assert not tier_scores(np.ones(9, np.float32), codes).any()
    found = estimates(np.zeros(2), codes.errors, tier, 9)
    assert not found.scores().any()
    for lower in list(Tier)[list(Tier).index(tier) + 1 :]:
        assert not decode(step_down(codes, lower)).any()


def test_more_rows_than_a_block_are_encoded_as_each_alone() -> None:
    rows = unit(np.random.default_rng(3).normal(size=(1_030, 5)).astype(np.float32))
    for tier in Tier:
        codes = encode(rows, tier)
        np.testing.assert_array_equal(codes.values[1_020:], encode(rows[1_020:], tier).values)
        np.testing.assert_array_equal(codes[1_020:].scales, encode(rows[1_020:], tier).scales)


def test_bytes_of_a_row() -> None:
    assert [row_bytes(tier, 384) for tier in Tier] == [768, 384, 192, 48]
    assert [row_bytes(tier, 9) for tier in Tier] == [18, 9, 5, 2]


def test_nothing_steps_up_or_stays() -> None:
    codes = encode(np.ones((1, 4), np.float32) / 2, Tier.INT4)
    for tier in (Tier.FP16, Tier.INT8, Tier.INT4):
        with pytest.raises(ValueError, match="not coarser"):
            step_down(codes, tier)


def test_what_is_left_of_a_centre_steps_down_at_its_own_length() -> None:
    left = 0.3 * unit(np.random.default_rng(6).normal(size=(4, 64)).astype(np.float32))
    lower = step_down(encode(left, Tier.INT8), Tier.INT4, squares=np.full(4, 0.09, np.float32))
    np.testing.assert_allclose(decode(lower), left, atol=0.02)


@pytest.mark.parametrize("tier", list(Tier))
def test_a_query_that_does_not_fit_is_refused(tier: Tier) -> None:
    codes = encode(np.ones((2, 6), np.float32), tier)
    for query in (np.ones(5, np.float32), np.ones((1, 6), np.float32)):
        with pytest.raises(DimensionError):
            tier_scores(query, codes)
    with pytest.raises(DimensionError):
        dot(np.ones(5, np.float32), codes)
    with pytest.raises(ValueError, match="finite"):
        tier_scores(np.full(6, np.nan, np.float32), codes)


def test_an_estimate_of_one_dimension_has_no_error() -> None:
    codes = encode(np.array([[1.0], [-1.0]], np.float32), Tier.BIT1)
    found = estimates(tier_scores(np.ones(1, np.float32), codes), codes.errors, Tier.BIT1, 1)
    np.testing.assert_allclose(found.scores(3.0), [1.0, -1.0])


@pytest.mark.parametrize("sigma", [0.0, -1.0])
def test_a_gaussian_without_width_is_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        squared_distance([0.0], [1.0], [0.0], [sigma])
    with pytest.raises(ValueError, match="above 0"):
        with_measured_error(np.zeros(1, np.float32), np.zeros((1, 1), np.float32), np.zeros(1, np.float32), sigma)
