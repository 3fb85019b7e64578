"""What retrieval needs from outside, and what every channel obeys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.types import AnalysedQuery, ChannelResult, EmbeddingSpace

if TYPE_CHECKING:
    from gpu.bank.bank import BankView


class Embedder(Protocol):
    """Turns texts into unit vectors. Thread-safe; a text's vector does not depend on what is embedded beside it."""

    @property
    def space(self) -> EmbeddingSpace:
        """The space of its vectors."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Vectors for texts to be stored.

        Args:
            texts: any number of texts of any length.

        Returns:
            For each text float32 `[n_views, dim]`, one unit row for each overlapping chunk (one for a short text).

        Raises:
            EmbedderError: the model or the remote service gave no usable answer.
        """
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Vector for a question, float32 `[dim]`, unit length (a question longer than the window is cut).

        Raises:
            EmbedderError: the model or the remote service gave no usable answer.
        """
        ...


class Channel(Protocol):
    """One way of finding memories: a plan from the query and one operation over the bank's columns. It has no state."""

    @property
    def name(self) -> str:
        """Name in answers, settings and docs."""
        ...

    def search(self, query: AnalysedQuery, view: BankView, limit: int) -> ChannelResult | None:
        """Best `limit` distinct memories, or None when the query gives this channel nothing to go on."""
        ...
