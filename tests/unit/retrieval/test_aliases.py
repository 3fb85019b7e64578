"""Which names are held for one, which never, and that it can all be undone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.aliases import Decisions, NameTable
from retrieval.analysis.mentions import mention_id


def table_of(*memories: tuple[str, ...]) -> NameTable:
    table = NameTable()
    for number, mentions in enumerate(memories):
        table.put(number, mentions)
    return table


def together(table: NameTable, name: str, decisions: Decisions | None = None) -> set[str]:
    return {one.text for one in table.group(name, decisions or Decisions()).names}


ADA = (("Ada Lovelace", "Babbage"), ("Dr. Ada Lovelace",), ("Ada",), ("Lovelace", "Babbage"), ("Babbage",))


def test_titles_parts_and_spellings_of_a_person_are_one() -> None:
    table = table_of(*ADA, *[("Ada Lovelace",)] * 5, ("Ada Lovalace",))
    everybody = {"Ada Lovelace", "Dr. Ada Lovelace", "Ada", "Lovelace", "Ada Lovalace"}
    for name in everybody:
        assert together(table, name) == everybody
    assert together(table, "Babbage") == {"Babbage"}


@pytest.mark.parametrize(
    ("memories", "one", "other"),
    [
        ([("IBM",), ("International Business Machines",)], "IBM", "International Business Machines"),
        ([("International Business Machines", "IBM")], "IBM", "International Business Machines"),
        ([("Acme Ltd.",), ("ACME",)], "ACME", "Acme Ltd."),
        ([("Zoë Müller",), ("Zoe Muller",)], "Zoe Muller", "Zoë Müller"),
        ([("@Ada",), ("Ada",)], "Ada", "@Ada"),
        ([("Caroline", "Melanie"), ("Mel", "Caroline")], "Mel", "Melanie"),
        ([("Robert", "Ann"), ("Bob", "Ann")], "Bob", "Robert"),
        ([("Maria Clara Gomez",), ("Maria Gomez",)], "Maria Gomez", "Maria Clara Gomez"),
        ([("Priya Patel", "Ann"), ("Priya", "Ann")], "Priya", "Priya Patel"),
        ([("The Prancing Pony",), ("Prancing Pony",)], "Prancing Pony", "The Prancing Pony"),
    ],
)
def test_two_forms_of_one_name(memories: list[tuple[str, ...]], one: str, other: str) -> None:
    table = table_of(*memories)
    assert together(table, one) == {one, other}
    assert together(table, other) == {one, other}
    group = table.group(one)
    assert len(group.ties) == 1
    assert group.confidence == group.ties[0].confidence < 1


@pytest.mark.parametrize(
    ("memories", "name"),
    [
        ([("Ada Lovelace",), ("Ada Byron",), ("Ada",)], "Ada"),  # which of the two?
        ([("Caroline", "Melanie"), ("Mel", "Melanie", "Caroline")], "Mel"),  # both in one memory
        ([("Caroline", "Melanie"), ("Melissa", "Caroline"), ("Mel", "Caroline")], "Mel"),
        ([("Melbourne",), ("Mel",)], "Mel"),  # nobody is mentioned beside both
        ([("New York",), ("York",)], "York"),
        ([("Apple Watch",), ("Apple",)], "Apple"),
        ([*[("Daniel",)] * 9, ("Daniela",)], "Daniela"),
        ([*[("Room 1012",)] * 9, ("Room 1022",)], "Room 1022"),
        ([*[("Anderson",)] * 9, ("Andersen", "Anderson")], "Andersen"),
        ([("Anderson",), ("Andersen",)], "Andersen"),  # neither is rare
        ([("Mr. Smith",), ("Mrs. Smith",)], "Mrs. Smith"),
        ([("Mr. Smith",), ("Mrs. Smith",), ("Smith",)], "Smith"),
        ([("Interplanetary Beacon Mission",), ("International Business Machines",), ("IBM",)], "IBM"),
        ([("Aunt Mary",), ("Mary",), ("Uncle Mary",)], "Uncle Mary"),
        ([("Bob", "Robert"), ("Bob", "Ann"), ("Robert", "Ann")], "Bob"),
    ],
)
def test_what_is_doubtful_stays_apart(memories: list[tuple[str, ...]], name: str) -> None:
    assert together(table_of(*memories), name) == {name}


def test_a_weak_tie_does_not_bring_together_what_stands_side_by_side() -> None:
    # Mel may be Melanie Smith, but Mel and Melanie Smith's full name stand in one memory.
    table = table_of(("Caroline", "Melanie"), ("Mel", "Caroline"), ("Melanie Smith", "Mel"), ("Melanie Smith",))
    assert together(table, "Melanie") == {"Melanie", "Melanie Smith"}
    assert together(table, "Mel") == {"Mel"}


def test_a_name_that_is_only_asked_for_is_resolved_and_changes_nothing() -> None:
    table = table_of(("Melanie", "Caroline"), ("Ada",))
    assert together(table, "Mel") == {"Mel", "Melanie"}
    assert together(table, "Ada Lovelace") == {"Ada Lovelace", "Ada"}
    assert together(table, "Ada Byron") == {"Ada Byron", "Ada"}
    assert together(table, "Ada") == {"Ada"}
    assert len(table) == 3
    assert table.expand(["Mel"])[0].tolist() == sorted([mention_id("Mel"), mention_id("Melanie")])
    assert table.expand(["Nobody"])[0].tolist() == [mention_id("Nobody")]


def test_what_people_say_wins_and_can_be_taken_back() -> None:
    table = table_of(*ADA, ("The Countess",))
    joined = Decisions({mention_id("The Countess"): 1, mention_id("Ada"): 1})
    assert "The Countess" in together(table, "Lovelace", joined)
    assert "Lovelace" in together(table, "The Countess", joined)
    assert together(table, "The Countess") == {"The Countess"}
    parted = Decisions({mention_id("Lovelace"): 1, mention_id("Ada Lovelace"): 2})
    assert "Ada Lovelace" not in together(table, "Lovelace", parted)
    assert "Ada Lovelace" in together(table, "Lovelace")
    # Ada Lovelace and Babbage stand in one memory: what was said of Ada does not pull her along.
    said = Decisions({mention_id("Ada"): 1, mention_id("Babbage"): 1})
    assert together(table, "Ada", said) == {"Ada", "Babbage"}


FALCON = ("Falcon", "Robert Mbeki")


def test_what_a_memory_tells_ties_names_that_have_nothing_in_common() -> None:
    table = table_of(("Falcon", "Oslo"), ("Mbeki", "Oslo"), ("Robert Mbeki", "Falcon"))
    assert together(table, "Falcon") == {"Falcon"}
    table.put("b", ("Robert Mbeki", "Falcon", "Mbeki"), [FALCON])
    table.put("a", ("Falcon", "Robert Mbeki"), [FALCON, FALCON])
    for name in ("Falcon", "Robert Mbeki", "Mbeki"):
        assert together(table, name) == {"Falcon", "Robert Mbeki", "Mbeki"}
    tie = next(tie for tie in table.group("Falcon").ties if tie.rule == "told")
    assert ({tie.one, tie.other}, tie.confidence, tie.told_by) == ({"Falcon", "Robert Mbeki"}, 0.9, ("a", "b"))
    assert all(not tie.told_by for tie in table.group("Falcon").ties if tie.rule != "told")
    assert "Falcon" in together(table, "Dr. Robert Mbeki")  # a name that is only asked for


def test_a_name_that_is_told_of_two_parties_is_left_alone() -> None:
    one, other = ("Kit", "Katherine Smith"), ("Kit", "Christopher Jones")
    table = table_of(("Oslo",))
    table.put(1, one, [one])
    assert together(table, "Kit") == set(one)
    table.put(2, other, [other])
    assert together(table, "Kit") == {"Kit"}
    assert together(table, "Katherine Smith") == {"Katherine Smith"}
    table.remove(2)
    assert together(table, "Kit") == set(one)
    table.put(3, ("Kit", "Katherine"), [("Kit", "Katherine")])  # the same party
    assert together(table, "Kit") == {"Kit", "Katherine", "Katherine Smith"}
    family = table_of(("Oslo",))
    for number, whole in enumerate(("Smith", "Ada Smith", "Bob Smith")):
        family.put(f"f{number}", ("Falcon", whole), [("Falcon", whole)])
    assert together(family, "Falcon") == {"Falcon"}


def test_a_name_with_more_other_names_than_anybody_has_gets_none_of_them() -> None:
    table = NameTable()
    for number in range(65):
        table.put(number, ("Zed", f"Bo{number}"), [(f"Bo{number}", "Zed")])
    assert together(table, "Zed") == {"Zed"}
    assert together(table, "Bo7") == {"Bo7"}
    table.remove(64)
    assert len(together(table, "Zed")) == 64  # so many names are looked at together at most
    crowd = NameTable()
    for number in range(40):
        crowd.put(number, FALCON, [FALCON])
    assert len(crowd.group("Falcon").ties[0].told_by) == 16


def test_what_is_told_of_names_that_the_memory_does_not_mention_counts_for_nothing() -> None:
    table = table_of(("Robert Mbeki",))
    table.put(1, ("Falcon",), [FALCON, ("Falcon", "falcon")])
    assert together(table, "Falcon") == {"Falcon"}


def test_people_overrule_what_a_memory_tells() -> None:
    table = NameTable()
    table.put(1, FALCON, [FALCON])
    parted = Decisions({mention_id("Falcon"): 1, mention_id("Robert Mbeki"): 2})
    assert together(table, "Falcon", parted) == {"Falcon"}
    assert table.resolve(["Robert Mbeki"], parted)[0].others == ()


def test_other_names_are_those_with_other_words_that_somebody_told_or_decided() -> None:
    table = table_of(("Melanie Smith", "Zed"), ("Melanie", "Zed"))
    assert table.resolve(["Melanie Smith"])[0].others == ()
    learned = table_of(("Robert", "Ann"), ("Bob", "Ann"))
    assert together(learned, "Robert") == {"Robert", "Bob"}
    assert learned.resolve(["Robert"])[0].others == ()
    table.put("told", ("Bo", "Melanie Smith"), [("Bo", "Melanie Smith")])
    assert table.resolve(["Melanie Smith"])[0].others == ("Bo",)
    assert set(table.resolve(["Bo"])[0].others) == {"Melanie Smith", "Melanie"}
    assert table.resolve(["Bo"])[0].ids.tolist() == table.expand(["Melanie"])[0].tolist()
    decided = Decisions({mention_id("Zed"): 1, mention_id("Melanie Smith"): 1})
    assert set(table.resolve(["Zed"], decided)[0].others) == {"Melanie Smith", "Bo"}  # Melanie stands beside Zed


def test_the_most_frequent_name_comes_first_and_memories_count_once() -> None:
    table = table_of(("Melanie", "Caroline"), ("Mel", "Caroline"), ("Mel", "Caroline"), ("Caroline",))
    groups = table.groups()
    assert [group.names[0].text for group in groups] == ["Caroline", "Mel"]
    assert [group.memories for group in groups] == [4, 3]
    assert groups[1].counts == (2, 1)
    pair = table_of(("Ada Lovelace", "Lovelace"), ("Ada Lovelace",))
    assert pair.group("Lovelace").memories == 2


def test_forgetting_memories_leaves_nothing_of_their_names() -> None:
    table = table_of(*ADA, ("Ada Lovalace", "Zed"))
    table.put(0, FALCON, [FALCON, ("Robert Mbeki", "Falcon")])
    table.groups()
    for number in range(len(ADA) + 1):
        table.remove(number)
    assert len(table) == 0
    assert not any(vars(table)[part] for part in vars(table) if part != "_number")
    assert table.groups() == []


def test_a_name_is_shown_as_it_is_mostly_written() -> None:
    table = table_of(("ibm",), ("IBM",), ("IBM",), ("International Business Machines",))
    assert table.group("ibm").names[0].text == "IBM"
    assert together(table, "International Business Machines") == {"IBM", "International Business Machines"}
    table.remove(1)
    table.remove(2)
    assert together(table, "ibm") == {"ibm"}


NAMES = st.sampled_from(
    [
        "Ada",
        "Ada Lovelace",
        "Lovelace",
        "Dr. Lovelace",
        "Ada Byron",
        "Mel",
        "Melanie",
        "Melissa",
        "Bob",
        "Robert",
        "ada",
    ]
)
MEMORIES = st.lists(st.lists(NAMES, max_size=3, unique=True).map(tuple), max_size=12)


@settings(max_examples=150)
@given(MEMORIES, st.permutations(range(12)))
def test_groups_part_the_names_whatever_the_order(memories: list[tuple[str, ...]], order: list[int]) -> None:
    table = table_of(*memories)
    groups = table.groups()
    members = [one.id for group in groups for one in group.names]
    assert sorted(members) == sorted({mention_id(name) for mentions in memories for name in mentions})
    for group in groups:
        for one in group.names:
            assert table.group(one.text).names == group.names
    shuffled = NameTable()
    for number in [n for n in order if n < len(memories)]:
        shuffled.put(number, memories[number])
    assert [[n.id for n in group.names] for group in shuffled.groups()] == [[n.id for n in g.names] for g in groups]


TELLING = st.lists(
    st.tuples(st.lists(NAMES, max_size=3, unique=True), st.lists(st.tuples(NAMES, NAMES), max_size=2)), max_size=10
)
Telling = list[tuple[list[str], list[tuple[str, str]]]]


def filled(memories: Telling) -> NameTable:
    table = NameTable()
    for number, (mentions, said) in enumerate(memories):
        table.put(number, mentions, said)
    return table


def shown(table: NameTable) -> list[object]:
    return [(group.ids.tolist(), [(tie.rule, tie.told_by) for tie in group.ties]) for group in table.groups()]


@settings(max_examples=100)
@given(TELLING, TELLING)
def test_what_was_told_leaves_nothing_behind(first: Telling, then: Telling) -> None:
    table = filled(first)
    table.groups()
    for number in range(max(len(first), len(then))):
        if number < len(then):
            table.put(number, *then[number])
        else:
            table.remove(number)
    anew = filled(then)
    assert shown(table) == shown(anew)
    for part in ("_said", "_told_of", "_told_as"):
        assert vars(table)[part] == vars(anew)[part]
    for group in table.groups():
        assert all(table.group(one.text).names == group.names for one in group.names)


@settings(max_examples=60)
@given(MEMORIES, MEMORIES)
def test_a_table_fed_and_bled_equals_one_made_anew(first: list[tuple[str, ...]], then: list[tuple[str, ...]]) -> None:
    table = table_of(*first)
    for number in range(len(first)):
        if number < len(then):
            table.put(number, then[number])
        else:
            table.remove(number)
    for number in range(len(first), len(then)):
        table.put(number, then[number])
    assert [g.ids.tolist() for g in table.groups()] == [g.ids.tolist() for g in table_of(*then).groups()]
