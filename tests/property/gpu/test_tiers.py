"""Rotation, codecs, kernels and ranking of the precision tiers, on sizes that nobody chose."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpu.bank.errors import DimensionError
from gpu.bank.layouts import Tier
from gpu.tiers import packing
from gpu.tiers.codecs import decode, dot, encode, row_bytes, step_down, unit
from gpu.tiers.fisher_rao import squared_distance
from gpu.tiers.ranking import estimates, exact_first
from gpu.tiers.rotation import LARGEST_DIM, Rotation
from gpu.tiers.scores import tier_scores

dims = st.one_of(st.integers(1, 40), st.sampled_from([63, 64, 65, 127, 255, 257, 384, 511, 768]))
seeds = st.integers(0, 2**32 - 1)
tiers = st.sampled_from(list(Tier))


def unit_rows(seed: int, n: int, dim: int) -> NDArray[np.float32]:
    return unit(np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32))


@settings(max_examples=40)
@given(dims)
def test_the_rotation_is_orthogonal(dim: int) -> None:
    matrix = Rotation(dim).matrix().astype(np.float64)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(dim), atol=1e-5)


@pytest.mark.parametrize("dim", [1023, 1025, 4095, LARGEST_DIM])
def test_the_rotation_is_orthogonal_where_it_is_large(dim: int) -> None:
    rows = Rotation(dim).turn(np.eye(dim, dtype=np.float32)[::17])
    np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-5)


@settings(max_examples=60)
@given(dims, st.integers(0, 5), seeds)
def test_turning_keeps_dot_products_and_can_be_undone(dim: int, n: int, seed: int) -> None:
    turned, rows = Rotation(dim), unit_rows(seed, n, dim)
    query = unit_rows(seed + 1, 1, dim)[0]
    out = turned.turn(rows)
    np.testing.assert_allclose(out @ turned.turn(query), rows @ query, atol=1e-5)
    np.testing.assert_allclose(turned.turn_back(out), rows, atol=1e-5)
    np.testing.assert_array_equal(out, turned.turn_reference(rows))


@settings(max_examples=30)
@given(st.integers(64, 700), seeds)
def test_energy_is_spread_whatever_the_vector_was(dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    axes = np.eye(dim, dtype=np.float32)[rng.integers(0, dim, 8)]
    few = unit(axes[:4] + axes[4:])
    even = np.full((1, dim), dim**-0.5, np.float32)
    falling = unit((rng.normal(size=(4, dim)) / np.arange(1, dim + 1)).astype(np.float32))
    out = Rotation(dim).turn(np.concatenate([axes, few, even, falling])).astype(np.float64)
    # A row with one coordinate has a kurtosis of dim, a Gaussian one of 3, few of its coordinates scatter around that
    # (up to 7.7 in 65,000 rows); the largest of dim is near sqrt(2 log dim) standard deviations.
    assert (dim * (out**4).sum(axis=1) < 9).all()
    assert (np.abs(out).max(axis=1) * dim**0.5 < 6.5).all()


@given(dims, st.integers(0, 4), seeds, tiers)
def test_a_code_has_its_size_its_measured_error_and_its_kind_of_scale(dim: int, n: int, seed: int, tier: Tier) -> None:
    rows = unit_rows(seed, n, dim)
    codes = encode(rows, tier)
    assert codes.values.shape[0] == codes.scales.shape[0] == codes.errors.shape[0] == len(codes) == n
    assert codes.values.nbytes == n * row_bytes(tier, dim)
    assert codes.scales.dtype == codes.errors.dtype == np.float32
    wide, decoded = rows.astype(np.float64), decode(codes).astype(np.float64)
    np.testing.assert_allclose(np.square(wide - decoded).sum(axis=1), codes.errors, rtol=1e-4, atol=1e-7)
    if tier is Tier.BIT1:  # no bias
        np.testing.assert_allclose((wide * decoded).sum(axis=1), np.ones(n), atol=1e-5)
    elif tier is not Tier.FP16:  # least squares: the residual is orthogonal to what was kept
        np.testing.assert_allclose(((wide - decoded) * decoded).sum(axis=1), np.zeros(n), atol=1e-6)


@given(dims, seeds)
def test_a_coarser_tier_loses_more_than_a_finer_one_and_no_more_than_it_may(dim: int, seed: int) -> None:
    rows = unit_rows(seed, 3, dim)
    errors = {tier: encode(rows, tier).errors for tier in Tier}
    assert (errors[Tier.FP16] <= 2.0**-22).all()
    # The largest coordinate sets the step at worst: half a step in each coordinate.
    largest = np.square(np.abs(rows).max(axis=1)) * dim
    assert (errors[Tier.INT8] <= largest / 254**2 + 1e-7).all()
    assert (errors[Tier.INT4] <= largest / 15**2 + 1e-7).all()
    sums = np.abs(rows.astype(np.float64)).sum(axis=1)
    np.testing.assert_allclose(errors[Tier.BIT1], dim / sums**2 - 1, rtol=1e-3, atol=1e-5)


@given(st.integers(1, 40), st.integers(0, 4), seeds)
def test_packing_can_be_undone(dim: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    nibbles = rng.integers(0, 16, (n, dim), dtype=np.uint8)
    np.testing.assert_array_equal(packing.unpack_nibbles(packing.pack_nibbles(nibbles), dim), nibbles)
    bits = rng.integers(0, 2, (n, dim), dtype=np.uint8)
    np.testing.assert_array_equal(packing.unpack_bits(packing.pack_bits(bits.astype(np.bool_)), dim), bits)
    query = rng.normal(size=dim).astype(np.float32)
    spread = packing.spread(query, 1)
    np.testing.assert_array_equal(spread.T.ravel()[:dim], query)
    assert not spread.T.ravel()[dim:].any()


@given(dims, st.integers(0, 6), seeds, tiers)
def test_the_kernels_say_what_the_reference_says(dim: int, n: int, seed: int, tier: Tier) -> None:
    codes, query = encode(unit_rows(seed, n, dim), tier), unit_rows(seed + 1, 1, dim)[0]
    found = tier_scores(query, codes)
    assert found.dtype == np.float32
    assert found.shape == (n,)
    rounding = float(np.abs(query).max()) * dim**0.5 / 65534 if tier is Tier.INT4 else 0.0
    np.testing.assert_allclose(found, dot(query, codes), atol=1e-6 + 1.1 * rounding)


@settings(max_examples=40)
@given(st.integers(1, 70), st.sampled_from([0.0, 1e-30, 1e-3, 1.0, 1e4]), tiers)
def test_the_kernels_bear_extreme_codes_and_queries(dim: int, size: float, tier: Tier) -> None:
    ones = np.ones((1, dim), np.float32)
    rows = np.concatenate([ones, -ones, 0 * ones, np.eye(dim, dtype=np.float32)[:1], -ones])
    codes, query = encode(rows, tier), np.full(dim, size, np.float32)
    found, exact = tier_scores(query, codes), dot(query, codes)
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=2e-4 * size * dim)
    assert found[1] == found[4]  # equal codes tie
    assert found[2] == 0.0


@pytest.mark.parametrize("tier", list(Tier))
def test_sums_do_not_overflow_at_the_largest_dimension(tier: Tier) -> None:
    rows = np.full((2, LARGEST_DIM), LARGEST_DIM**-0.5, np.float32)
    rows[1] *= -1
    codes = encode(rows, tier)
    np.testing.assert_allclose(tier_scores(rows[0], codes), [1.0, -1.0], atol=2e-4)


@settings(max_examples=40)
@given(st.integers(8, 400), seeds)
def test_one_bit_by_way_of_eight_is_one_bit_at_once(dim: int, seed: int) -> None:
    rows = unit_rows(seed, 5, dim)
    eight = encode(rows, Tier.INT8)
    at_once, by_steps = encode(encode_half(rows), Tier.BIT1), step_down(eight, Tier.BIT1)
    # A sign can differ only where eight bits rounded the coordinate to nothing.
    signs = packing.unpack_bits(at_once.values, dim) != packing.unpack_bits(by_steps.values, dim)
    assert (np.abs(rows[signs]) <= np.broadcast_to(0.51 * eight.scales[:, None], rows.shape)[signs]).all()
    np.testing.assert_allclose(by_steps.scales, at_once.scales, rtol=3 * float(np.sqrt(eight.errors.max())) + 1e-3)
    # What a row says that it lost is never less than what it did lose.
    assert (np.square(rows - decode(by_steps)).sum(axis=1) <= by_steps.errors * (1 + 1e-4)).all()


@settings(max_examples=40)
@given(st.integers(2, 300), seeds)
def test_every_way_down_says_no_less_than_it_lost(dim: int, seed: int) -> None:
    rows = unit_rows(seed, 3, dim)
    codes = encode(rows, Tier.FP16)
    for tier in (Tier.INT8, Tier.INT4, Tier.BIT1):
        codes = step_down(codes, tier)
        assert codes.tier is tier
        assert (np.square(rows - decode(codes)).sum(axis=1) <= codes.errors * (1 + 1e-4) + 1e-6).all()


@settings(max_examples=30)
@given(st.integers(48, 400), seeds, st.sampled_from([Tier.INT8, Tier.INT4, Tier.BIT1]))
def test_estimates_are_off_by_what_they_say(dim: int, seed: int, tier: Tier) -> None:
    rows, queries = unit_rows(seed, 400, dim), unit_rows(seed + 1, 8, dim)
    codes = encode(rows, tier)
    off = []
    for query in queries:
        found = estimates(tier_scores(query, codes), codes.errors, tier, dim)
        off.append((found.values - rows @ query) / found.standard_errors)
    # 3,200 deviates, not quite independent: the spread of a normal sample of a tenth of them.
    assert abs(np.concatenate(off).mean()) < 0.25
    assert 0.85 < np.concatenate(off).std() < 1.15


@settings(max_examples=30)
@given(st.integers(32, 300), seeds, st.sampled_from([Tier.INT8, Tier.INT4, Tier.BIT1]))
def test_an_exact_copy_comes_first_and_no_row_is_lost(dim: int, seed: int, tier: Tier) -> None:
    rng = np.random.default_rng(seed)
    rows = unit_rows(seed, 6, dim)
    exact, coarse = encode(rows, Tier.FP16), encode(rows, tier)
    decoded = np.concatenate([decode(exact), decode(coarse)])
    lost = np.concatenate([exact.errors, coarse.errors])
    given_order = rng.permutation(12)
    order = given_order[exact_first(decoded[given_order], lost[given_order])]
    assert sorted(order) == list(range(12))
    places = np.argsort(order)
    assert (places[:6] < places[6:]).all()
    # A memory stands as high as its better copy stood.
    before = np.argsort(given_order)
    assert (places[:6] <= np.minimum(before[:6], before[6:]) + 6).all()


def geodesic(start: list[float], speed: list[float], steps: int = 600) -> tuple[float, float, float]:
    """Where a geodesic of ds^2 = (dmu^2 + 2 dsigma^2) / sigma^2 ends at time 1, and the length that was integrated.

    Runge-Kutta of the fourth order on the geodesic equations, from the Christoffel symbols of the metric: it knows
    nothing of a half-plane or of a closed form.
    """

    def change(at: NDArray[np.float64]) -> NDArray[np.float64]:
        _, sigma, dmu, dsigma, _ = at
        rate = np.sqrt(dmu**2 + 2 * dsigma**2) / sigma
        return np.array([dmu, dsigma, 2 * dmu * dsigma / sigma, (dsigma**2 - dmu**2 / 2) / sigma, rate])

    at, h = np.array([*start, *speed, 0.0]), 1 / steps
    for _ in range(steps):
        a = change(at)
        b = change(at + h / 2 * a)
        c = change(at + h / 2 * b)
        d = change(at + h * c)
        at = at + h / 6 * (a + 2 * b + 2 * c + d)
    return float(at[0]), float(at[1]), float(at[4])


@settings(max_examples=60)
@given(st.floats(-2, 2), st.floats(0.05, 3), st.floats(-3, 3), st.floats(-3, 3))
def test_fisher_rao_is_the_length_of_the_geodesic(mu: float, sigma: float, dmu: float, dsigma: float) -> None:
    end, end_sigma, length = geodesic([mu, sigma], [dmu * sigma, dsigma * sigma])
    found = float(np.sqrt(squared_distance([mu], [sigma], [end], [end_sigma])))
    assert found == pytest.approx(length, abs=1e-6, rel=1e-6)


@given(st.integers(1, 9), seeds)
def test_squares_add_up_over_coordinates_and_sides_may_be_swapped(dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mu, other = rng.normal(size=(2, dim))
    sigma, other_sigma = rng.uniform(0.1, 2, (2, dim))
    whole = squared_distance(mu, sigma, other, other_sigma)
    parts = [
        squared_distance(mu[j : j + 1], sigma[j : j + 1], other[j : j + 1], other_sigma[j : j + 1]) for j in range(dim)
    ]
    assert whole == pytest.approx(sum(map(float, parts)))
    assert whole == pytest.approx(float(squared_distance(other, other_sigma, mu, sigma)))
    assert squared_distance(mu, sigma, mu, sigma) == 0.0


def device() -> tuple[Any, Any]:
    """torch and the device kernels, interpreted on the CPU; skips where a package is missing."""
    os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported
    torch = pytest.importorskip("torch", reason="torch is not installed")
    triton = pytest.importorskip("triton", reason="triton is not installed")
    from gpu.tiers import triton_kernel

    if not type(triton.language.sum).__name__ == type(triton_kernel.dot_int8).__name__ == "InterpretedFunction":
        pytest.skip("triton was imported as a compiler earlier in this process")
    return torch, triton_kernel


def test_the_device_refuses_what_does_not_fit() -> None:
    torch, kernels = device()
    codes, scales, queries = torch.zeros((3, 5), dtype=torch.uint8), torch.ones(3), torch.ones((1, 9))
    assert kernels.device_scores(codes, scales, queries, Tier.INT4).shape == (1, 3)
    for bad in (torch.ones((1, 11)), torch.ones(9)):
        with pytest.raises(DimensionError):
            kernels.device_scores(codes, scales, bad, Tier.INT4)
    with pytest.raises(DimensionError):
        kernels.device_scores(codes, torch.ones(2), queries, Tier.INT4)
    for of, tier in ((codes, Tier.FP16), (codes, Tier.INT8), (codes.float(), Tier.BIT1), (codes[:, ::2], Tier.BIT1)):
        with pytest.raises(ValueError, match=r"tier|contiguous"):
            kernels.device_scores(of, scales, queries, tier)


def test_the_device_takes_half_precision_queries_and_rows_without_scale() -> None:
    torch, kernels = device()
    codes, queries = encode(unit_rows(1, 9, 32), Tier.INT4), unit_rows(2, 3, 32)
    scales = np.zeros(9, np.float32)
    scales[[0, 4]] = codes.scales[[0, 4]]
    halves = torch.from_numpy(queries).to(torch.float16)
    found = kernels.device_scores(torch.from_numpy(codes.values), torch.from_numpy(scales), halves, Tier.INT4).numpy()
    expected = dot(halves.numpy().astype(np.float32), codes) * (scales > 0)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@settings(max_examples=25)
@given(st.one_of(st.integers(1, 40), st.just(384)), st.integers(0, 70), st.sampled_from([1, 2, 3, 9]), seeds)
def test_the_device_kernels_say_what_the_reference_says(dim: int, n: int, b: int, seed: int) -> None:
    torch, kernels = device()
    queries = unit_rows(seed + 1, b, dim)
    for tier in (Tier.INT8, Tier.INT4, Tier.BIT1):
        codes = encode(unit_rows(seed, n, dim), tier)
        found = kernels.device_scores(
            torch.from_numpy(codes.values), torch.from_numpy(codes.scales), torch.from_numpy(queries), tier
        )
        np.testing.assert_allclose(found.numpy(), dot(queries, codes), atol=1e-6)


def encode_half(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return unit(decode(encode(rows, Tier.FP16)))
