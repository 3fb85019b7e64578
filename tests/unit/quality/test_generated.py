"""The generators, played against services whose score is known: one knows all, one is empty, one guesses."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.quality.ability import Ability, Ask, Measure, play
from benchmarks.quality.generated import MAKERS, Clocks, exact, folded, gists, naive_scan, order, threads

Json = dict[str, Any]
Answer = Callable[[Json], list[str]]


class Pretending:
    """A service that takes every write and answers as it is told to."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.written: list[Json] = []

    def post(self, path: str, body: Json) -> Json:
        if path == "/v1/memories:batch":
            self.written += body["memories"]
            items = [
                {"status": 201, "id": f"id of {m['external_id']}", "external_id": m["external_id"]}
                for m in body["memories"]
            ]
            return {"items": items}
        hits = [{"memory": {"external_id": name}, "channels": {}} for name in self._answer(body)]
        return {"hits": hits[: body["top_k"]]}


def knowing(ability: Ability) -> Pretending:
    gold = {ask.text: sorted(ask.gold) for ask in ability.asks}
    return Pretending(lambda body: gold[body["query"]])


def guessing(ability: Ability) -> Pretending:
    """Finds all that may be meant, in any order."""
    dice = random.Random(1)
    meant = {ask.text: sorted(ask.gold | ask.against) for ask in ability.asks}
    return Pretending(lambda body: dice.sample(meant[body["query"]], len(meant[body["query"]])))


@pytest.mark.parametrize("name", MAKERS)
def test_who_knows_all_scores_one_and_who_knows_nothing_scores_zero(name: str) -> None:
    ability = MAKERS[name](8, 1)
    assert play(knowing(ability), ability, "made").score == 1.0
    assert play(Pretending(lambda body: []), ability, "made").score == 0.0


@pytest.mark.parametrize("name", [name for name in MAKERS if name not in {"threads", "exact text", "gist to sources"}])
def test_who_guesses_scores_what_the_ability_calls_chance(name: str) -> None:
    ability = MAKERS[name](60, 1)
    assert play(guessing(ability), ability, "made").score == pytest.approx(ability.chance, abs=0.1)


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_seed_makes_the_same_and_another_one_does_not(name: str) -> None:
    assert MAKERS[name](8, 3) == MAKERS[name](8, 3)
    assert MAKERS[name](8, 3) != MAKERS[name](8, 4)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("size", [7, 30])
def test_every_question_is_asked_once_and_about_memories_that_are_there(name: str, size: int) -> None:
    ability = MAKERS[name](size, 1)
    ids = [memory["external_id"] for memory in ability.memories]
    assert len(set(ids)) == len(ids)
    assert len({ask.text for ask in ability.asks}) == len(ability.asks)
    for ask in ability.asks:
        assert ask.gold
        assert not ask.gold & ask.against
        assert ask.gold | ask.against <= set(ids)


@pytest.mark.parametrize("clocks", list(Clocks))
def test_what_the_clocks_tell_is_what_they_should(clocks: Clocks) -> None:
    talks: dict[str, list[Json]] = {}
    for memory in order(6, 1, clocks).memories:
        talks.setdefault(memory["session_id"], []).append(memory)
    for turns in talks.values():
        told = [memory["external_id"] for memory in turns]
        stamps = [memory.get("occurred_at") for memory in turns]
        assert (told == sorted(told)) is (clocks is not Clocks.SHUFFLED)
        assert len(set(stamps)) == (1 if clocks in (Clocks.EQUAL, Clocks.MISSING) else 7)
        assert (stamps == [None] * 7) is (clocks is Clocks.MISSING)
        if clocks is Clocks.TRUE:
            assert stamps == sorted(stamps, key=str)


def test_a_thread_names_its_next_box_and_no_other_note_names_it() -> None:
    ability = threads(2, 1)
    contents = {memory["external_id"]: memory["content"] for memory in ability.memories}
    for ask in ability.asks:
        start = ask.text.split()[3]
        assert sum(start in content for content in contents.values()) == 1
        here, passed = start, set()
        while following := [name for name, content in contents.items() if f"in box {here} says" in content]:
            passed.update(following)
            here = contents[following[0]].split()[-1].removesuffix(".")
        assert passed == ask.gold
        assert ask.type == f"{len(passed)} hops"


def test_links_go_to_memories_that_were_written_before() -> None:
    ability = gists(3, 1)
    service = knowing(ability)
    play(service, ability, "made")
    linked = [memory for memory in service.written if "links" in memory]
    assert len(linked) == 3
    assert linked[0]["links"][0] == {"relation": "derived_from", "memory_id": "id of gist-0/0"}


def test_a_naive_scan_folds_as_a_reader_would() -> None:
    texts = {"a": "The ﬁnal\n  Straße", "b": "the final strasse", "c": "finale"}
    assert naive_scan(texts, "FINAL  STRASSE") == {"a", "b"}
    assert naive_scan(texts, "final") == {"a", "b", "c"}
    assert folded(" A\t B ") == "a b"


def test_wanted_strings_of_every_kind_are_found_by_the_naive_scan() -> None:
    ability = exact(84, 1)
    kinds = {"phrase", "identifier", "path", "error code", "substring", "one typo"}
    assert {ask.type for ask in ability.asks} == kinds
    assert len(ability.asks) >= 70


@pytest.mark.parametrize(
    ("measure", "found", "score"),
    [
        (Measure.ABOVE, ["x", "g1", "a"], 1.0),
        (Measure.ABOVE, ["a", "g1"], 0.0),
        (Measure.ABOVE, ["x"], 0.0),
        (Measure.FOUND, ["x", "g1"], 0.5),
        (Measure.FIRST, ["g2", "g1", "a"], 1.0),
        (Measure.FIRST, ["g2", "a", "g1"], 0.0),
    ],
)
def test_scores(measure: Measure, found: list[str], score: float) -> None:
    assert Ask("?", "t", frozenset({"g1", "g2"}), frozenset({"a"}), measure).score(found) == score
