"""Golden cases of the text analysis: stored ids must never drift without a new version."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from retrieval.analysis.analyser import TextAnalyser
from retrieval.analysis.mentions import mention_id, mentions
from retrieval.analysis.places import place_id
from retrieval.analysis.terms import hashed, stems, term_id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("When did Caroline go to the support groups?", ["carolin", "go", "support", "group"]),
        ("Ada's dogs don't run", ["ada", "dog", "run"]),
        ("running runs", ["run", "run"]),
        ("", []),
        ("the of and", []),
        ("room 12 on 2024-05-07", ["room", "12", "2024", "05", "07"]),
        ("ＦＵＬＬ　ｗｉｄｔｈ", ["full", "width"]),
        ("Straße", ["strass"]),
        ("cooperate co\u00adoperate", ["cooper", "cooper"]),
        ("京都に", ["京都", "都に"]),
        ("茶", ["茶"]),
        ("iPhone15を買う", ["iphone15", "を買", "買う"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("Привет, мир", ["привет", "мир"]),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert stems(text) == expected


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("getUserName", ["getusernam", "get", "user", "name"]),
        ("user_name", ["user_nam", "user", "name"]),
        ("HTTPServer", ["httpserver", "http", "server"]),
        ("Caroline", ["carolin"]),
        ("NASA", ["nasa"]),
    ],
)
def test_identifiers_count_whole_and_in_parts(word: str, parts: list[str]) -> None:
    assert stems(word) == parts


def test_term_ids_never_change() -> None:
    assert term_id("carolin") == 3274504315
    assert mention_id("Ada  LOVELACE") == mention_id("ada lovelace") == 4483805520627123718


def test_frequencies_and_length() -> None:
    terms = hashed(["b", "a", "b"])
    assert terms.length == 3
    assert dict(zip(terms.ids.tolist(), terms.freqs.tolist(), strict=True)) == {term_id("a"): 1, term_id("b"): 2}
    assert terms.ids.dtype == np.uint32
    assert terms.freqs.dtype == np.uint16
    assert np.all(np.diff(terms.ids.astype(np.int64)) > 0)


def test_a_frequency_beyond_its_type_stays_at_the_largest() -> None:
    assert hashed(["a"] * 70_000).freqs.tolist() == [65_535]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("When did Caroline go to Paris?", ("Caroline", "Paris")),
        ("Planted roses today.", ()),
        ("Caroline: Hey Mel!", ("Caroline", "Mel")),
        ("The Eiffel Tower is in Paris.", ("Eiffel Tower", "Paris")),
        ("We visited the Bank of England.", ("Bank of England",)),
        ("I spoke to O'Brien's dog.", ("O'Brien",)),
        ("Grace laughed. I saw Grace again.", ("Grace",)),
        ("In May we met on Monday.", ()),
        ("ask @ada.b about user_name and GPT-4", ("@ada.b", "user_name", "GPT-4")),
        ('he played "clair de lune" twice', ("clair de lune",)),
        ("", ()),
    ],
)
def test_mentions(text: str, expected: tuple[str, ...]) -> None:
    assert mentions(text) == expected


def test_a_speaker_is_a_mention_and_part_of_the_text() -> None:
    analyser = TextAnalyser()
    analysis = analyser.analyse("I adopted a kitten.", speaker="Melanie")
    assert analysis.mentions == ("Melanie",)
    assert term_id("melani") in analysis.terms.ids
    assert analyser.analyse("I adopted a kitten.").terms.length == analysis.terms.length - 1


def test_a_speaker_who_opens_the_text_is_not_counted_twice() -> None:
    analyser = TextAnalyser()
    text = "Melanie: I adopted a kitten."
    with_speaker, without = analyser.analyse(text, speaker="Melanie"), analyser.analyse(text)
    assert with_speaker.terms.freqs.tolist() == without.terms.freqs.tolist()
    assert with_speaker.mentions == without.mentions == ("Melanie",)


def test_questions_and_memories_have_the_same_terms() -> None:
    analyser = TextAnalyser()
    text = "What did Ada plant in bed 7?"
    asked, stored = analyser.query_terms(text), analyser.analyse(text).terms
    assert asked.ids.tolist() == stored.ids.tolist()


@pytest.mark.parametrize("unit", ["A ", "A.", '"a', "a_", "Aa", "@a.", "x1", "京", "\ud800", "A\u0301"])
def test_hostile_repetition_stays_linear(unit: str) -> None:
    analysis = TextAnalyser().analyse(unit * 50_000)
    assert len(analysis.mentions) <= 256


def test_an_analysis_has_times_and_places() -> None:
    said_at = datetime(2024, 5, 16, 14, 30, tzinfo=UTC)
    found = TextAnalyser().analyse("Yesterday we met in Berlin.", place="Cafe Luna, Paris", occurred_at=said_at)
    assert found.spans.tolist() == [[1_715_731_200_000_000, 1_715_817_600_000_000]]
    assert found.place_ids.tolist() == sorted(map(place_id, ("Cafe Luna, Paris", "Cafe Luna", "Paris", "Berlin")))
    assert TextAnalyser().analyse("Yesterday we met.").spans.shape == (0, 2)


@pytest.mark.parametrize(
    ("text", "speaker", "who"),
    [
        ("Caroline: Hey Mel! How was the trip?", None, "Caroline"),
        ("Hey Mel! How was the trip?", "Caroline", "Caroline"),
        ("Mel: I told Caroline.", " Melanie ", "Melanie"),
        ("Ada Lovelace: I wrote to Charles Babbage.", None, "Ada Lovelace"),
    ],
)
def test_a_text_knows_its_speaker(text: str, speaker: str | None, who: str) -> None:
    found = TextAnalyser().analyse(text, speaker=speaker)
    assert found.speaker_id == mention_id(who)
    assert found.speaker_id in found.mention_ids


@pytest.mark.parametrize("text", ["planted roses", "Ada wrote to Charles", "Then: nothing", "at 10: Ada came", ""])
def test_a_text_that_does_not_open_with_a_speaker_has_none(text: str) -> None:
    assert TextAnalyser().analyse(text).speaker_id == 0


def test_each_line_of_a_talk_has_its_own_speaker() -> None:
    found = TextAnalyser().analyse("Wanda: Good morning!\nRobert: My nickname is Pip.")
    assert found.speaker_id == mention_id("Wanda")
    assert [(one.alias, one.name) for one in found.told] == [("Pip", "Robert")]
