"""Measures against their definitions, written out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality import measures

names = st.integers(0, 40).map(str)


@given(found=st.lists(names, max_size=30, unique=True), gold=st.frozensets(names, min_size=1, max_size=12))
def test_a_ranking_is_measured_as_the_definitions_say(found: list[str], gold: frozenset[str]) -> None:
    of = measures.ranked(found, gold)
    gains = [1 / math.log2(rank + 1) for rank in range(1, 11)]
    dcg = sum(gains[at] for at, name in enumerate(found[:10]) if name in gold)
    assert of["ndcg@10"] == pytest.approx(dcg / sum(gains[: len(gold)]))
    for k in (5, 10, 20):
        assert of[f"recall@{k}"] == pytest.approx(len(gold.intersection(found[:k])) / len(gold))
    ranks = [rank for rank, name in enumerate(found, start=1) if name in gold]
    assert of["mrr"] == pytest.approx(1 / ranks[0] if ranks else 0.0)
    assert of["hit_all@10"] == float(gold <= set(found[:10]))
    assert set(of) == set(measures.NAMES)


def test_an_id_that_comes_twice_counts_once() -> None:
    assert measures.ranked(["a", "a", "b"], frozenset("ab")) == measures.ranked(["a", "b"], frozenset("ab"))


@pytest.mark.parametrize(
    ("found", "first"), [(["new", "old"], 1.0), (["old", "new"], 0.0), (["new"], 1.0), (["old"], 0.0), ([], 0.0)]
)
def test_the_current_memory_stands_above_the_outdated_one(found: list[str], first: float) -> None:
    assert measures.current_first(found, frozenset({"new"}), frozenset({"old"})) == first


def test_area_under_the_curve_counts_ties_half() -> None:
    assert measures.auroc([0.9, 0.5], [0.5, 0.1]) == pytest.approx(3.5 / 4)
    assert measures.auroc([], [0.1]) is None


def test_the_interval_holds_the_mean_and_is_the_same_each_time() -> None:
    losses = [0.0] * 50 + [0.5] * 50
    low, high = measures.interval(losses)
    assert low < 25.0 < high
    assert (low, high) == measures.interval(losses)
    assert measures.interval([0.25] * 9) == (25.0, 25.0)


def test_percentiles_take_the_rank() -> None:
    assert measures.percentiles([float(n) for n in range(100, 0, -1)]) == {"p50_ms": 51.0, "p95_ms": 96.0}
