"""What greedy chooses, against every choice there is."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.packing import selection
from retrieval.packing.selection import GUARANTEE, GUARANTEE_FEW, Objective, select
from tests.fixtures.extent import rounds

Case = tuple[Objective, np.ndarray, int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Up to 9 candidates with any relevances, likenesses and costs."""
    n = draw(st.integers(0, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    upper = np.triu(rng.random((n, n)) ** draw(st.sampled_from((1, 4))) * (rng.random((n, n)) < 0.7), 1)
    likeness = upper + upper.T + np.eye(n)
    relevance = rng.random(n) ** draw(st.sampled_from((1, 5))) * draw(st.sampled_from((0.0, 1.0, 7.0)))
    costs = rng.integers(1, draw(st.sampled_from((2, 10, 100))), n)
    coverage = draw(st.sampled_from((0.0, 0.5, 1.0)))
    return Objective.of(relevance, likeness, coverage), costs, draw(st.integers(0, 250))


def optimum(objective: Objective, costs: np.ndarray, budget: int) -> float:
    n = costs.size
    within = (s for k in range(n + 1) for s in combinations(range(n), k) if costs[list(s)].sum() <= budget)
    return max(objective.value(s) for s in within)


@settings(max_examples=rounds(80, 1_000))
@given(cases())
def test_the_choice_keeps_its_guarantee_and_its_certificate(case: Case) -> None:
    objective, costs, budget = case
    chosen = select(objective, costs, budget)
    best = optimum(objective, costs, budget)
    assert len(set(chosen.chosen)) == len(chosen.chosen)
    assert costs[list(chosen.chosen)].sum() <= budget
    assert chosen.value == pytest.approx(objective.value(chosen.chosen))
    assert chosen.guarantee >= GUARANTEE_FEW
    assert chosen.value >= GUARANTEE_FEW * best - 1e-9
    assert chosen.value - 1e-9 <= best <= chosen.bound + 1e-9


@settings(max_examples=rounds(80, 1_000))
@given(cases())
def test_one_run_alone_keeps_the_lesser_guarantee(case: Case) -> None:
    objective, costs, budget = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "FEW", -1)
        chosen = select(objective, costs, budget)
    best = optimum(objective, costs, budget)
    assert chosen.value >= GUARANTEE * best - 1e-9
    assert best <= chosen.bound + 1e-9


def test_the_best_single_candidate_is_not_missed() -> None:
    """Where greed by value for cost is as bad as it gets: a crumb first, then no room for the loaf."""
    objective = Objective(np.array([0.02, 0.98]), np.eye(2), 0.0)
    chosen = select(objective, np.array([1, 100]), 100)
    assert chosen.chosen == (1,)
    assert chosen.value == pytest.approx(0.98)


@settings(max_examples=rounds(60, 1_000))
@given(cases(), st.data())
def test_the_objective_is_monotone_and_submodular(case: Case, data: st.DataObject) -> None:
    objective, costs, _ = case
    if not costs.size:
        return
    places = st.integers(0, costs.size - 1)
    small = data.draw(st.sets(places))
    large = small | data.draw(st.sets(places))
    extra = data.draw(places)
    values = [objective.value(sorted(s)) for s in (small, small | {extra}, large, large | {extra})]
    assert values[0] <= values[2] + 1e-12
    assert values[1] - values[0] >= values[3] - values[2] - 1e-12
    assert -1e-12 <= min(values) <= max(values) <= 1 + 1e-9
    if large:
        covered = objective.likeness[sorted(large)].max(axis=0)
        gain = objective.gains(covered)[extra] if extra not in large else 0.0
        assert gain == pytest.approx(values[3] - values[2])
