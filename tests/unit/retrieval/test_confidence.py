"""How sure an answer may be."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.confidence import TYPICAL_RISE, confidence, evidence
from retrieval.types import ChannelResult


def result(evidence: float | None) -> ChannelResult:
    return ChannelResult(np.array([0]), np.array([1], np.float32), 0.0, 0.1, lambda s: np.zeros(s.size), evidence)


def test_nothing_found_is_zero() -> None:
    nothing = ChannelResult(np.empty(0, np.int64), np.empty(0, np.float32), 0.0, 0.0, lambda s: np.zeros(0))
    assert confidence({}) == 0.0
    assert confidence({"semantic": nothing}) == 0.0


def test_more_evidence_is_surer() -> None:
    weak = {"semantic": result(0.1), "keyword": result(0.1)}
    nearer = {**weak, "semantic": result(0.8)}
    fuller = {**nearer, "keyword": result(0.7)}
    assert 0.0 < confidence(weak) < confidence(nearer) < confidence(fuller) < 1.0


def test_a_question_without_a_vector_counts_as_a_typical_one() -> None:
    keyword = {"keyword": result(0.5)}
    assert confidence(keyword) == pytest.approx(confidence({**keyword, "semantic": result(TYPICAL_RISE)}))


def test_words_that_were_not_found_are_no_evidence() -> None:
    semantic = {"semantic": result(0.5)}
    assert evidence(semantic) == (0.5, 0.0)
    assert evidence({**semantic, "other": result(None)}) == (0.5, 0.0)
