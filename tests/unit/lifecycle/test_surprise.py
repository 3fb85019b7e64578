"""How unlike everything before it a memory is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lifecycle.surprise import PRIOR, NearestBefore, surprises
from tests.fixtures.growth import assert_linear


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def novelties(
    vectors: NDArray[np.float32], owners: NDArray[np.int64], asked: NDArray[np.int64], pages: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    own = np.isin(owners, asked)
    nearest = NearestBefore(vectors[own], np.searchsorted(asked, owners[own]), asked)
    for part in np.array_split(np.arange(owners.shape[0]), pages):
        nearest.see(vectors[part], owners[part])
    return nearest.novelties()


def by_definition(values: list[float]) -> list[float]:
    out = []
    for i, value in enumerate(values):
        before = values[:i]
        lower, equal = sum(v < value for v in before), sum(v == value for v in before)
        out.append(round((lower + equal / 2 + PRIOR / 2) / (i + PRIOR), 2))
    return out


@given(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]), max_size=60))
def test_a_surprise_is_the_place_among_those_before(values: list[float]) -> None:
    assert surprises(np.array(values)).tolist() == pytest.approx(by_definition(values), abs=0.0051)


def test_long_lists_are_worked_through_in_blocks() -> None:
    values = np.round(np.random.default_rng(1).random(3_000), 3)
    np.testing.assert_allclose(surprises(values), by_definition(values.tolist()), rtol=0, atol=0.0101)


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_what_comes_later_changes_nothing(seed: int, pages: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 20))
    owners = np.sort(np.concatenate([np.arange(n), rng.integers(0, n, 5)]))
    vectors = unit(rng.standard_normal((owners.shape[0], 4)))
    every = np.arange(n)
    found, nearest = novelties(vectors, owners, every, pages)
    for i in range(n):
        products = vectors[owners == i].astype(np.float64) @ vectors[owners < i].astype(np.float64).T
        assert found[i] == pytest.approx(1.0 if i == 0 else 1.0 - products.max(), abs=2e-6)
        assert nearest[i] < i
        assert nearest[i] >= 0 or i == 0
    k = int(rng.integers(1, n))
    fewer, _ = novelties(vectors[owners < k], owners[owners < k], every[:k], 1)
    np.testing.assert_array_equal(fewer, found[:k])
    some = np.sort(rng.choice(n, k, replace=False))
    np.testing.assert_array_equal(novelties(vectors, owners, some, pages)[0], found[some])
    np.testing.assert_array_equal(surprises(found[:k]), surprises(found)[:k])


def test_the_same_again_is_no_surprise_and_something_else_is() -> None:
    rng = np.random.default_rng(3)
    alike = unit(np.array([1.0, 0, 0, 0]) + 0.1 * rng.standard_normal((50, 4)))
    vectors = np.concatenate([alike, alike[:1], unit(np.array([[0.0, 0, 0, 1]]))])
    found = surprises(novelties(vectors, np.arange(52), np.arange(52), 3)[0])
    assert found[0] == 0.5
    assert found[50] < 0.1
    assert found[51] > 0.85


def test_the_time_grows_with_the_number() -> None:
    rng = np.random.default_rng(4)
    assert_linear(surprises, lambda n: rng.random(n), 10_000)
