"""Which memories are kept: within limits, never worse than guaranteed, and certified against all choices there are."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lifecycle.cells import CELL, cells, labels_of, likeness
from lifecycle.eviction import Kept, Utility, keep

ONE = np.ones(1)


def vectors(n: int, seed: int, dim: int = 16) -> NDArray[np.float16]:
    """Unit rows, some of them near others."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, dim))
    rows[n // 2 :] = rows[: n - n // 2] + 0.2 * random.normal(size=(n - n // 2, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def utility(n: int, seed: int, parts: int = 1) -> Utility:
    random, rows = np.random.default_rng(seed), vectors(n, seed)
    places = np.array_split(np.arange(n), parts)
    return Utility.of(random.random(n) ** 3, random.random(n), places, [likeness(rows[part]) for part in places])


def best_of_all(wanted: Utility, costs: NDArray[np.float64], limits: NDArray[np.float64], fixed: set[int]) -> float:
    n, best = len(wanted), 0.0
    for size in range(n + 1):
        for chosen in combinations(range(n), size):
            if fixed <= set(chosen) and (costs[list(chosen)].sum(axis=0) <= limits).all():
                kept = np.zeros(n, np.bool_)
                kept[list(chosen)] = True
                best = max(best, wanted.value(kept))
    return best


def check(
    found: Kept, wanted: Utility, costs: NDArray[np.float64], limits: NDArray[np.float64], fixed: set[int]
) -> None:
    assert (costs[found.kept].sum(axis=0) <= limits).all()
    assert set(np.flatnonzero(found.kept)) >= fixed
    assert found.value == pytest.approx(wanted.value(found.kept))
    best = best_of_all(wanted, costs, limits, fixed)
    assert found.value <= best + 1e-9
    assert best <= found.bound + 1e-9
    assert found.ratio >= found.guarantee - 1e-9


@given(st.integers(1, 9), st.integers(0, 9), st.integers(1, 3), st.integers(0, 10_000))
def test_a_number_of_memories(n: int, most: int, parts: int, seed: int) -> None:
    wanted, fixed = utility(n, seed, min(parts, n)), np.zeros(n, np.bool_)
    costs, limits = np.ones((n, 1)), np.array([float(most)])
    found = keep(wanted, costs, limits, fixed)
    check(found, wanted, costs, limits, set())
    assert found.guarantee == pytest.approx(1 - 1 / np.e)
    assert found.kept.sum() == min(n, most)


@given(st.integers(1, 9), st.integers(0, 10_000), st.booleans(), st.integers(0, 2))
def test_bytes_and_both(n: int, seed: int, is_both: bool, held: int) -> None:
    wanted, random = utility(n, seed), np.random.default_rng(seed + 1)
    costs = random.integers(1, 100, (n, 1)).astype(np.float64)
    limits = np.array([np.floor(costs.sum() * random.random())])
    if is_both:
        costs, limits = np.hstack([costs, np.ones((n, 1))]), np.append(limits, float(random.integers(0, n + 1)))
    fixed = np.zeros(n, np.bool_)
    fixed[random.permutation(n)[:held]] = True
    found = keep(wanted, costs, limits, fixed)
    if (costs[fixed].sum(axis=0) > limits).any():
        assert not found.is_within
        assert (found.kept == fixed).all()
        return
    check(found, wanted, costs, limits, set(np.flatnonzero(fixed).tolist()))


def test_one_large_memory_that_is_worth_more_than_what_is_dense() -> None:
    alone = np.full((1, 1), 255, np.uint8)
    wanted = Utility.of(np.array([0.02, 1.0]), np.array([0.02, 1.0]), [np.array([0]), np.array([1])], [alone, alone])
    costs = np.array([[1.0], [100.0]])
    found = keep(wanted, costs, np.array([100.0]), np.zeros(2, np.bool_))
    assert found.kept.tolist() == [False, True]
    assert found.ratio >= found.guarantee


def test_of_memories_that_say_the_same_one_stays() -> None:
    rows = np.eye(4, dtype=np.float16)[[0, 0, 0, 1, 2]]
    wanted = Utility.of(np.ones(5), np.ones(5), [np.arange(5)], [likeness(rows)])
    found = keep(wanted, np.ones((5, 1)), np.array([3.0]), np.zeros(5, np.bool_))
    assert found.kept.tolist() == [True, False, False, True, True]


def test_a_second_choice_from_what_was_kept_changes_nothing() -> None:
    wanted = utility(200, 3, 2)
    found = keep(wanted, np.ones((200, 1)), np.array([50.0]), np.zeros(200, np.bool_))
    again = keep(wanted, np.ones((200, 1)), np.array([50.0]), found.kept)
    assert (again.kept == found.kept).all()
    assert again.is_within


@pytest.mark.parametrize("n", [0, 1, CELL, 1000, 5000])
def test_cells_are_a_partition_into_small_parts(n: int) -> None:
    rows = vectors(max(n, 2), 5)[:n]
    found = cells(rows)
    assert sorted(np.concatenate(found).tolist() if found else []) == list(range(n))
    assert all(part.size <= CELL and (np.diff(part) > 0).all() for part in found)
    again = cells(rows)
    assert all((one == other).all() for one, other in zip(found, again, strict=True))
    labels = labels_of(found, n)
    assert all((labels[part] == number).all() for number, part in enumerate(found))


def test_equal_memories_fall_into_cells_too() -> None:
    rows = np.ones((1_000, 4), np.float16) / 2
    assert sum(part.size for part in cells(rows)) == 1_000


def test_costs_without_sense_are_refused() -> None:
    for costs in (np.ones((3, 0)), -np.ones((3, 1))):
        with pytest.raises(ValueError, match="limit"):
            keep(utility(3, 0), costs, ONE, np.zeros(3, np.bool_))
