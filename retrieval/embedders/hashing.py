"""A deterministic embedder without a model, for tests and for use where no model may be installed.

Words and their character trigrams are hashed into signed buckets (feature hashing: Weinberger et al. 2009,
arXiv:0902.2206). Texts that share words come out close; nothing is known about meaning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

from retrieval.embedders._vectors import unit_rows
from retrieval.types import EmbeddingSpace

_WORD = re.compile(r"\w+")
_TRIGRAM_WEIGHT = 0.3


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

    def _windows(self, words: list[str]) -> Iterator[list[str]]:
        last_start = max(len(words) - self._window, 0)
        for start in range(0, last_start + self._step, self._step):
            yield words[start : start + self._window]

    def _embed(self, windows: list[list[str]]) -> NDArray[np.float32]:
        rows = np.zeros((len(windows), self._dim))
        for row, words in zip(rows, windows, strict=True):
            for word in words:
                self._add(row, word, 1.0)
                padded = f"<{word}>"
                for start in range(len(padded) - 2):
                    self._add(row, padded[start : start + 3], _TRIGRAM_WEIGHT)
            if not row.any():
                row[0] = 1.0  # an empty text still needs a direction
        return unit_rows(rows, self._dim)

    def _add(self, row: NDArray[np.float64], feature: str, weight: float) -> None:
        digest = xxhash.xxh3_64_intdigest(feature.encode("utf-8", "surrogatepass"))
        row[(digest >> 1) % self._dim] += weight if digest & 1 else -weight


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
