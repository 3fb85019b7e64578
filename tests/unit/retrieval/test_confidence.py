"""How sure an answer may be."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from retrieval.confidence import READ, SEEN, TYPICAL_RISE, Confidence, ConfidenceWeights, evidence
from retrieval.fusion import Ranking
from retrieval.types import ChannelResult

FIRST = Ranking(np.array([3, 5]), np.array([2.0, 1.0]))
NOBODY = Ranking(np.empty(0, np.int64), np.empty(0))
WEIGHTS = ConfidenceWeights(
    {"intercept": -2.0, **dict.fromkeys(SEEN, 1.0)}, {"intercept": -2.0, **dict.fromkeys(READ, 1.0)}
)


def result(evidence: float | None, by: tuple[int, ...] = ()) -> ChannelResult:
    def score_of(slots: np.ndarray) -> np.ndarray:
        return np.isin(slots, by).astype(np.float32)

    return ChannelResult(np.array([0]), np.array([1], np.float32), 0.0, 0.1, score_of, evidence)


def logits(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_nothing_found_is_zero() -> None:
    assert Confidence()({}, NOBODY) == 0.0


def test_more_evidence_is_surer() -> None:
    sure = Confidence(WEIGHTS)
    weak = {"semantic": result(0.1), "keyword": result(0.1)}
    nearer = {**weak, "semantic": result(0.8)}
    fuller = {**nearer, "keyword": result(0.7)}
    said = [sure(of, FIRST) for of in (weak, nearer, fuller)]
    said += [sure(fuller, FIRST, logits(-4.0, 1.0)), sure(fuller, FIRST, logits(6.0, 1.0))]
    assert all(0.0 < of < 1.0 for of in said)
    assert said[:3] == sorted(set(said[:3]))
    assert said[3] < said[4]


def test_what_is_missing_counts_as_typical_or_as_none() -> None:
    keyword = {"keyword": result(0.5)}
    assert evidence(keyword, FIRST) == evidence({**keyword, "semantic": result(TYPICAL_RISE)}, FIRST)
    assert evidence({"semantic": result(0.5), "other": result(None)}, FIRST)["share"] == 0.0


def test_answers_of_somebody_else_are_less_sure() -> None:
    sure = Confidence(WEIGHTS)
    right, wrong = {"speaker": result(None, by=(3,))}, {"speaker": result(None, by=(5,))}
    assert sure({}, FIRST) > sure(right, FIRST) > sure(wrong, FIRST)
    assert (
        sure({}, FIRST, logits(4.0, -4.0)) > sure(right, FIRST, logits(4.0, -4.0)) > sure(wrong, FIRST, logits(4, -4))
    )
    assert evidence(right, FIRST, logits(-4.0, 4.0))["said"] < 0.01  # the cross-encoder says which one answers


def test_candidates_that_were_not_read_do_not_count_as_read() -> None:
    assert set(evidence({}, FIRST, logits(float("nan"), float("nan")))) == set(SEEN)
    one = evidence({}, FIRST, logits(2.0, float("nan")))
    assert set(one) == set(READ)
    assert one["best_read"] == one["read"] == pytest.approx(0.4)


def test_any_evidence_gives_a_probability() -> None:
    extremes = (-1e4, 0.0, 1e4)
    for intercept, weight, logit in itertools.product(extremes, extremes, (-1e4, 1e4)):
        weights = {"intercept": intercept, **dict.fromkeys(READ, weight)}
        assert 0.0 <= Confidence(ConfidenceWeights(weights, weights))({}, FIRST, logits(logit, logit)) <= 1.0


def test_a_file_without_a_weight_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    path.write_text('{"parameters": {"unread": {"intercept": 1}}}')
    with pytest.raises(ValueError, match="lack late, rise, said, share under unread"):
        ConfidenceWeights.load(path)


def test_the_shipped_weights_trust_their_evidence() -> None:
    shipped = ConfidenceWeights.load()
    assert shipped.unread["rise"] + shipped.unread["late"] > 0
    assert shipped.read["read"] + shipped.read["best_read"] > 0
    assert shipped.read["said"] > 0
