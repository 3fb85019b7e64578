"""What repeats what: near-duplicates, and how much of one memory another one covers.

A memory is a near-duplicate of another one if nearly all words of the longer stand in the shorter, in the same order,
and those that do not are neither numbers nor negations: it then says nothing that the other does not. Word order,
numbers and "not" are what the words or the vectors of two texts alone do not tell apart.

Likeness for coverage lies in [0, 1]: the cosine of the vectors, counted from the median of all pairs (models put
unrelated texts of one language at cosines of 0.4 to 0.7), or without vectors the cosine of words weighted by how rare
they are among the candidates (TF-IDF).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

SHARE_OF_LONGER = 0.9
"""Share of the longer text's words that a near-duplicate has."""

_HIGHEST_FLOOR = 0.9
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_NEGATIONS = frozenset({"no", "not", "never", "none", "nobody", "nothing", "nor", "neither", "without", "cannot"})


def words(text: str) -> list[str]:
    """The words of a text in order, folded."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def representatives(texts: Sequence[Sequence[str]], groups: Sequence[Hashable]) -> NDArray[np.int64]:
    """For each text the first one that says the same, int64 `[n]`; its own place where there is none before it.

    Args:
        texts: words of each.
        groups: texts of different groups are never the same, however alike (what happened twice happened twice).
    """
    found = np.arange(len(texts), dtype=np.int64)
    kept: list[int] = []
    for i, text in enumerate(texts):
        same = (k for k in kept if groups[k] == groups[i] and is_near_duplicate(texts[k], text))
        found[i] = next(same, i)
        if found[i] == i:
            kept.append(i)
    return found


def is_near_duplicate(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two texts, given as words, say the same; see the module."""
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) < SHARE_OF_LONGER * len(longer):
        return False
    place = 0
    for word in longer:
        if place < len(shorter) and shorter[place] == word:
            place += 1
        elif word in _NEGATIONS or word.endswith(("n't", "n’t")) or any(char.isdigit() for char in word):
            return False
    return place == len(shorter)


def by_vectors(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Likeness of unit vectors `[n, dim]`, float64 `[n, n]`, symmetric, 1 on the diagonal."""
    cosines = np.clip(vectors.astype(np.float64) @ vectors.T.astype(np.float64), -1.0, 1.0)
    n = len(vectors)
    if n > 1:
        floor = min(float(np.median(cosines[~np.eye(n, dtype=bool)])), _HIGHEST_FLOOR)
        cosines = (cosines - max(floor, 0.0)) / (1.0 - max(floor, 0.0))
    likeness = np.clip((cosines + cosines.T) / 2, 0.0, 1.0)
    np.fill_diagonal(likeness, 1.0)
    return likeness


def by_words(texts: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """Likeness of texts given as words, float64 `[n, n]`, symmetric, 1 on the diagonal."""
    n = len(texts)
    holders = Counter(word for text in texts for word in set(text))
    columns = {word: column for column, word in enumerate(sorted(holders))}
    rows = np.zeros((n, len(columns)))
    for row, text in enumerate(texts):
        for word, times in Counter(text).items():
            rows[row, columns[word]] = (1.0 + math.log(times)) * math.log(1.0 + n / holders[word])
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    likeness = np.clip(rows @ rows.T, 0.0, 1.0)
    np.fill_diagonal(likeness, 1.0)
    return likeness
