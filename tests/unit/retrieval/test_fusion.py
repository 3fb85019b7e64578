"""Worked examples of both fusions, and the cases where a channel says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.fusion import ReciprocalRanks, StandardisedScores
from retrieval.types import ChannelResult


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
