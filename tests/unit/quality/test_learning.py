"""Small linear models find what there is to find, and their measures say what they should."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.learning import (
    Case,
    brier,
    calibration_error,
    chances,
    logistic_weights,
    ranking_weights,
    scores,
)

RNG = np.random.default_rng(3)


def cases(n: int, weights: np.ndarray) -> list[Case]:
    """Questions with eight candidates, of which the one with the best score by the weights is right."""
    found = []
    for _ in range(n):
        rows = RNG.normal(size=(8, weights.size)).astype(np.float32)
        found.append(Case(rows, np.arange(8) == np.argmax(rows @ weights), 1))
    return found


def test_ranking_weights_point_where_the_right_ones_are() -> None:
    truth = np.array([2.0, -1.0, 0.0])
    found = ranking_weights([cases(80, truth), cases(80, truth)], np.zeros(3), 0.001, 1.0)
    assert found @ truth / np.linalg.norm(found) / np.linalg.norm(truth) > 0.98


def test_a_firm_ridge_holds_weights_where_they_began() -> None:
    prior = np.array([1.0, 1.0, 1.0])
    assert ranking_weights([cases(20, np.array([2.0, -1.0, 0.0]))], prior, 100.0, 1.0) == pytest.approx(prior, abs=0.1)


def test_logistic_weights_are_calibrated() -> None:
    rows = RNG.normal(size=(4000, 2))
    outcome = RNG.random(4000) < 1 / (1 + np.exp(-(0.5 + rows @ np.array([1.5, -2.0]))))
    weights = logistic_weights([(rows, outcome)], 0.0)
    assert weights == pytest.approx([0.5, 1.5, -2.0], abs=0.2)
    said = chances(rows, weights)
    assert calibration_error(said, outcome) < 0.03
    assert brier(said, outcome) < brier(np.full(4000, outcome.mean()), outcome)


def test_calibration_error_of_known_gaps() -> None:
    outcome = np.array([True, False, True, True])
    assert calibration_error(np.array([0.5, 0.5, 1.0, 1.0]), outcome) == pytest.approx(0.0)
    assert calibration_error(np.array([0.0, 0.0, 0.0, 0.0]), outcome) == pytest.approx(0.75)


def test_scores_of_a_ranking() -> None:
    assert scores(np.array([True, False]), 1) == (1.0, 1.0)
    assert scores(np.array([False, True]), 2) == (pytest.approx(1 / np.log2(3) / (1 + 1 / np.log2(3))), 0.5)


def test_what_is_held_stays_and_the_rest_makes_up_for_it() -> None:
    truth = np.array([2.0, -1.0, 0.0])
    found = ranking_weights([cases(40, truth)], np.array([0.5, 0.0, 0.0]), 0.001, 1.0, [True, False, False])
    assert found[0] == 0.5
    assert found[1] < -0.1
    rows = RNG.normal(size=(2000, 2))
    outcome = RNG.random(2000) < 1 / (1 + np.exp(-(rows @ np.array([1.0, 3.0]))))
    weights = logistic_weights([(rows, outcome)], 0.0, np.array([np.nan, 3.0]))
    assert weights == pytest.approx([0.0, 1.0, 3.0], abs=0.25)
