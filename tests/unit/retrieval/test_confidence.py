"""How sure an answer may be."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.confidence import confidence, evidence
from retrieval.types import ChannelResult


def result(best: float, mean: float, ceiling: float) -> ChannelResult:
    return ChannelResult(np.array([0]), np.array([best], np.float32), mean, 0.1, lambda s: np.zeros(s.size), ceiling)


def test_nothing_found_is_zero() -> None:
    nothing = ChannelResult(np.empty(0, np.int64), np.empty(0, np.float32), 0.0, 0.0, lambda s: np.zeros(0), 1.0)
    assert confidence({}) == 0.0
    assert confidence({"semantic": nothing}) == 0.0


def test_evidence_by_hand() -> None:
    rise, share = evidence({"semantic": result(0.8, 0.6, 1.0), "keyword": result(3.0, 0.1, 12.0)})
    assert rise == pytest.approx(0.5)
    assert share == pytest.approx(0.25)


def test_more_evidence_is_surer() -> None:
    weak = {"semantic": result(0.65, 0.6, 1.0), "keyword": result(1.0, 0.1, 12.0)}
    nearer = {**weak, "semantic": result(0.9, 0.6, 1.0)}
    fuller = {**nearer, "keyword": result(8.0, 0.1, 12.0)}
    assert 0.0 < confidence(weak) < confidence(nearer) < confidence(fuller) < 1.0


@pytest.mark.parametrize(("best", "mean"), [(1.0, 1.0), (0.5, 0.5), (-0.2, 0.4)])
def test_degenerate_scores_stay_in_bounds(best: float, mean: float) -> None:
    assert 0.0 <= confidence({"semantic": result(best, mean, 1.0)}) <= 1.0
