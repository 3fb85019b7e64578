"""Channels find the same from lists as by scanning, to the last bit, however short the lists are."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gpu.bank.filters import ScanFilter
from gpu.bank.lists import ListedBest
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import Kind
from gpu.bank.view import BankView
from gpu.ops.channel_pass.questions import Listed, Question
from retrieval.analysis.places import place_id
from retrieval.channels.entity import EntityChannel
from retrieval.channels.keyword import KeywordChannel
from retrieval.channels.listed import LISTED, Listing
from retrieval.channels.place import PlaceChannel
from retrieval.ports import Channel
from retrieval.types import AnalysedQuery, ChannelResult
from tests.fixtures.bank_records import memory_id, with_places
from tests.fixtures.host_lists import HostLists
from tests.fixtures.told_memories import ANALYSER, DIM, Told, asked, batch_of, without

WHO, DID = ("Ada", "Bo", "Cy", "Di", "Eve"), ("sold", "saw", "broke", "painted", "lost", "found")
WHAT, WHERE = ("kayak", "piano", "lamp", "violin", "clock"), ("Lisbon", "Oslo", "Rome")
CHANNELS: tuple[Channel, ...] = (KeywordChannel(), EntityChannel(), PlaceChannel())
QUESTIONS = (
    ("Who sold the kayak?", ()),
    ("What did Ada paint in Oslo?", ("Ada",)),
    ("Did Bo or Cy lose the violin?", ("Bo", "Cy")),
    ("lamp", ()),
    ("did di break the lamp", ()),
    ("Who is Zed?", ("Zed",)),
)
EPISODIC = frozenset({Kind.EPISODIC})
ALLOWED = np.frombuffer(b"".join(memory_id(number) for number in range(20, 160)), np.uint8).reshape(-1, 16)


def bank_of(n: int, seed: int = 1) -> NamespaceBank:
    rng = np.random.default_rng(seed)

    def one(number: int) -> Told:
        who, did, what, where = (str(rng.choice(words)) for words in (WHO, DID, WHAT, WHERE))
        names = (who, str(rng.choice(WHO))) if number % 3 else (who,)
        text = f"{who} {did} the {what}" if number % 4 else f"yes, in {where}"
        kind = Kind.EPISODIC if number % 5 else Kind.SEMANTIC
        return Told(f"{text} {'again ' * (number % 5)}", names, conversation=int(rng.integers(0, n // 6)), kind=kind)

    bank = NamespaceBank(PagePool(), DIM)
    batch = batch_of([one(number) for number in range(n)])
    places = [[place_id(WHERE[number % 7])] if number % 7 < len(WHERE) else [] for number in range(n)]
    bank.put(with_places(batch, places))
    return bank


def question(text: str, names: tuple[str, ...]) -> AnalysedQuery:
    query = asked(text, names=names)
    place_ids = np.array([place_id(place) for place in WHERE if place in text], np.uint64)
    return without(
        query,
        question=replace(query.question, place_ids=place_ids, names=names),
        name_terms=ANALYSER.name_terms(list(names)),
    )


def listing(query: AnalysedQuery, view: BankView, lists: Any) -> AnalysedQuery:
    return replace(query, listing=Listing(CHANNELS, query, view, lists))


def same(found: ChannelResult | None, true: ChannelResult | None, view: BankView) -> None:
    assert (found is None) == (true is None)
    if found is None or true is None:
        return
    np.testing.assert_array_equal(found.slots, true.slots)
    np.testing.assert_array_equal(found.scores, true.scores)
    some = np.random.default_rng(0).integers(0, view.n_slots, 50)
    np.testing.assert_array_equal(found.score_of(some), true.score_of(some))
    assert found.evidence == true.evidence
    assert found.moments() == true.moments()


@pytest.mark.parametrize(
    "scan", [ScanFilter(), ScanFilter(kinds=frozenset({Kind.EPISODIC})), ScanFilter(allowed=ALLOWED)]
)
@pytest.mark.parametrize("length", [1, 20, 60, LISTED])
def test_every_channel_finds_the_same_by_lists_as_by_scanning(scan: ScanFilter, length: int) -> None:
    bank = bank_of(200)
    bank.erase(np.frombuffer(memory_id(3) + memory_id(90), np.uint8).reshape(2, 16))
    for text, names in QUESTIONS:
        with bank.view(scan) as view, bank.view(scan) as another:
            query = question(text, names)
            lists = HostLists(length)
            by_lists = listing(query, view, lists)
            for channel in CHANNELS:
                for limit in (3, 40):
                    same(channel.search(by_lists, view, limit), channel.search(query, another, limit), view)
            assert len(lists.asked) == 1, "all lists are asked for at once"


def test_words_are_not_scanned_for_where_the_list_is_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    with bank_of(400).view(ScanFilter()) as view:
        query = listing(question("What did Ada paint?", ("Ada",)), view, HostLists(LISTED))

        def fail(*_: object) -> None:
            raise AssertionError("every memory was scored")

        monkeypatch.setattr(BankView, "bm25", fail)
        assert KeywordChannel().search(query, view, 40) is not None
        assert EntityChannel().search(query, view, 40) is not None
        with pytest.raises(AssertionError, match="every memory"):
            KeywordChannel().search(listing(query, view, HostLists(5)), view, 40)


def test_a_cut_off_list_does_when_what_it_lacks_cannot_come_first() -> None:
    """The best of a list of 60 are far enough above the sixtieth for the three best to be certain, not for forty."""
    words = "kayak piano lamp violin clock"
    told = [Told(" ".join(words.split()[: 1 + number % 5]) + " filler" * 3, ()) for number in range(100)]
    bank = NamespaceBank(PagePool(), DIM)
    bank.put(batch_of([*told, *(Told("something else altogether", ()) for _ in range(100))]))
    scans: list[int] = []
    with bank.view(ScanFilter()) as view:
        query = listing(question(words, ()), view, HostLists(60))
        scan = view.bm25

        def counted(*given: Any) -> Any:
            scans.append(1)
            return scan(*given)

        view.bm25 = counted  # type: ignore[method-assign]
        assert KeywordChannel().search(query, view, 3) is not None
        assert not scans
        assert KeywordChannel().search(query, view, 80) is not None
        assert scans


def test_nobody_who_makes_lists_is_no_failure() -> None:
    class Nobody:
        def find(self, view: BankView, question: Question, limit: int) -> Mapping[Listed, ListedBest] | None:
            assert limit == LISTED
            return None

    with bank_of(60).view(ScanFilter()) as view:
        query = question("Who sold the kayak?", ("Ada",))
        for channel in CHANNELS:
            same(channel.search(listing(query, view, Nobody()), view, 9), channel.search(query, view, 9), view)


def test_channels_in_many_threads_ask_once_and_hear_of_an_error() -> None:
    calls: list[int] = []

    class Broken:
        def find(self, view: BankView, question: Question, limit: int) -> Mapping[Listed, ListedBest] | None:
            calls.append(1)
            raise RuntimeError("no such thing")

    with bank_of(60).view(ScanFilter()) as view:
        asking = Listing(CHANNELS, question("Who sold the kayak?", ("Ada",)), view, Broken())
        heard: list[str] = []

        def ask() -> None:
            try:
                asking(Listed.KEYWORD)
            except RuntimeError as error:
                heard.append(str(error))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert heard == ["no such thing"] * 4
    assert len(calls) == 1
