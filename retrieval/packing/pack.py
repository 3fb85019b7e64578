"""Candidates into a block of text: what repeats is left out, the rest chosen under the budget, rendered and counted.

The same candidates give the same bytes, and unchanged memories keep theirs: blocks and labels depend on one memory
each, the head says nothing that changes, and ordered by time what happens later comes later. So when a question is
asked again after more was remembered, the new text goes on where the old one ended, as long as the old memories are
still chosen; `previous` makes them stay unless others are clearly better.

Tokens are not additive for every tokenizer, so the whole text is counted at the end, and the memory taken last is
taken out until it fits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from retrieval.packing.likeness import by_vectors, by_words, representatives, words
from retrieval.packing.rendering import HEADERS, Remembered, block, labels
from retrieval.packing.selection import Objective, select
from retrieval.packing.tokens import TokenCounter

PREVIOUS_ADVANTAGE = 0.5
"""A memory that the prompt holds already gives way only to one whose score is so many standard deviations higher."""

_HEADER_SHARE = 0.1
"""The head is left out where it would take more than this of the budget."""
_TEMPERATURE = 0.25
"""In standard deviations of the candidates' scores: relevance falls to 1/e over so much of a distance.

Measured as the share of the right memories that go into 100 to 800 tokens, out of 50 hits of BM25, against the ranking
cut where the budget ends: chosen on locomo_dev (46.7 against 48.0) and factconsolidation (79.4, 79.2), reported on
hotpotqa (54.1, 50.4), two of whose memories answer together.
A relevance that falls more slowly (linear in the score, or with a floor) puts up to 7 points less in: short and
unlikely memories then win by their price.
"""


class BlockOrder(StrEnum):
    """In which order the memories stand."""

    TIME = "time"
    RELEVANCE = "relevance"


class Reason(StrEnum):
    """Why a candidate is not in the block."""

    DUPLICATE = "duplicate"
    TOO_LONG = "too_long"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory that may go into the block.

    Attributes:
        score: how relevant it is; only differences count.
        vector: float32 `[dim]`, unit length, or None.
    """

    memory: Remembered
    score: float
    vector: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Cited:
    """A memory of the block: its label, and the candidate's place in what was given."""

    label: str
    place: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A candidate that is not in the block; `duplicate_of` is the place of the one that says the same."""

    place: int
    reason: Reason
    duplicate_of: int | None = None


@dataclass(frozen=True, slots=True)
class Packed:
    """A context block.

    Attributes:
        text: the block; empty if nothing fits.
        cited: its memories, in the order in which they stand.
        used_tokens: of `text`, by the counter that was given.
        left_out: the other candidates, in the order in which they were given.
        value, bound, guarantee: see `retrieval.packing.selection.Selection`.
    """

    text: str
    cited: tuple[Cited, ...]
    used_tokens: int
    left_out: tuple[LeftOut, ...]
    value: float
    bound: float
    guarantee: float


def pack(
    candidates: Sequence[Candidate],
    counter: TokenCounter,
    budget: int,
    *,
    order: BlockOrder = BlockOrder.TIME,
    previous: Collection[UUID] = (),
) -> Packed:
    """The best block of at most `budget` tokens.

    Args:
        candidates: distinct memories, in any order.
        counter: what a token is; the budget holds against it exactly.
        budget: most tokens of the whole text.
        previous: memories that the caller's prompt holds already.
    """
    by_id = sorted(range(len(candidates)), key=lambda place: candidates[place].memory.memory_id.bytes)
    pool = [candidates[place] for place in by_id]  # an order that no score can change
    texts = [words(c.memory.content) for c in pool]
    said_first = representatives(texts, [(c.memory.occurred_at, c.memory.speaker) for c in pool])
    kept = np.flatnonzero(said_first == np.arange(len(pool)))

    relevance = _relevance(pool, said_first, previous)[kept]
    vectors = [pool[i].vector for i in kept]
    likeness = _likeness(vectors, [texts[i] for i in kept])
    names = labels([c.memory.memory_id for c in pool])
    blocks = [block(pool[i].memory, names[i]) for i in kept]
    costs = np.array([max(1, counter.count(text + "\n")) for text in blocks], dtype=np.int64)
    head = HEADERS[order] + "\n"
    if counter.count(head) > _HEADER_SHARE * budget:
        head = ""
    room = budget - counter.count(head)
    objective = Objective.of(relevance, likeness)
    selection = select(objective, costs, room)

    def text_of(chosen: Sequence[int]) -> tuple[str, list[tuple[int, str]]]:
        shown = sorted(chosen, key=lambda k: _place_in_block(pool[kept[k]], order))
        labelled = labels([pool[kept[k]].memory.memory_id for k in shown])
        lines = [block(pool[kept[k]].memory, label) for k, label in zip(shown, labelled, strict=True)]
        return (head + "\n".join(lines) if shown else ""), list(zip(shown, labelled, strict=True))

    chosen, text, shown, used = _fitted(list(selection.chosen), text_of, counter, budget)
    inside = {int(kept[k]) for k in chosen}
    too_long = {int(kept[k]) for k in np.flatnonzero(costs > room)}
    left_out = {by_id[i]: _why(i, int(said_first[i]), by_id, too_long) for i in range(len(pool)) if i not in inside}
    return Packed(
        text=text,
        cited=tuple(Cited(label, by_id[int(kept[k])]) for k, label in shown),
        used_tokens=used,
        left_out=tuple(left_out[place] for place in sorted(left_out)),
        value=objective.value(chosen),
        bound=selection.bound,
        guarantee=selection.guarantee,
    )


def _fitted(
    chosen: list[int],
    text_of: Callable[[Sequence[int]], tuple[str, list[tuple[int, str]]]],
    counter: TokenCounter,
    budget: int,
) -> tuple[list[int], str, list[tuple[int, str]], int]:
    """What of the chosen fits when the whole text is counted."""
    while True:
        text, shown = text_of(chosen)
        used = counter.count(text)
        if used <= budget or not chosen:
            return chosen, text, shown, used
        chosen = chosen[:-1]


def _why(place: int, first: int, by_id: Sequence[int], too_long: set[int]) -> LeftOut:
    if first != place:
        return LeftOut(by_id[place], Reason.DUPLICATE, by_id[first])
    return LeftOut(by_id[place], Reason.TOO_LONG if place in too_long else Reason.BUDGET)


def _relevance(pool: Sequence[Candidate], first: NDArray[np.int64], previous: Collection[UUID]) -> NDArray[np.float64]:
    """Relevance in (0, 1], float64 `[n]`; of those that say the same, the first has that of the best."""
    scores = np.array([c.score for c in pool], dtype=np.float64)
    if not scores.size:
        return scores
    apart = (scores - scores.mean()) / max(float(scores.std()), 1e-9)
    apart[[c.memory.memory_id in previous for c in pool]] += PREVIOUS_ADVANTAGE
    np.maximum.at(apart, first, apart.copy())
    below = apart - apart.max()
    relevance: NDArray[np.float64] = np.exp(below / _TEMPERATURE)
    return relevance


def _likeness(vectors: Sequence[NDArray[np.float32] | None], texts: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    known = [vector for vector in vectors if vector is not None]
    if known and len(known) == len(vectors) and len({vector.shape for vector in known}) == 1:
        return by_vectors(np.stack(known))
    return by_words(texts)


def _place_in_block(candidate: Candidate, order: BlockOrder) -> tuple[object, bytes]:
    memory = candidate.memory
    key: object = -candidate.score if order is BlockOrder.RELEVANCE else memory.at
    return key, memory.memory_id.bytes
