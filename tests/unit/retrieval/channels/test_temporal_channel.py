"""What the temporal channel finds, in which order, and when it has nothing to say."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpu.bank.records import Kind, State
from retrieval.channels.temporal import TemporalChannel
from retrieval.types import ChannelResult, Order
from tests.fixtures.situated_memories import Situated, question, view_of

DAY = 86_400_000_000
TOPICS = (
    "the harbour clock", "apple trees", "the printer", "soup with leeks", "a violin lesson", "the red bicycle",
    "tax papers", "the old lighthouse", "a chess game", "the broken kettle",
)  # fmt: skip


def found(text: str, memories: Sequence[Situated], **fields: Any) -> ChannelResult | None:
    if "spans" in fields:
        fields["spans"] = np.array(fields["spans"], np.int64)
    with view_of(memories) as view:
        return TemporalChannel().search(question(text, **fields), view, 100)


def slots(*args: Any, **fields: Any) -> list[int]:
    result = found(*args, **fields)
    return [] if result is None else result.slots.tolist()


def story(n: int = 60) -> list[Situated]:
    """A memory a day: each topic comes up every ten days."""
    return [Situated(f"we spoke about {TOPICS[i % 10]}, part {i // 10}", occurred_us=i * DAY) for i in range(n)]


def test_a_span_lists_what_lies_in_it_and_is_about_the_topic() -> None:
    order = slots("What did we say about apple trees?", story(), spans=[(20 * DAY, 30 * DAY)])
    assert order[0] == 21
    assert {31, 11}.isdisjoint(order[:1])


def test_inside_a_span_the_topic_decides() -> None:
    memories = story()
    memories[20] = replace(memories[20], text="we spoke about the apple of discord")
    assert slots("What did we say about apple trees?", memories, spans=[(20 * DAY, 30 * DAY)])[:2] == [21, 20]


def test_a_time_that_a_text_speaks_of_counts_as_much_as_when_it_was_said() -> None:
    memories = [
        *story(),
        Situated("the apple trees of that week", occurred_us=500 * DAY, spans=((22 * DAY, 29 * DAY),)),
    ]
    assert set(slots("What about apple trees?", memories, spans=[(20 * DAY, 30 * DAY)])[:2]) == {21, 60}


def test_what_has_nothing_to_do_with_the_question_is_not_listed_for_its_time() -> None:
    result = found("apple trees", story(), spans=[(20 * DAY, 30 * DAY)])
    assert result is not None
    assert set(range(20, 30)) - set(result.slots.tolist())
    assert result.score_of(np.array([24])).tolist() == [0.0]


def test_a_near_miss_ranks_below_a_hit() -> None:
    memories = [replace(memory, text="apple trees") for memory in story(40)]
    memories += [Situated(f"something else {i}", occurred_us=0) for i in range(40)]
    order = slots("apple trees", memories, spans=[(20 * DAY, 30 * DAY)])
    assert order[:10] == list(range(20, 30))
    assert order.index(30) < order.index(33)
    assert 0 not in order


@pytest.mark.parametrize(("order", "expected"), [(Order.FIRST, [1, 11, 21]), (Order.LAST, [51, 41, 31])])
def test_first_and_last_order_what_is_about_the_topic_by_time(order: Order, expected: list[int]) -> None:
    memories = story()
    assert slots("When did we speak about apple trees?", memories, order=order)[:3] == expected


def test_an_order_inside_a_span_looks_only_there() -> None:
    text, span = "we spoke about apple trees", [(15 * DAY, 45 * DAY)]
    assert slots(text, story(), order=Order.FIRST, spans=span) == [21, 31, 41]
    assert slots(text, story(), order=Order.LAST, spans=span) == [41, 31, 21]


def test_an_order_looks_only_at_those_who_are_asked_about() -> None:
    texts = ("Cleo first sang a song, then the same song again, singing", "Bo sang a song")
    memories = [Situated(texts[i % 2], occurred_us=i * DAY) for i in range(8)]
    memories += [Situated(f"unrelated chatter, number {i}") for i in range(30)]
    assert slots("When did Bo first sing a song?", memories, order=Order.FIRST, names=("Bo",)) == [1, 3, 5, 7]


def test_facts_of_no_time_come_neither_first_nor_before_nor_after() -> None:
    memories = [replace(memory, kind=Kind.SEMANTIC, occurred_us=-(2**63)) for memory in story()]
    text = "When did we speak about apple trees?"
    assert found(text, memories, order=Order.FIRST) is None
    assert found(text, memories, order=Order.AFTER, anchor="a chess game, part 2") is None
    assert slots(text, memories, order=Order.LAST)[:2] == [51, 41]
    anchored = [replace(memory, spans=((i, i + 1),) if i != 28 else ()) for i, memory in enumerate(memories)]
    assert found(text, anchored, order=Order.AFTER, anchor="a chess game, part 2") is None
    dated = [replace(memory, spans=((i, i + 1),)) for i, memory in enumerate(memories)]
    assert slots(text, dated, order=Order.FIRST)[:2] == [1, 11]


def test_scores_of_an_order_fall_evenly_and_are_known_for_all() -> None:
    result = found("apple trees", story(), order=Order.FIRST)
    assert result is not None
    assert result.scores.tolist() == pytest.approx([(6 - rank) / 6 for rank in range(6)])
    assert result.score_of(np.array([0, 1])).tolist() == pytest.approx([0.0, 1.0])
    assert result.mean == pytest.approx(sum(result.scores.tolist()) / 60)


def wedding(clocks: bool, conversation: int = 0) -> list[Situated]:
    texts = [
        "Ada went to buy a coat", "Ada met Bo at the station", "the wedding of Ada and Bo was in a barn",
        "the band played until morning", "Ada went to buy a boat", "Ada went to buy a house",
    ]  # fmt: skip
    own = [
        Situated(text, occurred_us=i * DAY if clocks else -(2**63), conversation=conversation)
        for i, text in enumerate(texts)
    ]
    return [*own, *(Situated(f"unrelated things happened, number {i}", occurred_us=9 * DAY) for i in range(40))]


@pytest.mark.parametrize(("clocks", "conversation"), [(True, 0), (False, 5), (True, 5)])
def test_after_and_before_an_event_come_the_nearest_about_the_topic(clocks: bool, conversation: int) -> None:
    memories = wedding(clocks, conversation)
    after = slots("What did Ada buy after the wedding?", memories, order=Order.AFTER, anchor="the wedding")
    assert after[:2] == [4, 5]
    assert 0 not in after
    before = slots("What did Ada buy before the wedding?", memories, order=Order.BEFORE, anchor="the wedding")
    assert before[0] == 0 or (before[0] == 1 and before[1] == 0)
    assert {4, 5}.isdisjoint(before)


def test_the_event_itself_does_not_set_how_much_others_must_stand_out() -> None:
    memories = [
        Situated("the wedding: Ada ate cake, drank wine, wore green and sang loudly", occurred_us=DAY),
        Situated("Ada ate soup", occurred_us=2 * DAY),
        *(Situated(f"unrelated chatter, number {i}", occurred_us=3 * DAY) for i in range(40)),
    ]
    text = "What Ada ate, drank, wore and sang loudly after the wedding"
    assert slots(text, memories, order=Order.AFTER, anchor="the wedding") == [1]


def test_with_nothing_else_asked_the_neighbours_in_the_conversation_answer() -> None:
    memories = wedding(clocks=False, conversation=5)
    fields = {"anchor": "the wedding"}
    assert slots("What happened after the wedding?", memories, order=Order.AFTER, **fields) == [3, 4, 5]
    assert slots("What happened before the wedding?", memories, order=Order.BEFORE, **fields) == [1, 0]


def test_an_order_without_an_answer_falls_back_on_the_span() -> None:
    text = "What did we say about apple trees after the coronation?"
    order = slots(text, story(), order=Order.AFTER, anchor="the coronation", spans=[(20 * DAY, 30 * DAY)])
    assert order[0] == 21


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"spans": np.empty((0, 2))},
        {"order": Order.AFTER, "anchor": "the coronation"},
        {"order": Order.BEFORE, "anchor": ""},
        {"order": Order.AFTER, "anchor": "the coronation of the queen under apple trees"},
        {"spans": [(0, 999 * DAY)]},
        {"spans": [(5 * DAY, 5 * DAY)]},
    ],
)
def test_it_abstains(fields: dict[str, Any]) -> None:
    assert found("What about apple trees?", story(), **fields) is None


def test_it_abstains_without_a_topic_and_without_memories() -> None:
    assert found("apple trees", [], order=Order.FIRST) is None
    hidden = [replace(memory, state=State.FORGOTTEN) for memory in story()]
    assert found("apple trees", hidden, order=Order.FIRST) is None
    with view_of(story()) as view:
        mute = replace(question("what was it", order=Order.FIRST), vector=None)
        assert TemporalChannel().search(mute, view, 100) is None


def order_recall(memories_of: Any, trials: int = 60) -> float:
    """Share of generated pairs of events of which the earlier one is listed first, when asked for the first."""
    rng = np.random.default_rng(11)
    right = 0
    for _ in range(trials):
        length = int(rng.integers(6, 30))
        one, other = sorted(rng.choice(length, 2, replace=False).tolist())
        texts = [f"chatter about {TOPICS[rng.integers(10)]} {i}" for i in range(length)]
        texts[one] = "Cleo watered the orchid in the hall"
        texts[other] = "Cleo watered the orchid by the door"
        memories, where = memories_of(rng, texts)
        result = slots("When did Cleo water the orchid?", memories, order=Order.FIRST)
        right += result.index(where[one]) < result.index(where[other])
    return right / trials


def shuffled(rng: np.random.Generator, n: int) -> tuple[list[int], dict[int, int]]:
    """An order of writing, and where each event stands in it."""
    written = rng.permutation(n).tolist()
    return written, {event: place for place, event in enumerate(written)}


def test_order_recall_is_perfect_with_clocks() -> None:
    def clocked(rng: np.random.Generator, texts: list[str]) -> Any:
        written, where = shuffled(rng, len(texts))
        return [Situated(texts[event], occurred_us=event * DAY) for event in written], where

    assert order_recall(clocked) == 1.0


@pytest.mark.parametrize("equal_clocks", [False, True])
def test_order_recall_survives_missing_and_equal_clocks_in_a_conversation(equal_clocks: bool) -> None:
    def told(rng: np.random.Generator, texts: list[str]) -> Any:
        time = {"occurred_us": 7 * DAY} if equal_clocks else {}
        return [Situated(text, conversation=3, **time) for text in texts], dict(enumerate(range(len(texts))))

    assert order_recall(told) > 0.9


@pytest.mark.parametrize("equal_clocks", [False, True])
def test_order_recall_from_links_alone(equal_clocks: bool) -> None:
    def linked(rng: np.random.Generator, texts: list[str]) -> Any:
        written, where = shuffled(rng, len(texts))
        time = {"occurred_us": 7 * DAY} if equal_clocks else {}
        memories = [
            Situated(texts[event], follows=(where[event - 1],) if event else (), conversation=3, **time)
            for event in written
        ]
        return memories, where

    assert order_recall(linked) > 0.9


def test_order_recall_is_a_coin_toss_without_clocks_conversations_and_links() -> None:
    def loose(rng: np.random.Generator, texts: list[str]) -> Any:
        written, where = shuffled(rng, len(texts))
        return [Situated(texts[event]) for event in written], where

    assert 0.3 < order_recall(loose, 200) < 0.7
