"""Which passages of a long text are shown to a cross-encoder: those that hold most of what the question asks.

    score(window) = sum over the distinct terms t of the question of  weight(t) * tf / (tf + 0.9)

with tf how often t occurs in the window. Windows of 150 words (about 200 tokens) start every 75 words. Ties go to the
earlier window; a window in which no term occurs is shown only if none has any (then it is the first).

Cost: one look-up for each word; each distinct word is stemmed once. Source: passages as units of relevance, Callan 1994
(doi:10.1145/188490.188589); best passage for a cross-encoder, Dai and Callan 2019 (arXiv:1905.09217).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from retrieval.analysis.terms import stems

WINDOW_WORDS = 150
STEP_WORDS = 75
_SATURATION = 0.9
_WORD = re.compile(r"\S+")


def best_windows(
    text: str,
    weights: Mapping[str, float],
    *,
    most: int = 2,
    window_words: int = WINDOW_WORDS,
    step_words: int = STEP_WORDS,
) -> list[str]:
    """The passages of a text to be shown, best first, disjoint.

    Args:
        text: of any length.
        weights: the question's terms (stems) and what each is worth, > 0.
        most: how many passages at most.
        window_words: longest text that is shown whole, and length of a passage.
        step_words: from the start of a passage to the next one's.
    """
    spans = [match.span() for match in _WORD.finditer(text)]
    if len(spans) <= window_words:
        return [text]
    terms = _marked_words([text[a:b] for a, b in spans], weights)
    last = len(spans) - window_words
    starts = [*range(0, last, step_words), last]
    scored = sorted((-_worth(terms[at : at + window_words], weights), at) for at in starts)
    chosen: list[int] = []
    for worth, at in scored:
        if len(chosen) == most or (chosen and worth == 0.0):
            break
        if all(abs(at - other) >= window_words for other in chosen):
            chosen.append(at)
    return [text[spans[at][0] : spans[at + window_words - 1][1]] for at in chosen]


def _marked_words(words: list[str], weights: Mapping[str, float]) -> list[tuple[str, ...]]:
    """For each word those of its terms that the question has."""
    known: dict[str, tuple[str, ...]] = {}
    for word in words:
        if word not in known:
            known[word] = tuple(stem for stem in stems(word) if stem in weights)
    return [known[word] for word in words]


def _worth(terms: list[tuple[str, ...]], weights: Mapping[str, float]) -> float:
    counts = Counter(term for of_word in terms for term in of_word)
    return sum(weights[term] * tf / (tf + _SATURATION) for term, tf in counts.items())
