"""Properties of the text analysis over any text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from retrieval.analysis.analyser import TextAnalyser

ANALYSER = TextAnalyser()
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=[]), max_size=200)


@given(ANY_TEXT)
def test_any_text_can_be_analysed_and_counts_agree(text: str) -> None:
    analysis = ANALYSER.analyse(text)
    assert int(analysis.terms.freqs.sum()) == analysis.terms.length
    assert len(analysis.mentions) == len(analysis.mention_ids)


@given(ANY_TEXT)
def test_the_same_text_gives_the_same_analysis(text: str) -> None:
    one, other = ANALYSER.analyse(text), ANALYSER.analyse(text)
    assert one.terms.ids.tobytes() == other.terms.ids.tobytes()
    assert one.mentions == other.mentions


@given(st.text(alphabet="abcdefgXYZ _-", max_size=60))
def test_case_does_not_matter_for_plain_words(text: str) -> None:
    plain = text.replace("_", " ").lower()
    assert set(ANALYSER.query_terms(plain).ids) == set(ANALYSER.query_terms(plain.upper()).ids)
