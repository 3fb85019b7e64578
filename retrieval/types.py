"""Plain values that travel through a recall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from gpu.bank.filters import ScanFilter
from gpu.bank.lists import ListedBest
from gpu.bank.records import Kind
from gpu.ops.channel_pass.questions import Listed


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


class ToldName(NamedTuple):
    """Another name of somebody or something, and the name that it belongs to, both as a text has them."""

    alias: str
    name: str


@dataclass(frozen=True, slots=True)
class TextAnalysis:
    """What the analysers found in one text, to be stored beside it. `version` names the analysers that did it.

    `speaker_id` is the mention of whoever said the text, 0 if it does not tell. `spans` are the times that the text
    speaks of, int64 `[s, 2]`, half-open, microseconds since the epoch, resolved against when it happened. `place_ids`
    are hashes of the places it speaks of, uint64 `[p]`, ascending. `told` are the names that it says stand for the
    same; both of each are among the mentions.
    """

    version: int
    terms: Terms
    mentions: tuple[str, ...]
    mention_ids: NDArray[np.uint64]
    speaker_id: int = 0
    spans: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), dtype=np.int64))
    place_ids: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    told: tuple[ToldName, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A text to be embedded, and what was said just before it: it may mean little alone ("Yes, on Friday!")."""

    text: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a model makes of a text.

    Attributes:
        views: float32 `[n_views, dim]`, unit rows, one for each overlapping window (one for a question).
        tokens: float32 `[n_tokens, dim]`, unit rows, one for each content token of the text (not of what was said
            before it); None if the model gives no states of tokens.
    """

    views: NDArray[np.float32]
    tokens: NDArray[np.float32] | None = None


class Order(StrEnum):
    """An order that a question asks for."""

    FIRST = "first"
    LAST = "last"
    BEFORE = "before"
    AFTER = "after"


class QuestionType(StrEnum):
    """What kind of answer a question wants."""

    WHO = "who"
    WHEN = "when"
    WHERE = "where"
    WHY = "why"
    HOW_TO = "how_to"
    HOW_MANY = "how_many"
    LIST = "list"
    YES_NO = "yes_no"
    WHAT = "what"
    STATEMENT = "statement"


@dataclass(frozen=True, slots=True)
class Question:
    """What the analysers read out of a question, without a model.

    Attributes:
        type: the answer it wants.
        names: names that it mentions, as written.
        spans: the times that it asks about, int64 `[s, 2]`, half-open microseconds, resolved against `asked_at`.
        order: an order that it asks for, or None.
        anchor: the event in words that the order refers to ("the wedding"), or "".
        phrases: what stands in quotation marks.
        identifiers: ids, paths, error codes, handles: to be found exactly as they are.
        place_ids: hashes of the places it names, uint64 `[p]`.
        kind_hint: the kind of memory that it seems to ask for, or None.
    """

    type: QuestionType = QuestionType.WHAT
    names: tuple[str, ...] = ()
    spans: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), dtype=np.int64))
    order: Order | None = None
    anchor: str = ""
    phrases: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    place_ids: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    kind_hint: Kind | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A question as it was asked. `with_vectors`: hits carry their vectors; `explains`: what channels contributed."""

    text: str
    asked_at: datetime
    top_k: int
    scan: ScanFilter
    profile: Profile = Profile.BALANCED
    deadline_s: float | None = None
    with_vectors: bool = False
    explains: bool = False


class Resolved(NamedTuple):
    """What a name of a question stands for in a namespace.

    `ids` are those of all mentions that stand for it, its own among them, ascending, uint64 `[a]`. `others` are further
    names of the same, at most four, where somebody told or decided so: names with other words, to which no likeness
    leads.
    """

    ids: NDArray[np.uint64]
    others: tuple[str, ...] = ()


class OtherNames(NamedTuple):
    """The terms of a name of the question, uint32 `[n]`, distinct, and of each name that may stand in its place."""

    own: NDArray[np.uint32]
    others: tuple[NDArray[np.uint32], ...]


Reading = Callable[[], tuple[Encoded | None, float]]
"""Waits for what the embedder makes of a question (None: it failed, or is late), and the milliseconds it took."""
Listing = Callable[[Listed], ListedBest | None]
"""Gives a list that was made elsewhere than in a channel's own scan; waits for it. None: there is none."""


@dataclass(frozen=True, slots=True)
class AnalysedQuery:
    """A question with what the analysers and the embedder made of it.

    `reading` is there while the embedder may still be at it, see `read`. `vector` is float32 `[dim]`, unit length, or
    None when the embedder could not answer. `embed_ms` is what it took.
    `ends_at_s` is when the answer must be ready, on the clock of `time.monotonic`, or None. `name_terms` are the terms
    of the names that the question mentions, uint32 `[q]`, distinct. `tokens` are the states of the question's tokens,
    float32 `[q, dim]`, unit rows, or None. `entity_groups` are the entities that it mentions, each as the ids of all
    mentions that stand for it in the namespace, uint64 `[a]`; empty where nobody resolved aliases: then each of
    `mention_ids` is an entity of its own. `other_names` are the terms of names that stand for one of the question's
    without having its words. `listing` has the lists that channels go on from, where somebody makes them.
    """

    query: Query
    terms: Terms
    mention_ids: NDArray[np.uint64]
    vector: NDArray[np.float32] | None
    embed_ms: float = 0.0
    ends_at_s: float | None = None
    name_terms: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, dtype=np.uint32))
    tokens: NDArray[np.float32] | None = None
    question: Question = field(default_factory=Question)
    entity_groups: tuple[NDArray[np.uint64], ...] = ()
    other_names: tuple[OtherNames, ...] = ()
    reading: Reading | None = None
    listing: Listing | None = None

    def listed(self, which: Listed) -> ListedBest | None:
        """A list that was made elsewhere; None where the channel has to scan."""
        return None if self.listing is None else self.listing(which)

    def read(self) -> AnalysedQuery:
        """The same with its vector and the states of its tokens, for which this waits; they may be missing then."""
        if self.reading is None:
            return self
        encoded, took_ms = self.reading()
        if encoded is None:
            return replace(self, reading=None, embed_ms=took_ms)
        return replace(self, reading=None, embed_ms=took_ms, vector=encoded.views[0], tokens=encoded.tokens)


@dataclass(frozen=True, slots=True)
class ChannelResult:
    """What one channel found, best first.

    Attributes:
        slots: int64 `[n]`, distinct memories by their slot in the bank view, ordered by score, ties by slot.
        scores: float32 `[n]`, higher is better; in the channel's own unit.
        mean, std: moments of the channel's score over every memory that the filter let through.
        score_of: scores of any slots `[m]` -> float32 `[m]`, so that fusion can fill in what this channel did not list.
        evidence: how much speaks for an answer being among them, in [0, 1]; None from a channel that cannot tell.
        force: by how much more than usual its word counts for this question; more than 1 where the question asks for
            the very thing that the channel alone knows (what came right after something).
        scan: looks at every memory for the moments, where finding the best ones took no look at all: `mean` and `std`
            are NaN then.
    """

    slots: NDArray[np.int64]
    scores: NDArray[np.float32]
    mean: float
    std: float
    score_of: Callable[[NDArray[np.int64]], NDArray[np.float32]]
    evidence: float | None = None
    force: float = 1.0
    scan: Callable[[], tuple[float, float]] | None = None

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation, whatever it takes to know them."""
        return (self.mean, self.std) if self.scan is None else self.scan()


@dataclass(frozen=True, slots=True)
class ChannelScore:
    """Rank (from 1; None if the channel did not list the memory itself) and score that one channel gave.

    `contribution` is what it added to the fused score, before a cross-encoder read anything; None unless it was asked.
    """

    rank: int | None
    score: float
    contribution: float | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One memory of the answer. `vector` is its first view, float32 `[dim]`, if it was asked for and there is one."""

    rank: int
    score: float
    memory_id: UUID
    version: int
    channels: dict[str, ChannelScore] = field(default_factory=dict)
    vector: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Recall:
    """The answer: hits best first, how sure we are that anything here is relevant, and what was left out.

    `eligible` is how many memories the filter let through; `timings_ms` has embed, fuse, rerank and each channel.
    `trail` says in words which further memories were looked for, and why that ended.
    """

    hits: tuple[Hit, ...]
    confidence: float
    degraded: tuple[str, ...]
    timings_ms: dict[str, float]
    eligible: int = 0
    trail: tuple[str, ...] = ()
