"""The final order: what was read leads, what was not follows, and a lost cross-encoder does little harm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.fusion import Ranking
from retrieval.rerank.order import FEATURES, LearnedOrder, OrderWeights, features

NAN = float("nan")


def ranking(*scores: float) -> Ranking:
    return Ranking(np.arange(len(scores), dtype=np.int64) + 10, np.array(scores))


def order(first: Ranking, *logits: float, weights: dict[str, float] | None = None) -> list[int]:
    numbers = dict.fromkeys(FEATURES, 0.0) | (weights or {"logit": 1.0})
    learned = LearnedOrder(OrderWeights(numbers))
    return learned.order(first, np.array(logits, dtype=np.float32), {}).slots.tolist()


def test_the_best_read_comes_first() -> None:
    assert order(ranking(3, 2, 1), -4.0, 5.0, 0.0) == [11, 12, 10]


def test_what_was_not_read_follows_in_the_order_of_the_first_stage() -> None:
    first = ranking(5, 4, 3, 2, 1)
    assert order(first, -9.0, 8.0, NAN, NAN, NAN) == [11, 10, 12, 13, 14]
    learned = LearnedOrder(OrderWeights(dict.fromkeys(FEATURES, 0.0) | {"logit": 1.0}))
    scores = learned.order(first, np.array([-9.0, 8.0, NAN, NAN, NAN], dtype=np.float32), {}).scores
    assert (np.diff(scores) < 0).all()


def test_nothing_read_leaves_the_first_stage_alone() -> None:
    first = ranking(3, 2, 1)
    assert order(first, NAN, NAN, NAN) == [10, 11, 12]


def test_equal_logits_leave_the_order_to_the_rest() -> None:
    assert order(ranking(1, 3, 2), 0.0, 0.0, 0.0, weights={"logit": 1.0, "fused": 0.1, "rank_logit": 9.0}) == [
        11,
        12,
        10,
    ]


def test_features_are_finite_for_one_candidate_and_for_equal_ones() -> None:
    one = features(np.array([2.0]), np.array([30.0], dtype=np.float32), {})
    same = features(np.array([2.0, 2.0]), np.array([1.0, 1.0], dtype=np.float32), {"keyword": np.zeros(2)})
    assert one.shape == (1, len(FEATURES))
    assert np.isfinite(one).all()
    assert np.isfinite(same).all()
    assert (same[0] == same[1]).all()


def test_a_file_without_a_feature_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    path.write_text('{"parameters": {"features": {"logit": 1}}}')
    with pytest.raises(ValueError, match="lack"):
        OrderWeights.read(path)
    path.write_text("[]")
    with pytest.raises(ValueError, match="parameters"):
        OrderWeights.read(path)


def test_the_shipped_weights_trust_the_cross_encoder() -> None:
    weights = OrderWeights.read().features
    assert weights["logit"] + weights["rank_logit"] > 0
