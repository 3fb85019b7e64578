"""What texts tell of names, and how much more often they tell nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.analysis.analyser import TextAnalyser
from retrieval.analysis.mentions import folded, mention_id
from retrieval.analysis.told_names import told_names
from tests.fixtures.growth import assert_linear

FALCON, KIT, BEIJING = ("Falcon", "Robert Mbeki"), ("Kit", "Katherine"), ("Beijing", "Peking")
IBM = ("IBM", "International Business Machines")

TOLD = {
    "Robert Mbeki, also known as the Falcon, lives in Oslo.": FALCON,
    "We met Robert Mbeki, better known as the Falcon.": FALCON,
    "Robert Mbeki, known to his friends as the Falcon, sang.": FALCON,
    "Robert Mbeki is widely known as the Falcon.": FALCON,
    "Robert Mbeki a.k.a. the Falcon came.": FALCON,
    "Robert Mbeki (aka the Falcon) left at nine.": FALCON,
    "Robert Mbeki AKA Falcon was there.": FALCON,
    "Robert Mbeki alias Falcon was there.": FALCON,
    "Robert Mbeki, nicknamed “the Falcon”, sang.": FALCON,
    "Robert Mbeki, whose stage name is the Falcon, sang.": FALCON,
    "I spoke with Robert Mbeki, also known as the Falcon.": FALCON,
    "I did not see Robert Mbeki, also known as the Falcon.": FALCON,
    "The Falcon is the same person as Robert Mbeki.": FALCON,
    "In Lagos, Robert Mbeki is known as the Falcon.": FALCON,
    "Everyone calls Robert Mbeki the Falcon.": FALCON,
    "Everyone calls Katherine Kit.": KIT,
    'Her friends always call Katherine "Kit".': KIT,
    "Kit is short for Katherine.": KIT,
    "I heard that Kit is short for Katherine, and Ann agreed.": KIT,
    "We talked to Ann. Kit is short for Katherine.": KIT,
    "I doubt it!\nKit is short for Katherine.": KIT,
    "Katherine goes by Kit these days.": KIT,
    "Katherine goes by Kit now.": KIT,
    "Katherine, whom friends call Kit, left.": KIT,
    "Katherine, who goes by Kit, left.": KIT,
    "Katherine's nickname is Kit.": KIT,
    "Kit is Katherine’s nickname.": KIT,
    "My sister Katherine goes by Kit.": KIT,
    "Peking, now called Beijing, is large.": BEIJING,
    "Beijing used to be called Peking.": ("Peking", "Beijing"),
    "Beijing was formerly known as Peking.": ("Peking", "Beijing"),
    "Mark Twain is the pen name of Samuel Clemens.": ("Mark Twain", "Samuel Clemens"),
    "Katherine Smith, née Jones, is here.": ("Katherine Jones", "Katherine Smith"),
    "IBM (International Business Machines) hired us.": IBM,
    "International Business Machines (IBM) hired us.": IBM,
    "International Business Machines, IBM for short, hired us.": IBM,
    "IBM stands for International Business Machines.": IBM,
    "Robert goes by @falcon on the forum.": ("@falcon", "Robert"),
}
SILENT = (
    # denied, asked, doubted
    "Robert is not called Bob.",
    "Robert isn't nicknamed Bob.",
    "Robert is no longer called Bob.",
    "Nobody calls Katherine Kit.",
    "It is not true that Kit is short for Katherine.",
    "Is Kit short for Katherine?",
    "Kit is short for Katherine?",
    "Do you know Robert Mbeki, also known as the Falcon?",
    "If Kit is short for Katherine, fine.",
    "Robert would be called Bob.",
    "Kit may be short for Katherine.",
    "I think Kit is short for Katherine.",
    "Kit is short for Katherine, I think.",
    "Suppose Kit is short for Katherine.",
    "He joked that Kit is short for Katherine.",
    # rows of names
    "Kit, Katherine, Robert and Bob came.",
    "Ann and Robert, also known as the Falcons, came.",
    "Robert Mbeki, also known as the Falcon or the Hawk, came.",
    "Katherine is nicknamed Kit, Kat and Kitty.",
    "Kit is short for Katherine or Christopher.",
    # about something else
    "The capital of Peru is called Lima.",
    "The train to Lisbon is called Ada.",
    "The mayor of Lisbon, also known as the Falcon, came.",
    "My friend from Paris goes by Kit.",
    "Ada's dog is called Rex.",
    "Rex is the name of Ada's dog.",
    "Katherine (short for Kit's own reasons) left.",
    "Robert Mbeki, also known as the Falcon's uncle, came.",
    "Friends of Robert call Ann the Falcon man.",
    # no names of each other
    "Paris (France) is large.",
    "Ann (Sales) met Bob (IT).",
    "Everyone calls Katherine Smith.",
    "Everyone calls Robert on Monday.",
    "Robert called Ann.",
    "Robert, called Ann and left.",
    "Robert, who lives in Lisbon, often called Ada.",
    "Robert, who lives in Lisbon, also called Ada.",
    "Robert, who lives in Lisbon, nicknamed Ann the Falcon.",
    "Robert went by Lisbon.",
    "The Orient Express goes by Lisbon.",
    "Robert goes by the Bank of England.",
    "Robert stands for Parliament.",
    "Ann was named Director.",
    "Ann is called Doctor by all.",
    "Robert Mbeki is known for the Falcon.",
    "Robert met Ann. Also known as the Falcon.",
    "Mom is called Mary.",
    "They call him Bob.",
    "This is Katherine, but everyone calls her Kit.",
    "Robert, also known as Robert, came.",
)


@pytest.mark.parametrize("text", TOLD)
def test_a_statement_tells_one_name(text: str) -> None:
    assert told_names(text) == (TOLD[text],)


@pytest.mark.parametrize("text", SILENT)
def test_what_is_no_statement_tells_nothing(text: str) -> None:
    assert told_names(text, "Zed Oakley") == ()


@pytest.mark.parametrize(
    "text",
    [
        "My nickname is Bo.",
        "Hi, my friends call me Bo!",
        "Everyone calls me Bo.",
        "I go by Bo.",
        "I'm also known as Bo.",
        "Please call me Bo.",
        "Well, my name is Bo and I work here.",
        'Everybody calls me "Bo".',
    ],
)
def test_speakers_tell_of_themselves(text: str) -> None:
    assert told_names(text, "Robert Mbeki") == (("Bo", "Robert Mbeki"),)
    assert told_names(f"Robert Mbeki: {text}") == (("Bo", "Robert Mbeki"),)
    assert told_names(text) == ()
    assert told_names(text, "user") == ()
    assert told_names(f"Note: {text}") == ()


@pytest.mark.parametrize(
    "text",
    [
        "Can you call me Bo?",
        'He said "my nickname is Bo".',
        'He said: "Hello there, my nickname is Bo."',
        "My nickname is not Bo.",
        "My nickname would be Bo.",
        "Nobody calls me Bo.",
        "My dog's nickname is Bo.",
        "If you call me Bo, I leave.",
        "I wish everyone called me Bo.",
        "Please call me, Ann.",
        "Call me Monday.",
        "They called me Tuesday.",
        "I go by Lisbon Station often.",
    ],
)
def test_speakers_who_say_something_else(text: str) -> None:
    assert told_names(text, "Robert Mbeki") == ()


def test_lines_have_their_own_speakers_where_none_is_given() -> None:
    text = "Ada: My nickname is Bo.\nAnn: Nice. My nickname is Zed."
    assert told_names(text) == (("Bo", "Ada"), ("Zed", "Ann"))


def test_the_names_that_are_told_are_mentions() -> None:
    analysis = TextAnalyser().analyse("Kit is short for Katherine.")
    assert analysis.mentions == ("Katherine", "Kit")
    assert analysis.told == (KIT,)
    joined = TextAnalyser().analyse("Everyone calls Katherine Kit. In Oslo too.")
    assert joined.mentions == ("Oslo", "Katherine", "Kit")
    assert joined.mention_ids.tolist() == sorted(map(mention_id, joined.mentions))


def test_a_text_of_many_statements_stays_bounded() -> None:
    text = " ".join(f"Robert Mbeki, also known as Falcon{n}." for n in range(100))
    assert len(told_names(text)) == 32
    analysis = TextAnalyser().analyse(
        " and ".join(f"Zed Number{n}" for n in range(300)) + ". Kit is short for Katherine."
    )
    assert len(analysis.mentions) == 256
    assert analysis.told == ()


@pytest.mark.parametrize(
    "unit",
    ["Bo. ", "Bo, also known as ", "call Bo. ", "(Bo) ", "Bo is short for ", "my nickname is ", "Everyone calls Bo ",
     "known to known as ", "A: my nickname is Bo\n", "I go by ", "aka ", '"Bo" ', " ", "\n"],
)  # fmt: skip
def test_hostile_repetition_stays_linear(unit: str) -> None:
    assert_linear(lambda text: told_names(text, "Ann"), lambda size: unit * (size // len(unit)), 131_072)


PIECES = st.sampled_from(
    [
        *TOLD,
        *SILENT,
        "Kit",
        "Katherine",
        " is short for ",
        ", also known as the ",
        "not",
        "?",
        " (",
        ")",
        "\n",
        '"',
        "I",
    ]
)


@given(st.lists(PIECES, max_size=8).map(" ".join), st.sampled_from([None, "", "Ann", "user"]))
def test_what_is_told_is_always_among_the_mentions(text: str, speaker: str | None) -> None:
    analysis = TextAnalyser().analyse(text, speaker=speaker)
    known = {folded(name) for name in analysis.mentions}
    assert len(known) == len(analysis.mentions) == len(analysis.mention_ids)
    for alias, name in analysis.told:
        assert {folded(alias), folded(name)} <= known
        assert folded(alias) != folded(name)


@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    assert len(told_names(text, text[:20])) <= 32
