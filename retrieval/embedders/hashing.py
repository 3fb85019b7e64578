"""A deterministic embedder without a model, for tests and for use where no model may be installed.

Words and their character trigrams are hashed into signed buckets (feature hashing: Weinberger et al. 2009,
arXiv:0902.2206). Texts that share words come out close; nothing is known about meaning. What was said before a text
colours its first view and its words a little, as it does with a real model.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import xxhash
from numpy.typing import NDArray

from retrieval.embedders._vectors import unit_rows
from retrieval.types import EmbeddingSpace, Encoded, Passage

_WORD = re.compile(r"\w+")
_TRIGRAM_WEIGHT = 0.3
_BEFORE_WORDS = 64
_BEFORE_WEIGHT = 0.2
"""How long what was said before is, as a vector, beside the text's own unit vector."""


class HashingEmbedder:
    """Hashes words and trigrams into `dim` signed buckets. Thread-safe, no state."""

    def __init__(self, dim: int = 384, *, window_words: int = 200, overlap_words: int = 25) -> None:
        """Sets the shape.

        Args:
            dim: dimension of the vectors.
            window_words: longest run of words in one view of a document.
            overlap_words: words that neighbouring views share.
        """
        if not 0 <= overlap_words < window_words:
            raise ValueError("overlap_words must be smaller than window_words")
        self._dim = dim
        self._window = window_words
        self._step = window_words - overlap_words

    @property
    def space(self) -> EmbeddingSpace:
        """The space of its vectors."""
        return EmbeddingSpace(f"hashing-{self._dim}", self._dim)

    def embed_documents(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """See `retrieval.ports.Embedder`."""
        return [self._embed(list(self._windows(_words(text)))) for text in texts]

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `retrieval.ports.Embedder`."""
        row: NDArray[np.float32] = self._embed([_words(text)[: self._window]])[0]
        return row

    def encode_documents(self, passages: Sequence[Passage]) -> list[Encoded]:
        """See `retrieval.ports.TokenEmbedder`."""
        return [self._encode(passage) for passage in passages]

    def encode_query(self, text: str) -> Encoded:
        """See `retrieval.ports.TokenEmbedder`."""
        words = _words(text)[: self._window]
        return Encoded(self._embed([words]), self._states(words))

    def _encode(self, passage: Passage) -> Encoded:
        words, before = _words(passage.text), _words(passage.before)[-_BEFORE_WORDS:]
        views, tokens = self._embed(list(self._windows(words))), self._states(words)
        if before:
            light = _BEFORE_WEIGHT * self._embed([before])[0]
            views[0] += light
            views, tokens = unit_rows(views, self._dim), unit_rows(tokens + light, self._dim)
        return Encoded(views, tokens)

    def _states(self, words: list[str]) -> NDArray[np.float32]:
        """One unit row for each word."""
        rows = [_word_row(word, self._dim) for word in words]
        return np.stack(rows) if rows else np.empty((0, self._dim), np.float32)

    def _windows(self, words: list[str]) -> Iterator[list[str]]:
        last_start = max(len(words) - self._window, 0)
        for start in range(0, last_start + self._step, self._step):
            yield words[start : start + self._window]

    def _embed(self, windows: list[list[str]]) -> NDArray[np.float32]:
        rows = np.zeros((len(windows), self._dim))
        for row, words in zip(rows, windows, strict=True):
            for word in words:
                _add(row, word)
            if not row.any():
                row[0] = 1.0  # an empty text still needs a direction
        return unit_rows(rows, self._dim)


@lru_cache(maxsize=4_096)
def _word_row(word: str, dim: int) -> NDArray[np.float32]:
    row = np.zeros((1, dim))
    _add(row[0], word)
    if not row.any():
        row[0, 0] = 1.0
    unit: NDArray[np.float32] = unit_rows(row, dim)[0]
    return unit


def _add(row: NDArray[np.float64], word: str) -> None:
    """Add the word and its trigrams."""
    _bump(row, word, 1.0)
    padded = f"<{word}>"
    for start in range(len(padded) - 2):
        _bump(row, padded[start : start + 3], _TRIGRAM_WEIGHT)


def _bump(row: NDArray[np.float64], feature: str, weight: float) -> None:
    digest = xxhash.xxh3_64_intdigest(feature.encode("utf-8", "surrogatepass"))
    row[(digest >> 1) % row.shape[0]] += weight if digest & 1 else -weight


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
