"""Folded texts: equal for what looks equal, stable, always encodable, in linear time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.analysis.folding import folded_text
from tests.fixtures.growth import assert_linear

ANY_TEXT = st.text(st.characters())  # lone surrogates too


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Hello,\tWORLD\r\n again ", "hello, world again"),
        ("Straße", "strasse"),
        ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"),
        ("co\u00adoper\u200date \ufeffnow\u200b!", "cooperate now!"),
        ("Ame\u0301lie", "am\u00e9lie"),
        ("a\x00b\x07c", "abc"),
        ("❤\ufe0f", "❤"),
        ("\ud800 x", "\ufffd x"),
        ("", ""),
        ("ﬁn", "fin"),
        ("京都　に", "京都 に"),
    ],
)
def test_folds(text: str, expected: str) -> None:
    assert folded_text(text) == expected


@given(ANY_TEXT)
def test_folding_twice_changes_nothing_and_the_result_has_a_utf8_form(text: str) -> None:
    folded = folded_text(text)
    folded.encode("utf-8")
    assert folded_text(folded) == folded
    assert folded == folded.strip()
    assert "  " not in folded


@given(ANY_TEXT, ANY_TEXT)
def test_case_and_spacing_make_no_difference(left: str, right: str) -> None:
    assert folded_text(f"{left}  \n{right}") == folded_text(f" {left} {right}")


@pytest.mark.parametrize("unit", ["\u0301\u0327", "a\uff9e\u0301", "\u200d\u0327\u0301", "\ufdfa", "é "])
def test_marks_without_end_take_linear_time(unit: str) -> None:
    assert_linear(folded_text, lambda size: unit * (size // len(unit.encode())), 131_072)
