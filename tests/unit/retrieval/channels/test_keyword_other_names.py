"""Another name of somebody counts in the keyword channel as the name that was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retrieval.channels.keyword import KeywordChannel
from retrieval.types import OtherNames
from tests.fixtures.told_memories import ANALYSER, Told, asked, view_of, without

FILLER = tuple(Told(f"something else happened, number {i}") for i in range(20))
MEMORIES = (
    Told("Kiki bought a windmill at the auction"),
    Told("Pip bought a tractor at the auction"),
    Told("Wanda Aldred is known as Pip"),
    Told("Wanda Aldred bought nothing that we know of today"),
    *FILLER,
)
QUESTION = "What did Wanda Aldred buy at the auction?"


def other_names(own: str, *others: str) -> OtherNames:
    return OtherNames(ANALYSER.name_terms([own]), tuple(ANALYSER.name_terms([other]) for other in others))


def searched(*names: OtherNames, question: str = QUESTION, memories: tuple[Told, ...] = MEMORIES) -> Any:
    named = ANALYSER.name_terms(["Wanda Aldred"])
    with view_of(memories) as view:
        result = KeywordChannel().search(without(asked(question), other_names=names, name_terms=named), view, 100)
        return None if result is None else (result, result.score_of(np.arange(4)))


def test_a_memory_with_the_other_name_scores_as_if_it_had_the_name() -> None:
    plain, before = searched()
    found, after = searched(other_names("Wanda Aldred", "Pip"))
    assert plain.slots[0] != 1
    assert found.slots[0] == 1
    assert after[1] > before[1]
    assert after[[0, 2, 3]].tolist() == before[[0, 2, 3]].tolist()  # both names do not count twice
    assert found.evidence > plain.evidence
    assert 0 < found.evidence <= 1


def test_the_best_of_several_other_names_counts() -> None:
    _, one = searched(other_names("Wanda Aldred", "Pip"))
    _, more = searched(other_names("Wanda Aldred", "Nobody Knows", "Pip"))
    assert more == pytest.approx(one)


def test_a_question_of_a_name_that_no_memory_holds_is_answered_by_the_other_name() -> None:
    memories = (Told("Kiki slept"), Told("Pip slept"), *FILLER)
    assert searched(question="Wanda Aldred?", memories=memories) is None
    found, _ = searched(other_names("Wanda Aldred", "Pip"), question="Wanda Aldred?", memories=memories)
    assert found.slots.tolist() == [1]
    assert searched(other_names("Wanda Aldred", "Zed"), question="Wanda Aldred?", memories=memories) is None
