"""What is recorded for a fit comes back from its file as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.quality.fit_recording import ANSWERABLE, HIDDEN, OTHER_FUSIONS, Recordings, Told, channel_names
from benchmarks.quality.learning import Case
from retrieval.confidence import READ, SEEN
from retrieval.rerank.order import FEATURES
from retrieval.types import QuestionType


def case(n: int, width: int) -> Case:
    return Case(np.arange(n * width, dtype=np.float32).reshape(n, width), np.arange(n) % 2 == 0, n + 1)


def test_a_file_gives_back_what_was_recorded(tmp_path: Path) -> None:
    width = len(channel_names())
    found = Recordings(
        fusion=[case(3, width), case(1, width)],
        order=[None, case(2, len(FEATURES))],
        types=[QuestionType.WHO, QuestionType.LIST],
        others={name: [np.array([True, False]), np.empty(0, np.bool_)] for name in OTHER_FUSIONS},
        told=[
            Told(np.ones(len(SEEN)), np.full(len(READ), np.nan), HIDDEN, False, False),
            Told(np.zeros(len(SEEN)), np.arange(len(READ)) * 1.0, ANSWERABLE, False, True),
        ],
    )
    found.save(tmp_path / "one.npz")
    again = Recordings.load(tmp_path / "one.npz")
    assert [one.rows.tolist() for one in again.fusion] == [one.rows.tolist() for one in found.fusion]
    assert [one.right.tolist() for one in again.fusion] == [one.right.tolist() for one in found.fusion]
    assert [one.n_right for one in again.fusion] == [4, 2]
    assert again.order[0] is None
    assert again.order[1] is not None
    assert again.order[1].rows.tolist() == case(2, len(FEATURES)).rows.tolist()
    assert again.types == found.types
    assert [(one.asked, one.found_seen, one.found_read) for one in again.told] == [(1, False, False), (0, False, True)]
    assert np.isnan(again.told[0].read).all()
    for name in OTHER_FUSIONS:
        assert again.others[name][0][:2].tolist() == [True, False]
        assert not again.others[name][1].any()
