"""What the exact channel finds, in which order, and when it has nothing to say."""

import math
from typing import Any

import numpy as np
import pytest

from gpu.bank.filters import ScanFilter
from gpu.bank.records import State
from retrieval.channels.exact import ExactChannel, granted_edits, needles
from retrieval.types import ChannelResult, Question
from tests.fixtures.situated_memories import Situated, question, view_of

MEMORIES = (
    Situated("The blue door was painted by Ada."),
    Situated("A door, painted blue."),
    Situated("Error E-4711 showed up again"),
    Situated("the log said ERROR e-47112 twice"),
    Situated("The path is /usr/local/lib/memsvc.so on that host"),
    Situated("THE  BLUE\nDOOR is gone"),
    Situated("Zürich lies by a lake"),
    *(Situated(f"something else, number {i}") for i in range(30)),
)
CHANNEL = ExactChannel()


def found(
    memories: tuple[Situated, ...] = MEMORIES, scan: ScanFilter | None = None, **fields: Any
) -> ChannelResult | None:
    with view_of(memories, scan) as view:
        return CHANNEL.search(question("where is it", **fields), view, 100)


def slots(*args: Any, **fields: Any) -> list[int]:
    result = found(*args, **fields)
    return [] if result is None else result.slots.tolist()


def test_a_phrase_is_found_whatever_its_case_and_spaces() -> None:
    assert slots(phrases=("Blue Door",)) == [0, 5]
    assert slots(phrases=("Blue Door,",)) == [0, 5]


def test_an_identifier_alone_comes_before_one_in_a_longer_word() -> None:
    result = found(identifiers=("E-4711",))
    assert result is not None
    assert result.slots.tolist() == [2, 3]
    worth = math.log1p(len(MEMORIES) / 2)
    assert result.scores.tolist() == pytest.approx([worth, worth / 2])
    assert result.evidence == pytest.approx(1.0)
    assert result.mean == pytest.approx(1.5 * worth / len(MEMORIES))
    assert result.score_of(np.array([0, 2])).tolist() == pytest.approx([0.0, worth])


def test_rare_needles_count_more_and_add_up() -> None:
    assert slots(phrases=("something", "number 7")) == [14, *range(7, 14), *range(15, 37)]


@pytest.mark.parametrize(
    ("needle", "slot", "edits"),
    [("/usr/local/lib/memscv.so", 4, 2), ("zurich", 6, 1), ("blue dor", 0, 1), ("e-4721", 2, 1)],
)
def test_a_typo_is_forgiven_where_nothing_matches_exactly(needle: str, slot: int, edits: int) -> None:
    result = found(identifiers=(needle,))
    assert result is not None
    assert result.slots[0] == slot
    hits = result.slots.size
    assert result.scores[0] == pytest.approx(math.log1p(len(MEMORIES) / hits) * 0.6 * (1 - edits / len(needle)))
    assert result.evidence is not None
    assert result.evidence < 0.6


def test_a_typo_is_not_looked_for_where_something_matches() -> None:
    memories = (*MEMORIES, Situated("ticket E-4712 is open"))
    assert slots(memories, identifiers=("E-4712",)) == [37]
    assert slots(MEMORIES, identifiers=("E-4712",)) == [2, 3]


def test_short_needles_have_no_typos() -> None:
    assert [granted_edits("x" * n) for n in (1, 4, 5, 8, 9, 40)] == [0, 0, 1, 1, 2, 2]
    assert slots(phrases=("dour",)) == []


@pytest.mark.parametrize("fields", [{}, {"phrases": ("nowhere to be seen",)}, {"phrases": ("x", " ", "")}])
def test_it_abstains_without_anything_to_find(fields: dict[str, Any]) -> None:
    assert found(**fields) is None


def test_it_abstains_in_an_empty_namespace() -> None:
    assert found((), phrases=("blue door",)) is None


def test_memories_that_the_filter_leaves_out_are_not_found_and_do_not_count() -> None:
    memories = (*MEMORIES, Situated("the blue door is secret", state=State.FORGOTTEN))
    result = found(memories, phrases=("blue door",))
    assert result is not None
    assert result.slots.tolist() == [0, 5]
    assert result.scores[0] == pytest.approx(math.log1p(len(MEMORIES) / 2))
    assert result.mean == pytest.approx(2 * math.log1p(len(MEMORIES) / 2) / len(MEMORIES))
    assert result.score_of(np.array([len(MEMORIES)])).tolist() == [-np.inf]
    assert found(memories, phrases=("is secret",)) is None


def test_needles_are_folded_distinct_and_few() -> None:
    asked = Question(phrases=("The Door.", "the door", "x"), identifiers=("THE DOOR", "ID_1", "y" * 2000))
    assert needles(asked) == ["the door", "id_1"]
    assert len(needles(Question(phrases=tuple(f"number {i}" for i in range(40))))) == 16
