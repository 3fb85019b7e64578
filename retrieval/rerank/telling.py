"""The part of a long question that a cross-encoder should read.

A chat message greets, thanks and tells before it asks; a cross-encoder that reads all of it is lost. So of a message
of more than `most_words` words only the most telling sentences are read, in their order, up to that many words. A
sentence is as telling as the sum of what its eight weightiest terms are worth (their idf in the namespace).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from retrieval.analysis.terms import stems

MOST_WORDS = 32
_TERMS = 8
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")


def telling(question: str, worth: Mapping[str, float], *, most_words: int = MOST_WORDS) -> str:
    """The sentences to be read; the whole question if it is short or has one sentence.

    Args:
        question: as it was asked.
        worth: what each stem of the question is worth, >= 0.
        most_words: how many words at most; the most telling sentence is kept whatever its length.
    """
    sentences = [part for part in _SENTENCE.split(question) if part.strip()]
    if len(sentences) < 2 or len(question.split()) <= most_words:
        return question
    weights = [_weight(sentence, worth) for sentence in sentences]
    kept: list[int] = []
    words = 0
    for place in sorted(range(len(sentences)), key=lambda place: (-weights[place], place)):
        length = len(sentences[place].split())
        if not kept or words + length <= most_words:
            kept.append(place)
            words += length
    return " ".join(sentences[place] for place in sorted(kept))


def _weight(sentence: str, worth: Mapping[str, float]) -> float:
    values = sorted((worth.get(term, 0.0) for term in set(stems(sentence))), reverse=True)
    return sum(values[:_TERMS])
