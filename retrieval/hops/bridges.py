"""Bridges: names and rare words of a memory that the question does not have, and that other memories hold too.

Names are found again in the folded text by their stored ids: each run of up to eight words whose id is among the
memory's mentions is a name, the longest first. Every other word that is no stop word counts as a word, at half a name's
worth: most rare words are rare by chance, and a name is rare because it means one thing.

    rarity(b) = 1 - ln(min df(t) over the terms t of b that the question does not have) / ln(N)

with df(t) the memories that hold t and N all memories. A bridge needs a term that the question does not have, another
memory that may hold all its terms (df >= 2), and a rarest term that few hold (df <= max(10, N / 50)).

Cost: up to eight hashes for each word of the first 300.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import regex
import xxhash
from numpy.typing import NDArray

from retrieval.analysis.stop_words import ENGLISH
from retrieval.analysis.terms import stems, term_id

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

WORD_WORTH = 0.5
_MOST_WORDS = 300
_LONGEST_NAME_WORDS = 8
_FEW_HOLD = 10
_FEW_HOLD_SHARE = 0.02
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}_@]+(?:['’\-&.][\p{L}\p{M}\p{N}_]+)*")
_POSSESSIVE = regex.compile(r"['’]s?\Z")
_POSSESSIVES = ("s", "'", "’")  # a look before the expression, which takes longer


@dataclass(frozen=True, slots=True)
class Bridge:
    """A name or rare word to go on with.

    Attributes:
        text: as it stands in the folded text.
        terms: its hashed terms, uint32 `[t]`, ascending.
        worth: rarity, halved for a plain word; in (0, 1].
        source: slot of the memory that it comes from; -1 if it comes from the question.
        is_name: whether it is a name.
    """

    text: str
    terms: NDArray[np.uint32]
    worth: float
    source: int
    is_name: bool

    @property
    def kind_worth(self) -> float:
        """1 for a name, less for a word."""
        return 1.0 if self.is_name else WORD_WORTH


def phrases(text: str, mention_ids: Collection[int]) -> list[tuple[str, bool]]:
    """Names (True) and other words (False) of a folded text, in order, stop words left out.

    Args:
        text: folded.
        mention_ids: ids of the mentions that were found in it when it was written.
    """
    spans = [match.span() for match in _WORD.finditer(text)][:_MOST_WORDS]
    found: list[tuple[str, bool]] = []
    at = 0
    while at < len(spans):
        name, words = _name_at(text, spans[at : at + _LONGEST_NAME_WORDS], mention_ids)
        if words:
            found.append((name, True))
        elif (word := text[slice(*spans[at])]) not in ENGLISH:
            found.append((word, False))
        at += max(words, 1)
    return found


def bridges_of(
    view: BankView, candidates: list[tuple[str, bool]], source: int, used: Collection[int], *, most: int
) -> list[Bridge]:
    """The best bridges among phrases, by worth, then in the order of the text.

    Args:
        view: where memories are counted.
        candidates: names and words, as `phrases` gives them.
        source: slot of the memory that they come from; -1 for the question.
        used: hashed terms of the question, and of bridges that were followed before.
        most: how many at most.
    """
    by_terms: dict[tuple[int, ...], tuple[str, bool]] = {}
    for text, is_name in candidates:
        terms = tuple(sorted({term_id(stem) for stem in stems(text)}))
        if terms and not all(term in used for term in terms):
            known = by_terms.get(terms)
            by_terms[terms] = (text, is_name) if known is None else (known[0], known[1] or is_name)
    if not by_terms:
        return []
    frequency = _frequencies(view, by_terms)
    holders = 1 + (source >= 0)  # one of them is the memory itself
    few = max(_FEW_HOLD, _FEW_HOLD_SHARE * view.n_documents)
    found = []
    for terms, (text, is_name) in by_terms.items():
        rarest = min(frequency[term] for term in terms if term not in used)
        if rarest <= few and min(frequency[term] for term in terms) >= holders:
            worth = rarity(rarest, view.n_documents) * (1.0 if is_name else WORD_WORTH)
            if worth > 0.0:
                found.append(Bridge(text, np.array(terms, dtype=np.uint32), worth, source, is_name))
    return sorted(found, key=lambda bridge: -bridge.worth)[:most]


def rarity(held_by: int, n_documents: int) -> float:
    """1 for what one memory holds, 0 for what all do."""
    return 1.0 - float(np.log(max(held_by, 1)) / np.log(max(n_documents, 3)))


def _name_at(text: str, spans: list[tuple[int, int]], mention_ids: Collection[int]) -> tuple[str, int]:
    """The longest name that starts at the first of these words, and how many of them it takes; 0 if there is none."""
    if mention_ids:
        for words in range(len(spans), 0, -1):
            run = text[spans[0][0] : spans[words - 1][1]]
            if _id(run) in mention_ids:
                return run, words
            if run.endswith(_POSSESSIVES) and _id(bare := _POSSESSIVE.sub("", run)) in mention_ids:
                return bare, words
    return "", 0


def _id(folded: str) -> int:
    """As `retrieval.analysis.mentions.mention_id`, for what is folded already."""
    return xxhash.xxh3_64_intdigest(folded.encode("utf-8"))


def _frequencies(view: BankView, by_terms: Mapping[tuple[int, ...], object]) -> dict[int, int]:
    terms = np.unique(np.array([term for of_one in by_terms for term in of_one], dtype=np.uint32))
    return dict(zip(terms.tolist(), view.document_frequency(terms).tolist(), strict=True))
