"""Following bridges: chains that one search cannot see, when it stops, and what it never does."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from itertools import pairwise
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from retrieval.fusion import Ranking
from retrieval.hops.hopper import FROM_QUESTION, Asked, Hopper, Hops, Stop
from tests.fixtures.bank_records import memory_id
from tests.fixtures.told import ANALYSER, first_stage, told_bank, told_question

SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]


def _hop(bank: NamespaceBank, text: str, hopper: Hopper | None = None, **options: object) -> tuple[Ranking, Hops]:
    question = told_question(text, scan=options.pop("scan", None))  # type: ignore[arg-type]
    with bank.view(question.query.scan) as view:
        first = first_stage(question, view)
        asked = Asked(question.terms.ids, ANALYSER.analyse(text).mentions)
        hops = (hopper or Hopper()).hop(asked, view, first.ranking, first.score_of, **options)  # type: ignore[arg-type]
        hops.in_words(view)
    return first.ranking, hops


def _keys(count: int, seed: int) -> list[str]:
    """Made-up words, all different."""
    rng = random.Random(seed)
    keys: dict[str, None] = {}
    while len(keys) < count:
        keys["".join(rng.choice(SYLLABLES) for _ in range(4))] = None
    return list(keys)


def _haystack(depth: int, seed: int) -> tuple[list[str], list[int]]:
    """A chain of `depth` keys among others of the same form, shuffled: the texts, and where its links are."""
    keys = _keys(depth + 1 + 300, seed)
    chain, others = keys[: depth + 1], keys[depth + 1 :]
    texts = [f"The key of {a} is {b}." for a, b in pairwise(chain)]
    texts += [f"The key of {a} is {b}." for a, b in pairwise(others)]
    order = list(range(len(texts)))
    random.Random(seed).shuffle(order)
    return [texts[number] for number in order], [order.index(link) for link in range(depth)]


@pytest.mark.parametrize("depth", [2, 3, 5, 8])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_chain_of_keys_is_followed_to_its_end(depth: int, seed: int) -> None:
    texts, chain = _haystack(depth, seed)
    start = texts[chain[0]].split()[3]
    first, hops = _hop(told_bank(texts), f"Where does the chain of keys end that starts at {start}?")
    assert chain[-1] not in first.slots[:10].tolist()  # one search does not find it
    found = hops.ranking.slots[:10].tolist()
    assert found[0] == chain[0]
    assert set(chain) <= set(found)
    assert [slot for slot in found if slot in chain] == chain  # and in the order of the chain


def test_a_chain_is_followed_no_further_than_allowed() -> None:
    texts, chain = _haystack(8, 1)
    start = texts[chain[0]].split()[3]
    bank, question = told_bank(texts), f"Where does the chain of keys end that starts at {start}?"
    _, hops = _hop(bank, question, Hopper(max_hops=2, max_thread=4))
    assert hops.hops == 4
    assert hops.stop is Stop.FAR_ENOUGH
    assert [slot in hops.via for slot in chain] == [False, True, True, True, True, False, False, False]


BOOKS = [
    "Killing Pablo is a book written by Mark Bowden.",
    "Mark Bowden was born in Saint Louis and studied at Loyola University.",
    "Pablo Salvador wrote a blog in Chile.",
    *(f"Writer {name} was born in the town of {name}ville." for name in _keys(60, 7)),
]


def test_a_name_leads_to_what_the_question_does_not_name() -> None:
    question = "Where was the author of Killing Pablo born?"
    first, hops = _hop(told_bank(BOOKS), question)
    assert first.slots.tolist().index(1) > 5
    assert hops.ranking.slots.tolist().index(1) <= 2
    assert hops.via[1] == 0


def test_the_trail_says_what_led_where() -> None:
    bank = told_bank(BOOKS)
    _, hops = _hop(bank, "Where was the author of Killing Pablo born?")
    with bank.view(ScanFilter()) as view:
        lines = hops.in_words(view)
        ids = [str(UUID(bytes=memory_id(number))) for number in (0, 1)]
    assert any(line == f'hop 1: "mark bowden" from memory {ids[0]} -> memory {ids[1]}' for line in lines)
    assert lines[-1].startswith(f"ended after {hops.hops}: ")


def test_a_name_of_the_question_that_no_hit_holds_is_looked_for() -> None:
    texts = [
        *(f"The comedy film number {number} is a comedy film of the year." for number in range(30)),
        "A long novel of the old days, in which somebody called Rocinante carries an old knight around the land.",
    ]
    question = "Which comedy film is a comedy film: number five, or the one with Rocinante?"
    first = Ranking(np.arange(5, dtype=np.int64), np.linspace(3.0, 1.0, 5))
    analysis = ANALYSER.analyse(question)
    with told_bank(texts).view(ScanFilter()) as view:
        hops = Hopper().hop(
            Asked(analysis.terms.ids, analysis.mentions), view, first, lambda slots: np.ones(slots.size)
        )
    assert hops.via[30] == FROM_QUESTION
    assert 30 in hops.ranking.slots[:3].tolist()


def test_what_one_memory_holds_altogether_is_not_searched_further() -> None:
    texts = ["Ada Lovelace planted apple trees in Kent.", "Ada Lovelace moved away.", *BOOKS[3:]]
    first, hops = _hop(told_bank(texts), "Where did Ada Lovelace plant apple trees, in Kent?")
    assert hops.stop is Stop.COVERED
    assert hops.hops == 0
    assert hops.ranking.slots.tolist() == first.slots.tolist()


def test_no_bridge_no_hop() -> None:
    first, hops = _hop(
        told_bank(["tea in the garden", "rain over there", "bread and milk"]), "Is there some tea or coffee?"
    )
    assert hops.stop is Stop.NO_WAY_ON
    assert hops.ranking.slots.tolist() == first.slots.tolist()
    np.testing.assert_allclose(hops.ranking.scores, first.scores)


def test_a_hop_that_gains_nothing_is_the_last() -> None:
    _, hops = _hop(told_bank(BOOKS), "Where was the author of Killing Pablo born?", Hopper(least_gain=10.0))
    assert hops.stop is Stop.NO_GAIN
    assert hops.hops == 1


def test_time_ends_it_without_a_loss() -> None:
    first, hops = _hop(
        told_bank(BOOKS), "Where was the author of Killing Pablo born?", ends_at_s=time.monotonic() - 1.0
    )
    assert hops.stop is Stop.TIME
    assert hops.ranking.slots.tolist() == first.slots.tolist()


def test_the_filter_holds_on_every_hop() -> None:
    allowed = np.frombuffer(b"".join(memory_id(i) for i in range(len(BOOKS)) if i != 1), np.uint8).reshape(-1, 16)
    _, hops = _hop(
        told_bank(BOOKS), "Where was the author of Killing Pablo born?", scan=replace(ScanFilter(), allowed=allowed)
    )
    assert 1 not in hops.ranking.slots.tolist()


def test_an_empty_bank_has_no_hops() -> None:
    bank = told_bank(BOOKS)
    with bank.view(ScanFilter()) as view:
        nothing = Ranking(np.empty(0, np.int64), np.empty(0))
        hops = Hopper().hop(Asked(np.array([1], np.uint32)), view, nothing, lambda slots: np.zeros(slots.size))
    assert hops.ranking.slots.size == 0


NAMES = ["Ada", "Bert Crown", "Cleo", "Dora Elm", "Emil"]
SENTENCES = st.tuples(st.sampled_from(NAMES), st.sampled_from(["met", "paid", "saw"]), st.sampled_from(NAMES))


@settings(max_examples=60)
@given(
    told=st.lists(SENTENCES, min_size=2, max_size=14),
    asked=st.tuples(st.sampled_from(NAMES), st.sampled_from(["met", "paid"])),
    beam=st.integers(1, 4),
    decay=st.floats(0.3, 0.95),
)
def test_what_is_found_stands_below_what_led_to_it_and_nothing_is_lost(
    told: list[tuple[str, str, str]], asked: tuple[str, str], beam: int, decay: float
) -> None:
    texts = [f"Yesterday {a} {verb} {b} at the lake." for a, verb, b in told] + [f"filler {n}" for n in range(30)]
    hopper, bank, question = Hopper(beam=beam, decay=decay), told_bank(texts), f"Whom did the friend of {asked[0]} see?"
    first, hops = _hop(bank, question, hopper)
    order, scores = hops.ranking.slots.tolist(), hops.ranking.scores.tolist()
    assert len(set(order)) == len(order)
    assert set(first.slots.tolist()) <= set(order)
    assert scores == sorted(scores, reverse=True)
    assert order[:1] == first.slots[:1].tolist() or FROM_QUESTION in hops.via.values()
    place = {slot: number for number, slot in enumerate(order)}
    before = dict(zip(first.slots.tolist(), first.scores.tolist(), strict=True))
    for slot, parent in hops.via.items():
        assert parent == FROM_QUESTION or place[parent] < place[slot]
    for slot, score in before.items():
        assert scores[place[slot]] >= score - 1e-9
    again = _hop(bank, question, hopper)[1]
    assert again.ranking.slots.tolist() == order
