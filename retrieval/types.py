"""Plain values that travel through a recall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from gpu.bank.filters import ScanFilter


class Profile(StrEnum):
    """How much work a recall may do: `fast` has no rerank."""

    FAST = "fast"
    BALANCED = "balanced"
    THOROUGH = "thorough"


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """Where vectors can be compared: one model with one dimension (and one way of preparing its input)."""

    model: str
    dim: int


@dataclass(frozen=True, slots=True)
class Terms:
    """Distinct hashed terms of a text with their frequencies; `length` counts every token."""

    ids: NDArray[np.uint32]
    freqs: NDArray[np.uint16]
    length: int


@dataclass(frozen=True, slots=True)
class TextAnalysis:
    """What the analysers found in one text, to be stored beside it. `version` names the analysers that did it."""

    version: int
    terms: Terms
    mentions: tuple[str, ...]
    mention_ids: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Query:
    """A question as it was asked."""

    text: str
    asked_at: datetime
    top_k: int
    scan: ScanFilter
    profile: Profile = Profile.BALANCED
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class AnalysedQuery:
    """A question with what the analysers and the embedder made of it.

    `vector` is float32 `[dim]`, unit length, or None when the embedder could not answer. `embed_ms` is what it took.
    `ends_at_s` is when the answer must be ready, on the clock of `time.monotonic`, or None. `name_terms` are the terms
    of the names that the question mentions, uint32 `[q]`, distinct.
    """

    query: Query
    terms: Terms
    mention_ids: NDArray[np.uint64]
    vector: NDArray[np.float32] | None
    embed_ms: float = 0.0
    ends_at_s: float | None = None
    name_terms: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, dtype=np.uint32))


@dataclass(frozen=True, slots=True)
class ChannelResult:
    """What one channel found, best first.

    Attributes:
        slots: int64 `[n]`, distinct memories by their slot in the bank view, ordered by score, ties by slot.
        scores: float32 `[n]`, higher is better; in the channel's own unit.
        mean, std: moments of the channel's score over every memory that the filter let through.
        score_of: scores of any slots `[m]` -> float32 `[m]`, so that fusion can fill in what this channel did not list.
        evidence: how much speaks for an answer being among them, in [0, 1]; None from a channel that cannot tell.
    """

    slots: NDArray[np.int64]
    scores: NDArray[np.float32]
    mean: float
    std: float
    score_of: Callable[[NDArray[np.int64]], NDArray[np.float32]]
    evidence: float | None = None


@dataclass(frozen=True, slots=True)
class ChannelScore:
    """Rank (from 1; None if the channel did not list the memory itself) and score that one channel gave."""

    rank: int | None
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """One memory of the answer."""

    rank: int
    score: float
    memory_id: UUID
    version: int
    channels: dict[str, ChannelScore] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recall:
    """The answer: hits best first, how sure we are that anything here is relevant, and what was left out.

    `eligible` is how many memories the filter let through; `timings_ms` has embed, fuse and each channel.
    """

    hits: tuple[Hit, ...]
    confidence: float
    degraded: tuple[str, ...]
    timings_ms: dict[str, float]
    eligible: int = 0
