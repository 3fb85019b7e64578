"""What retrieval needs from outside, and what every channel obeys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gpu.ops.channel_pass.questions import Groups, Listed, Terms
from retrieval.types import AnalysedQuery, ChannelResult, EmbeddingSpace, Encoded, Passage

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


@runtime_checkable
class TokenEmbedder(Protocol):
    """An embedder whose model also gives a state for each token: late interaction at no second model's cost."""

    def encode_documents(self, passages: Sequence[Passage]) -> list[Encoded]:
        """Views and token states of texts to be stored, read in the light of what was said before them.

        Raises:
            EmbedderError: the model gave no usable answer.
        """
        ...

    def encode_query(self, text: str) -> Encoded:
        """One view and the token states of a question.

        Raises:
            EmbedderError: the model gave no usable answer.
        """
        ...


class PairScorer(Protocol):
    """A cross-encoder: reads a question and a text together. Thread-safe; slow, so it gets few pairs."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    def score(self, query: str, texts: Sequence[str], *, ends_at_s: float | None = None) -> NDArray[np.float32]:
        """Relevance of each text, float32 `[n]`, higher is better (logits).

        Texts that were not reached by `ends_at_s` (on the clock of `time.monotonic`) get NaN; they are the last ones.

        Raises:
            EmbedderError: the model gave no usable answer.
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


@runtime_checkable
class ListedChannel(Protocol):
    """A channel that finds the same from a list of its best memories as by scanning (`AnalysedQuery.listed`)."""

    @property
    def listed(self) -> Listed:
        """The list that it goes on from."""
        ...

    def asks(self, query: AnalysedQuery, view: BankView) -> Terms | Groups | None:
        """What the memories of the list are to hold; None where a list would not help."""
        ...


class SeededChannel(Protocol):
    """A channel that goes on from what the others found. Runs after them, under the same deadline. It has no state."""

    @property
    def name(self) -> str:
        """Name in answers, settings and docs."""
        ...

    def search(
        self, query: AnalysedQuery, view: BankView, limit: int, seeds: Mapping[str, ChannelResult]
    ) -> ChannelResult | None:
        """Best `limit` distinct memories, or None when the seeds give this channel nothing to go on."""
        ...
