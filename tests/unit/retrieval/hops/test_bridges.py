"""What a memory leads on by."""

from __future__ import annotations

import pytest

from gpu.bank.filters import ScanFilter
from retrieval.analysis.folding import folded_text
from retrieval.analysis.mentions import mention_id, mentions
from retrieval.analysis.terms import stems, term_id
from retrieval.hops.bridges import bridges_of, phrases, rarity
from tests.fixtures.told import told_bank

TEXTS = [
    "Killing Pablo is a book by Mark Bowden about the Bank of England.",
    "Mark Bowden was born in Saint Louis.",
    "The Bank of England printed a vermilion note.",
    "A vermilion kite.",
    *(f"Filler number {number} about a kite." for number in range(40)),
]


def _ids(text: str) -> set[int]:
    return {mention_id(name) for name in mentions(text)}


def _terms(text: str) -> set[int]:
    return {term_id(stem) for stem in stems(text)}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("We read Mark Bowden's book in May.", ["mark bowden"]),
        ("They met at the Bank of England; then Ada left.", ["bank of england", "ada"]),
        ("It was João Ávila who wrote to @mira_k.", ["joão ávila", "@mira_k"]),
        ("Nothing here.", []),
    ],
)
def test_names_are_found_again_in_the_folded_text(text: str, names: list[str]) -> None:
    assert [name for name, is_name in phrases(folded_text(text), _ids(text)) if is_name] == names


def test_the_longest_name_is_taken_whole() -> None:
    text = "Ada and Ada Lovelace and Lovelace"
    ids = {mention_id(name) for name in ("Ada", "Ada Lovelace", "Lovelace")}
    assert [name for name, _ in phrases(folded_text(text), ids)] == ["ada", "ada lovelace", "lovelace"]


def test_only_what_others_hold_and_the_question_does_not_leads_on() -> None:
    with told_bank(TEXTS).view(ScanFilter()) as view:
        found = bridges_of(view, phrases(folded_text(TEXTS[0]), _ids(TEXTS[0])), 0, _terms("killing pablo"), most=8)
        assert [(bridge.text, bridge.is_name) for bridge in found] == [("mark bowden", True), ("bank of england", True)]
        assert {bridge.source for bridge in found} == {0}
        assert not bridges_of(view, [("mark bowden", True)], 0, _terms("mark bowden"), most=8)
        assert bridges_of(view, [("mark bowden", True)], 0, _terms("mark"), most=8)  # half of it is new


def test_a_common_word_leads_nowhere_and_a_rare_one_counts_half() -> None:
    with told_bank(TEXTS).view(ScanFilter()) as view:
        found = bridges_of(view, [("kite", False), ("vermilion", False), ("mark bowden", True)], 3, (), most=8)
        assert [bridge.text for bridge in found] == ["mark bowden", "vermilion"]
        name, word = found
        assert name.worth == pytest.approx(rarity(2, len(TEXTS)))
        assert word.worth == pytest.approx(rarity(2, len(TEXTS)) / 2)
        assert len(bridges_of(view, [("vermilion", False), ("mark bowden", True)], 3, (), most=1)) == 1


def test_rarity_goes_from_one_to_nothing() -> None:
    assert rarity(1, 1000) == 1.0
    assert rarity(1000, 1000) == pytest.approx(0.0)
    assert 0.0 < rarity(10, 1000) < rarity(5, 1000) < 1.0
