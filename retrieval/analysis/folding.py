"""The form in which texts are compared letter by letter: what looks the same is written the same.

Unicode's NFKC_Casefold with two additions that searching needs: whitespace runs become one space, and whatever has no
right to be there (control characters, lone surrogates) cannot break what comes after. Source: The Unicode Standard
§3.13 (case folding for identifiers), UAX 15 (normalisation; its "stream-safe" limit on runs of marks).
"""

from __future__ import annotations

import unicodedata

import regex

_INVISIBLE = regex.compile(r"[[\p{Default_Ignorable_Code_Point}\p{Cc}]--\s]+", regex.V1)
"""Joiners, soft hyphens, direction and variation marks, byte order marks, control characters that are no space."""

_LONE_SURROGATE = regex.compile(r"\p{Cs}")
_MOST_MARKS = 30
_MARKS = regex.compile(rf"([\p{{M}}\uFF9E\uFF9F]{{{_MOST_MARKS}}})[\p{{M}}\uFF9E\uFF9F]+")
_MOST_ROUNDS = 8


def folded_text(text: str) -> str:
    """A text as it is compared: NFKC, case folded, invisible characters out, single spaces, stripped.

    Folding what is folded changes nothing. Lone surrogates become U+FFFD, so that the result always has a UTF-8 form;
    of more than 30 marks on one letter the rest is left out, since sorting them takes time that grows with the square.
    """
    if text.isascii():
        folded = text.lower()
        return " ".join((folded if folded.isprintable() else _INVISIBLE.sub("", folded)).split())
    folded = text
    for _ in range(_MOST_ROUNDS):  # folding can undo normalisation, and the other way round
        before, folded = folded, normalised(folded).casefold()
        if folded == before:
            break
    return " ".join(folded.split())


def normalised(text: str) -> str:
    """NFKC of a text without its invisible characters, in time linear in its length."""
    text = _LONE_SURROGATE.sub("\ufffd", _INVISIBLE.sub("", text))
    return unicodedata.normalize("NFKC", bounded_marks(text))


def bounded_marks(text: str) -> str:
    """A text with at most 30 marks on a letter: bringing more into order takes time with the square of their number."""
    return text if text.isascii() else _MARKS.sub(r"\1", text)
