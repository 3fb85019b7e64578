"""What the entity channel finds, in which order, and when it has nothing to say."""

from typing import Any

import numpy as np

from gpu.bank.filters import ScanFilter
from gpu.bank.records import Kind, State
from retrieval.channels.entity import EntityChannel
from tests.fixtures.told_memories import Told, asked, view_of, without

FILLER = tuple(Told(f"something else happened, number {i}", ()) for i in range(40))
MEMORIES = (
    Told("Ada planted apple trees behind the house", ("Ada",)),
    Told("Ada repaired the clock", ("Ada",)),
    Told("Bo and Ada went to Lisbon", ("Bo", "Ada", "Lisbon")),
    Told("Bo likes rain", ("Bo",)),
    Told("the apple trees need water", ()),
    *FILLER,
)
CHANNEL = EntityChannel()


def listed(
    text: str,
    memories: tuple[Told, ...] = MEMORIES,
    limit: int = 100,
    scan: ScanFilter | None = None,
    **more: Any,
) -> Any:
    with view_of(memories, scan) as view:
        result = CHANNEL.search(asked(text, **more), view, limit)
        return None if result is None else (result.slots.tolist(), result)


def test_it_lists_what_mentions_the_name_and_nothing_else() -> None:
    slots, result = listed("What did Ada plant behind the house?")
    assert sorted(slots) == [0, 1, 2]
    assert slots[0] == 0  # the one about the topic first
    assert result.score_of(np.array([4, 3])).tolist() == [0.0, 0.0]
    assert result.evidence == 1.0
    assert result.mean < result.scores[-1]


def test_a_memory_that_joins_two_of_the_names_comes_before_all_that_have_one() -> None:
    joined = Told("zz", ("Ada", "Bo"))
    rare = Told("what happened when they met there in Lisbon", ("Lisbon",))
    one_each = (Told(f"they met {name} {i}", (name,)) for i in range(14) for name in ("Ada", "Bo"))
    memories = (rare, joined, *one_each, *FILLER)
    slots, result = listed("what happened when they met there?", memories, names=("Ada", "Bo", "Lisbon"))
    assert slots[:2] == [1, 0]
    assert result.scores[0] > 0.5 >= result.scores[1]


def test_the_topic_orders_memories_of_the_same_entities() -> None:
    assert listed("Did Ada repair the clock?")[0][0] == 1
    assert listed("Where are the apple trees that Ada planted?")[0][0] == 0


def test_a_rarer_name_counts_more() -> None:
    memories = (*(Told(f"Ada {i}", ("Ada",)) for i in range(10)), Told("zz", ("Zed",)), *FILLER)
    slots, result = listed("?", memories, names=("Ada", "Zed"))
    assert slots[0] == 10
    assert result.evidence is not None
    assert 0.5 < result.evidence < 1.0


def test_aliases_stand_for_one_entity() -> None:
    memories = (
        Told("Mel sang", ("Mel",)),
        Told("Melanie and Mel sang", ("Melanie", "Mel")),
        Told("Bo", ("Bo",)),
        *FILLER,
    )
    slots, result = listed("What did Melanie sing?", memories, groups=(("Melanie", "Mel"),))
    assert sorted(slots) == [0, 1]
    # Two aliases of one entity are not two entities.
    assert result.scores.max() < 0.6
    alone, _ = listed("What did Melanie sing?", memories)
    assert alone == [1]


def test_it_abstains_where_no_name_is_asked_or_known_or_telling() -> None:
    assert listed("What needs water?") is None
    assert listed("What did Cleo do?") is None
    everywhere = tuple(Told(f"Ada did thing {i}", ("Ada",)) for i in range(10))
    assert listed("What did Ada do?", (*everywhere, *FILLER[:10])) is None
    assert listed("What did Ada do?", (*everywhere, *FILLER[:30])) is not None
    assert listed("What did Ada do?", everywhere[:5]) is not None  # five are few enough in any namespace
    assert listed("What did Ada do?", ()) is None


def test_a_name_that_says_nothing_does_not_hide_one_that_does() -> None:
    memories = (*(Told(f"Ada {i}", ("Ada",)) for i in range(20)), Told("Bo", ("Bo",)), *FILLER)
    assert listed("?", memories, names=("Ada", "Bo"))[0] == [20]


def test_a_question_in_small_letters_is_looked_up_word_by_word() -> None:
    memories = (*MEMORIES, Told("Clair de Lune was played", ("Clair de Lune",)))
    assert sorted(listed("what did ada plant?", memories)[0]) == [0, 1, 2]
    assert listed("who played clair de lune?", memories)[0] == [len(MEMORIES)]
    assert listed("what happened", memories) is None


def test_the_filter_comes_first() -> None:
    hidden = (
        Told("Ada in secret", ("Ada",), state=State.FORGOTTEN),
        Told("Ada", ("Ada",), kind=Kind.SEMANTIC),
        *FILLER,
    )
    assert listed("What did Ada do?", hidden)[0] == [1]
    slots, result = listed("What did Ada do?", hidden, scan=ScanFilter(kinds=frozenset({Kind.SEMANTIC})))
    assert slots == [1]
    assert result.score_of(np.array([0])).tolist() == [-np.inf]


def test_without_a_vector_it_goes_by_words() -> None:
    with view_of(MEMORIES) as view:
        result = CHANNEL.search(without(asked("Did Ada repair the clock?"), vector=None), view, 100)
        assert result is not None
        assert result.slots[0] == 1
        bare = without(asked("?", names=("Ada",)), vector=None)
        result = CHANNEL.search(bare, view, 2)
        assert result is not None
        assert result.slots.tolist() == [0, 1]  # equal scores by slot
