"""What says the same, and what is off by one word."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks._reworded import contradictions, reworded
from lifecycle.wording import says_same, wording

SAME = [
    ("I'm going to the movie with 3 kids.", "I am going to the film with three children"),
    ("i live in oslo", "I live in Oslo."),
    ("Hey, I really like it.", "I like it!"),
    ("Last week, I met Ada.", "I met Ada last week."),
    ("Yesterday, Ada came.", "Ada came yesterday"),
    ("It costs 1,000 dollars.", "It costs 1000 dollars"),
    ("We can't come; we won't stay.", "We cannot come; we will not stay."),
    ("Ada works at Fjord Labs.", "Ada is employed by Fjord Labs."),
    ("I'm based in Oslo.", "I live in Oslo."),
    ("Ada: Well, I like tea.", "Ada: I like tea."),
    ("Don\u2019t call me.", "Do not call me."),
]
OTHER = [
    ("I have 3 cats.", "I have 4 cats."),
    ("It is 5%.", "It is 5."),
    ("It is -5 outside.", "It is 5 outside."),
    ("I code in C.", "I code in C++."),
    ("I do not like tea.", "I like tea."),
    ("It is not just a game.", "It is not a game."),
    ("Nobody came.", "Everybody came."),
    ("Ada told Ben.", "Ben told Ada."),
    ("I work here.", "I worked here."),
    ("My car is old.", "Your car is old."),
    ("We had turkey.", "We had Turkey."),
    ("Vitamin A helps.", "Vitamin helps."),
    ("You like tea?", "You like tea."),
    ("I might go.", "I will go."),
    ("I live in Oslo, Norway.", "I live in Oslo."),
    ("I have lived in Oslo since 2019.", "I have lived in Oslo since 2020."),
    ("Ada: I like tea.", "Ben: I like tea."),
    ("\U0001f44d", "\U0001f44e"),
    ("I left when Ada came.", "Ada came when I left."),
    ("The train is from Oslo to Bergen.", "The train is from Bergen to Oslo."),
    ("Only Ada came.", "Ada came."),
    ("All of them know.", "Some of them know."),
    ("I lived in Oslo. I live in Rome.", "I live in Rome. I lived in Oslo."),
    ("", ""),
    ("...", "!"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_says_the_same(one: str, other: str) -> None:
    first, second = wording(one, "Ada"), wording(other, "Ada")
    assert says_same(first, second)
    assert says_same(second, first)
    assert set(first.keys) & set(second.keys), "it is found by looking it up"


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_does_not(one: str, other: str) -> None:
    assert not says_same(wording(one, "Ada"), wording(other, "Ada"))
    assert not says_same(wording(other, "Ada"), wording(one, "Ada"))


_TEXT = st.text(st.sampled_from("aAb1 .,?!'-:\n\u2019\U0001f44dnotIwlthe"), max_size=80)


@given(_TEXT, _TEXT)
@settings(max_examples=200, deadline=None)
def test_it_is_an_equivalence_on_what_can_be_looked_up(one: str, other: str) -> None:
    first, second = wording(one), wording(other)
    assert says_same(first, first) == bool(len(first))
    assert says_same(first, second) == says_same(second, first)
    if says_same(first, second):
        assert set(first.keys) & set(second.keys)


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_text_has_a_wording(text: str) -> None:
    wording(text)


SENTENCES = [
    "I met Alice in Oslo on Monday.",
    "We bought 3 old bikes from the shop.",
    "My brother always likes hot tea in the morning.",
    "The office is open before 9 and the door is red.",
    "She was happy with her new guitar yesterday.",
]


@pytest.mark.parametrize("text", SENTENCES)
@pytest.mark.parametrize("seed", range(5))
def test_no_contradiction_says_the_same_however_it_is_worded(text: str, seed: int) -> None:
    said = wording(text)
    for _, other in contradictions(text, seed):
        for again in (other, *reworded(other, seed, 3)):
            assert not says_same(said, wording(again)), again


def test_time_stays_linear_in_the_text() -> None:
    wording("a, b. " * 40_000)
    wording("'" * 100_000)
    wording("A" * 200_000)
