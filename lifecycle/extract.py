"""A gist out of the sentences of its sources: those that together say the most within a budget of words. Pure.

With w(t) the weight of a word and T(S) the words that the chosen sentences S have (stop words left out, stemmed):

    f(S) = sum of w(t) over t in T(S),    w(t) = sqrt(sources that say t) * (2 if t is a number or a name, else 1)

f is monotone and submodular. Sentences are taken by gain for each word of length until the budget is spent; the better
of that set and the best single sentence is at least 0.316 = (1 - 1/e) / 2 of the best possible (Khuller, Moss and Naor
1999, doi:10.1016/S0020-0190(99)00031-9; for summaries: Lin and Bilmes 2010, N10-1134). Weights look at the sources
alone, never at the rest of the namespace: the same sources always give the same gist. sqrt and 2 are chosen, not
fitted.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import regex

from retrieval.analysis.mentions import opening_speaker
from retrieval.analysis.terms import stems

EXTRACT_VERSION = 1
_MOST_SENTENCES = 512
_LONGEST_WORDS = 60
"""A longer sentence is cut here: a list or a page without full stops must not be the whole gist."""
_LONGEST_WORD = 24
_TELLING = 2.0
_WIDE = regex.compile(r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]")

_BREAK = regex.compile(r"(?<=[.!?…])[\"”’')]*\s+(?!\p{Ll})|\n+")
_NAMED = regex.compile(r"(?<=\S\s)\p{Lu}[\p{L}\p{M}'’-]+|\S*\p{N}\S*")


@dataclass(frozen=True, slots=True)
class Said:
    """A text, and who said it, if known."""

    text: str
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a source, as it would stand in a gist.

    Attributes:
        source: whose, by place.
        line: the text, with its speaker in front where one is known.
        words: length.
        terms: distinct stems that are no stop words.
    """

    source: int
    line: str
    words: int
    terms: frozenset[str]


def gist(sources: Sequence[Said], words: int) -> str:
    """The best sentences of some texts in the order of the texts, a line each; never empty.

    Args:
        sources: in the order in which they are to be told.
        words: budget, at least 1. If every sentence is longer, one is cut to it.
    """
    found = sentences(sources, min(words, _LONGEST_WORDS))
    if not found:  # signs and emoji, say
        return " ".join(" ".join(said.text for said in sources).split()[:words])[: words * _LONGEST_WORD] or "…"
    weights = term_weights(found, sources)
    lines = dict.fromkeys(found[place].line for place in sorted(best(found, weights, words)))
    return "\n".join(lines)


def sentences(sources: Sequence[Said], longest: int) -> list[Sentence]:
    """What can be taken, in order. Lines of an earlier gist keep the speakers that stand in front of them."""
    found: list[Sentence] = []
    for number, said in enumerate(sources):
        for line in said.text.splitlines():
            speaker, body = said.speaker, line.strip()
            named = opening_speaker(body[:200])
            if named is not None:
                speaker, body = named, body[body.index(":") + 1 :].strip()
            for part in _BREAK.split(body):
                told = " ".join(part.strip(" \t-*•").split()[:longest])[: longest * _LONGEST_WORD]
                terms = frozenset(stems(told))
                if terms and len(found) < _MOST_SENTENCES:
                    line = f"{speaker}: {told}" if speaker else told
                    found.append(Sentence(number, line, _words(told), terms))
    return found


def _words(text: str) -> int:
    """Length; in scripts that are written without spaces two signs count as a word."""
    return max(len(text.split()), math.ceil(len(_WIDE.findall(text)) / 2))


def term_weights(found: Sequence[Sentence], sources: Sequence[Said]) -> dict[str, float]:
    """What it is worth that a gist has a word."""
    said_by = Counter(term for term, _ in {(term, sentence.source) for sentence in found for term in sentence.terms})
    telling = {stem for said in sources for name in _NAMED.findall(said.text) for stem in stems(name)}
    return {
        term: math.sqrt(number) * (_TELLING if term in telling else 1.0) for term, number in sorted(said_by.items())
    }


def value(chosen: Sequence[Sentence], weights: Mapping[str, float]) -> float:
    """F of some sentences."""
    return sum(weights[term] for term in sorted({term for sentence in chosen for term in sentence.terms}))


def best(found: Sequence[Sentence], weights: Mapping[str, float], words: int) -> list[int]:
    """Places of the sentences that are taken, equal gains by place. Lazy greedy: a gain only ever falls."""
    fitting = [place for place, sentence in enumerate(found) if sentence.words <= words]
    if not fitting:
        return []
    waiting = [(-value([found[place]], weights) / found[place].words, place, 0) for place in fitting]
    heapq.heapify(waiting)
    taken: list[int] = []
    covered: set[str] = set()
    left = words
    while waiting:
        _, place, seen = heapq.heappop(waiting)
        sentence = found[place]
        if sentence.words > left:
            continue
        if seen < len(taken):
            gain = sum(weights[term] for term in sorted(sentence.terms - covered))
            if gain > 0.0:
                heapq.heappush(waiting, (-gain / sentence.words, place, len(taken)))
            continue
        taken.append(place)
        covered |= sentence.terms
        left -= sentence.words
    single = max(fitting, key=lambda place: (value([found[place]], weights), -place))
    alone = value([found[single]], weights) > value([found[place] for place in taken], weights)
    return [single] if alone else taken
