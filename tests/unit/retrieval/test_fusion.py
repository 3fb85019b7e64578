"""Worked examples of both fusions, and the cases where a channel says nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.fusion import (
    FusionWeights,
    LearnedFusion,
    ReciprocalRanks,
    StandardisedScores,
    Weighing,
    standardised,
)
from retrieval.types import ChannelResult, QuestionType


def channel(scores: list[float], *, listed: int | None = None) -> ChannelResult:
    values = np.array(scores, dtype=np.float32)
    order = np.argsort(-values, kind="stable")[:listed].astype(np.int64)
    known = values[np.isfinite(values)]
    mean, std = (float(known.mean()), float(known.std())) if known.size else (0.0, 0.0)
    return ChannelResult(order, values[order], mean, std, lambda slots: values[slots])


def test_reciprocal_ranks_by_hand() -> None:
    ranking = ReciprocalRanks({"b": 2.0}).fuse(
        {"a": channel([3, 2, 1], listed=2), "b": channel([1, 3, 2], listed=2)}, 9
    )
    assert ranking.slots.tolist() == [1, 2, 0]
    assert ranking.scores.tolist() == pytest.approx([1 / 62 + 2 / 61, 2 / 62, 1 / 61])


def test_standardised_scores_by_hand() -> None:
    ranking = StandardisedScores({"b": 0.5}).fuse({"a": channel([1, 0, -1]), "b": channel([-2, 0, 2])}, 9)
    step = 1 / np.sqrt(2 / 3)
    assert ranking.slots.tolist() == [0, 1, 2]
    assert ranking.scores.tolist() == pytest.approx([step / 2, 0, -step / 2])


def test_a_memory_is_judged_by_a_channel_that_did_not_list_it() -> None:
    semantic = channel([0.9, 0.8, 0.1, 0.1], listed=1)
    keyword = channel([0.0, 5.0, 4.9, 0.0], listed=2)
    assert StandardisedScores().fuse({"semantic": semantic, "keyword": keyword}, 9).slots.tolist() == [1, 0, 2]


def test_a_channel_whose_scores_are_all_equal_says_nothing() -> None:
    flat, telling = channel([2, 2, 2]), channel([0, 1, 2])
    assert StandardisedScores().fuse({"flat": flat, "telling": telling}, 9).slots.tolist() == [2, 1, 0]
    assert StandardisedScores().fuse({"flat": flat}, 9).slots.tolist() == [0, 1, 2]


def test_one_memory_alone() -> None:
    ranking = StandardisedScores().fuse({"a": channel([0.7])}, 9)
    assert (ranking.slots.tolist(), ranking.scores.tolist()) == ([0], [0.0])


@pytest.mark.parametrize("fusion", [StandardisedScores(), ReciprocalRanks()])
def test_no_channels_no_hits(fusion: StandardisedScores | ReciprocalRanks) -> None:
    assert fusion.fuse({}, 9).slots.tolist() == []


def test_a_memory_without_a_vector_is_neutral_not_last() -> None:
    semantic = channel([0.9, -np.inf, 0.1])
    keyword = channel([0.0, 3.0, 0.0], listed=1)
    ranking = StandardisedScores().fuse({"semantic": semantic, "keyword": keyword}, 9)
    assert ranking.slots.tolist()[0] == 1
    assert np.isfinite(ranking.scores).all()


def learned(bonus: float = 1.0) -> LearnedFusion:
    return LearnedFusion(
        FusionWeights(standardised={"semantic": 1.0}, bonus={"exact": bonus}, by_type={"who": {"exact": 10.0}})
    )


def sure_of(slot: int, score: float = 4.0) -> ChannelResult:
    return ChannelResult(
        np.array([slot]),
        np.array([score], dtype=np.float32),
        0.0,
        0.1,
        lambda wanted: np.zeros(wanted.size, np.float32),
    )


def test_a_bonus_lifts_what_a_channel_is_sure_of_and_nothing_else() -> None:
    semantic = channel([3, 2, 1, 0])
    plain = learned().fuse({"semantic": semantic}, 9)
    lifted = learned(5.0).fuse({"semantic": semantic, "exact": sure_of(3)}, 9)
    assert plain.slots.tolist() == [0, 1, 2, 3]
    assert lifted.slots.tolist() == [3, 0, 1, 2]


def test_a_bonus_does_not_grow_with_the_unit_of_the_channel() -> None:
    semantic = channel([3, 2, 1, 0])
    small = learned().fuse({"semantic": semantic, "exact": sure_of(2, 0.01)}, 9)
    large = learned().fuse({"semantic": semantic, "exact": sure_of(2, 1e6)}, 9)
    assert small.scores.tolist() == large.scores.tolist()


def test_weights_go_by_the_type_of_the_question_and_by_what_feedback_taught() -> None:
    semantic, exact = channel([3, 2, 1, 0]), sure_of(3, 1.0)
    found = {"semantic": semantic, "exact": exact}
    assert learned().fuse(found, 9).slots[0] == 0
    assert learned().fuse(found, 9, Weighing(QuestionType.WHO)).slots[0] == 3
    assert learned().fuse(found, 9, Weighing(factors={"exact": 10.0})).slots[0] == 3


def test_a_channel_without_a_weight_does_not_count() -> None:
    semantic = channel([3, 2, 1, 0])
    assert learned().fuse({"semantic": semantic, "new": sure_of(3)}, 9).slots.tolist() == [0, 1, 2, 3]


def test_the_shipped_weights_know_every_channel() -> None:
    weights = FusionWeights.read()
    assert {"keyword", "semantic", "late_interaction", "speaker"} == set(weights.standardised)
    assert all(weight >= 0.0 for weight in weights.bonus.values())


def test_sums_do_not_depend_on_the_order_of_slots() -> None:
    values = np.random.default_rng(3).normal(size=200).astype(np.float32)
    turned = values[::-1].copy()
    one = standardised(scored(values), np.arange(200))
    other = standardised(scored(turned), np.arange(200))
    assert np.array_equal(one, other[::-1])


def scored(values: NDArray[np.float32]) -> ChannelResult:
    return ChannelResult(np.arange(values.size), values, 0.0, 1.0, lambda wanted: values[wanted])


@pytest.mark.parametrize("fusion", [learned(2.0), StandardisedScores({"exact": 0.5}), ReciprocalRanks({"exact": 2.0})])
def test_contributions_add_up_to_the_score(fusion: LearnedFusion | StandardisedScores | ReciprocalRanks) -> None:
    found = {"semantic": channel([3, 2, 1, 0]), "exact": sure_of(3)}
    weighing = Weighing(QuestionType.WHO, {"semantic": 1.5})
    ranking = fusion.fuse(found, 9, weighing)
    parts = fusion.contributions(found, ranking.slots, weighing)
    assert set(parts) == {"semantic", "exact"}
    assert sum(parts.values()) == pytest.approx(ranking.scores)
    unlisted = fusion.contributions(found, np.array([1, 99]), weighing)  # what further hops led to
    assert np.isnan([part[1] for part in unlisted.values()]).all()
    assert not np.isnan([part[0] for part in unlisted.values()]).any()
    assert fusion.contributions({}, np.array([1])) == {}
