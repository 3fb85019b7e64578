"""From a text to hashed terms, the same way for memories and for questions.

Unicode words (letters, digits, marks and underscores), normalised by NFKC and case folding, English stop words left
out, Snowball's English stemmer. Identifiers count whole and in their parts (`getUserName`, `user_name`). Scripts
that are written without spaces (Han, Kana, Hangul, Thai, Lao, Khmer, Burmese) give bigrams of characters, as Lucene's
CJKBigramFilter does. A term is known by the 32-bit xxhash of its stem.

Any change that changes an id must raise `TERMS_VERSION`: stored terms and those of a question must agree.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator

import numpy as np
import regex
import Stemmer
import xxhash
from numpy.typing import NDArray

from retrieval.analysis.folding import bounded_marks
from retrieval.analysis.stop_words import ENGLISH
from retrieval.types import Terms

TERMS_VERSION = 1

_MOST_FREQUENT = np.iinfo(np.uint16).max
_ASCII_WORD = re.compile(r"\w+", re.ASCII)
_WORD = regex.compile(r"[\p{L}\p{N}_][\p{L}\p{N}\p{M}_]*")
_UNSPACED = (
    r"\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー\p{Script=Hangul}"
    r"\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}"
)
_UNSPACED_RUN = regex.compile(rf"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_ANY_UNSPACED = regex.compile(rf"[{_UNSPACED}]")
_IDENTIFIER_PART = regex.compile(r"\p{Lu}?[\p{Ll}\p{M}]+|\p{Lu}+(?!\p{Ll})|\p{N}+|\p{Lo}+")
_INVISIBLE = dict.fromkeys((0x00AD, 0x200C, 0x200D, 0x2060, 0xFEFF))
"""Soft hyphen, joiners and byte order mark: writers leave them out as often as not."""

_local = threading.local()  # a stemmer keeps state while it works, so that every thread has its own


def stems(text: str) -> list[str]:
    """The terms of a text in order, repeats included."""
    if text.isascii():
        words = _ASCII_WORD.findall(text)
    else:
        words = _WORD.findall(unicodedata.normalize("NFKC", bounded_marks(text)).translate(_INVISIBLE))
    kept: list[str] = []
    for word in words:
        folded = word.casefold()
        if folded in ENGLISH:
            continue
        if folded.isascii() or not _ANY_UNSPACED.search(folded):
            kept.append(folded)
            if _is_compound(word, folded):
                kept.extend(_parts(word))
        else:
            kept.extend(_unspaced(folded))
    stemmed: list[str] = _stemmer().stemWords(kept)
    return stemmed


def term_id(stem: str) -> int:
    """32-bit id of a term, the same in every process and release."""
    return xxhash.xxh32_intdigest(stem.encode("utf-8", "surrogatepass"))


def hashed(terms: list[str]) -> Terms:
    """Distinct ids (ascending) with their frequencies; a frequency beyond 16 bits stays at the largest."""
    ids: NDArray[np.uint32] = np.fromiter(map(term_id, terms), dtype=np.uint32, count=len(terms))
    distinct, counts = np.unique(ids, return_counts=True)
    return Terms(distinct, np.minimum(counts, _MOST_FREQUENT).astype(np.uint16), len(terms))


def _is_compound(word: str, folded: str) -> bool:
    if "_" in word:
        return True
    return word != folded and not word.isupper() and not word[1:].islower() and len(word) > 1


def _parts(word: str) -> Iterator[str]:
    parts = [part.casefold() for part in _IDENTIFIER_PART.findall(word)]
    if len(parts) > 1:
        yield from (part for part in parts if len(part) > 1 and part not in ENGLISH)


def _unspaced(word: str) -> Iterator[str]:
    for run in _UNSPACED_RUN.findall(word):
        if len(run) == 1 or not _ANY_UNSPACED.match(run):
            yield run
        else:
            yield from (run[start : start + 2] for start in range(len(run) - 1))


def _stemmer() -> Stemmer.Stemmer:
    if not hasattr(_local, "stemmer"):
        _local.stemmer = Stemmer.Stemmer("english", 0)  # no cache: words of one tenant stay nowhere
    return _local.stemmer
