"""What the place channel finds, in which order, and when it has nothing to say."""

from typing import Any

import numpy as np

from gpu.bank.records import State
from retrieval.analysis.places import asked_place_ids
from retrieval.channels.place import PlaceChannel
from retrieval.types import ChannelResult
from tests.fixtures.situated_memories import Situated, question, view_of

FILLER = tuple(Situated(f"an ordinary day, number {i}", place="Berlin") for i in range(30))
MEMORIES = (
    Situated("we ate soup in the evening", place="Café de Flore, Paris"),
    Situated("we ate soup in the evening", place="Paris"),
    Situated("Ada met Bo in Paris and in Rome and in Lisbon"),
    Situated("we ate soup in the evening", place="Rome"),
    Situated("a talk about graphs", place="Paris"),
    *FILLER,
)


def found(text: str, memories: tuple[Situated, ...] = MEMORIES, names: tuple[str, ...] = ()) -> ChannelResult | None:
    with view_of(memories) as view:
        return PlaceChannel().search(question(text, names=names, place_ids=asked_place_ids(text)), view, 100)


def slots(*args: Any, **more: Any) -> list[int]:
    result = found(*args, **more)
    return [] if result is None else result.slots.tolist()


def test_the_place_alone_lists_all_of_it_the_place_itself_first() -> None:
    order = slots("What happened in Paris?", names=("Paris",))
    assert set(order) == {0, 1, 2, 4}
    assert order.index(1) < order.index(0)


def test_the_topic_decides_among_memories_of_a_place() -> None:
    assert slots("When did we eat soup in Paris?", names=("Paris",))[:2] == [1, 0]
    assert slots("Which talk about graphs was in Paris?", names=("Paris",))[0] == 4


def test_what_has_nothing_to_do_with_the_question_is_not_listed() -> None:
    assert 4 not in slots("When did we eat soup in the evening in Paris?", names=("Paris",))


def test_memories_of_other_places_score_nothing() -> None:
    result = found("When did we eat soup in Paris?", names=("Paris",))
    assert result is not None
    assert result.score_of(np.array([3, 5])).tolist() == [0.0, 0.0]
    assert result.std > 0


def test_a_rarer_place_counts_more() -> None:
    memories = (*(Situated("a walk", place="Berlin") for _ in range(9)), Situated("a walk", place="Oslo"), *FILLER)
    assert slots("a walk in Berlin or in Oslo", memories)[0] == 9


def test_it_abstains_without_a_place_that_is_known() -> None:
    assert found("When did we eat soup?") is None
    assert found("When did we eat soup in Madrid?") is None
    assert found("in Paris", ()) is None
    hidden = tuple(Situated("soup", place="Oslo", state=State.FORGOTTEN) for _ in range(2))
    assert found("soup in Oslo", (*hidden, *FILLER)) is None
