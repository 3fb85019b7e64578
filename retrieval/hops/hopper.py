"""Follows what the best memories name to further memories, until nothing is gained by going on.

First-stage scores are brought to [0, 1]: r₀(d) = (s(d) - s_low) / (s_best - s_low), with s_low the score of the last
candidate. A hop takes the memories of the frontier (the best `beam`; later the best that the hop before found), finds
the bridges in them (`retrieval.hops.bridges`), and the memories d that hold one (`retrieval.hops.links`), and pools:

    step(d) = 1/2 * link(d) / max link  +  1/2 * ask(d) / max ask        divided by the best of the hop,
              or 1 where d is the only way on from its parent: there is nothing to choose
    r(d)    = max( r(d), decay * r(parent of d) * step(d) )

so that what was found never stands above the memory that led to it, nor is anything pushed down but by what goes before
it. ask(d) is the first stage's own score of d for the question: the question is asked again of everything that a bridge
leads to, and no model runs. Names of the question that no candidate among the first ten holds are bridges of the first
hop too, with r(parent) = 1.

The search stops when

- covered: a memory of the frontier holds every term of the question that any memory holds, and its names: what was
  asked stands in one place;
- no way on: no bridge leads to a memory that was not seen;
- no gain: the sum of r over the first `top_k` grew by less than `least_gain` of itself;
- far enough: after `max_hops`; only a thread (a bridge that one single other memory holds) is followed on, from the
  best memory that one led to, up to `max_thread`: "the key of A is B", "the key of B is C";
- time is up.

The result is a ranking on the scale of the first stage, and a trail that says which bridge led from where to where.

Parameters: decay 0.8 (0.97 along a thread: there is no other way to go), beam 3, bridges 8 for each memory, max_hops 3,
max_thread 8, weakest_link 0.1, least_gain 0.01; `docs/decisions/0007-multi-hop.md` says which were set when, and what
else was tried. Cost: a hop is one scan of the terms and a look at `beam` texts.

Sources: iterative retrieval with entities as bridges, Asai et al. 2020 (arXiv:1911.10470); scores along a path, Xiong
et al. 2021 (arXiv:2009.12756); stopping when the evidence suffices, Aly and Vlachos 2022 (arXiv:2212.05276); threads of
keys, Roberts, Han and Albanie 2024 (arXiv:2411.05000).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from retrieval.fusion import Ranking
from retrieval.hops.bridges import Bridge, bridges_of, phrases
from retrieval.hops.links import Links, links_of
from retrieval.rerank.shown import folded_texts

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

FROM_QUESTION = -1

ScoreOf = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""First-stage scores of any slots int64 `[m]`, float64 `[m]`; the scale of the ranking is not needed."""


class Stop(StrEnum):
    """Why no further hop was made."""

    COVERED = "one memory holds all that was asked"
    NO_WAY_ON = "no name or rare word leads on"
    NO_GAIN = "a further hop gained nothing"
    FAR_ENOUGH = "the last hop that is allowed"
    TIME = "time was up"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a hop needs of the question: its hashed terms, uint32 `[q]`, and its names as written."""

    terms: NDArray[np.uint32]
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One bridge that was followed: from which memory (slot, -1 for the question) to which (slots, best first)."""

    hop: int
    bridge: str
    source: int
    found: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Hops:
    """What following bridges gave.

    Attributes:
        ranking: memories best first, those found on the way among them, scores on the scale of the first stage.
        via: the memory that led to each found one, slot by slot (-1: the question's own names).
        threads: found ones that a bridge led to which nothing else holds.
        steps: which bridges were followed, in order.
        hops: how many hops were made.
        stop: why it ended.
        took_ms: time spent.
    """

    ranking: Ranking
    via: dict[int, int]
    threads: frozenset[int]
    steps: tuple[Step, ...]
    hops: int
    stop: Stop
    took_ms: float

    def in_words(self, view: BankView) -> list[str]:
        """The trail, a line for each bridge, and why it ended."""
        slots = sorted({slot for step in self.steps for slot in (step.source, *step.found)} - {FROM_QUESTION})
        ids = view.memory_id(np.array(slots, dtype=np.int64))
        name = {slot: f"memory {UUID(bytes=row.tobytes())}" for slot, row in zip(slots, ids, strict=True)}
        name[FROM_QUESTION] = "the question"
        lines = [
            f'hop {step.hop}: "{step.bridge}" from {name[step.source]} -> '
            + ", ".join(name[slot] for slot in step.found)
            for step in self.steps
        ]
        return [*lines, f"ended after {self.hops}: {self.stop.value}"]


class Hopper:
    """Goes from the best memories to those that they lead to. Thread-safe, no state of its own."""

    def __init__(
        self,
        *,
        max_hops: int = 3,
        max_thread: int = 8,
        beam: int = 3,
        most_bridges: int = 8,
        decay: float = 0.8,
        thread_decay: float = 0.97,
        weakest_link: float = 0.1,
        least_gain: float = 0.01,
    ) -> None:
        """Sets how far and how broadly to go.

        Args:
            max_hops: hops at most where names branch.
            max_thread: hops at most along a thread.
            beam: memories that each hop starts from.
            most_bridges: bridges taken from one memory.
            decay: what a found memory is worth beside the one that led to it, in (0, 1).
            thread_decay: the same along a thread, where there is no other way to go.
            weakest_link: a link below this leads nowhere.
            least_gain: see the module.
        """
        self._max_hops = max_hops
        self._max_thread = max(max_thread, max_hops)
        self._beam = beam
        self._most_bridges = most_bridges
        self._decay = decay
        self._thread_decay = thread_decay
        self._weakest_link = weakest_link
        self._least_gain = least_gain

    def hop(
        self,
        asked: Asked,
        view: BankView,
        first: Ranking,
        score_of: ScoreOf,
        *,
        top_k: int = 10,
        ends_at_s: float | None = None,
    ) -> Hops:
        """Pools the first stage with what its best memories lead to.

        Args:
            asked: the question.
            view: the namespace.
            first: candidates best first.
            score_of: what the first stage thinks of any memory; higher is better, around 0 for one like any other.
            top_k: how many memories will be answered.
            ends_at_s: when to stop, on the clock of `time.monotonic`.
        """
        begun = time.monotonic()
        pool = _Pool(first)
        used = set(asked.terms.tolist())
        frontier = first.slots[: self._beam].tolist()
        steps: list[Step] = []
        threads: set[int] = set()
        made, stop = 0, Stop.FAR_ENOUGH
        while frontier and made < self._max_thread:
            if ends_at_s is not None and time.monotonic() >= ends_at_s:
                stop = Stop.TIME
                break
            if made == 0 and _covered(asked, view, frontier):
                stop = Stop.COVERED
                break
            bridges = self._bridges(asked, view, pool, frontier, used, first_hop=made == 0)
            found = self._follow(view, bridges, pool, score_of) if bridges else None
            if found is None:
                stop = Stop.NO_WAY_ON
                break
            made += 1
            before = pool.worth(top_k)
            frontier = pool.take(found, bridges, self._beam)
            steps.extend(_steps(made, bridges, found, frontier))
            threads.update(found.threads(frontier))
            used.update(term for bridge in bridges for term in bridge.terms.tolist())
            if pool.worth(top_k) - before < self._least_gain * before:
                stop = Stop.NO_GAIN
                break
            if made >= self._max_hops:
                frontier = found.threads(frontier)[:1]
        return Hops(
            pool.ranking(), pool.via, frozenset(threads), tuple(steps), made, stop, (time.monotonic() - begun) * 1e3
        )

    def _bridges(
        self, asked: Asked, view: BankView, pool: _Pool, frontier: list[int], used: set[int], *, first_hop: bool
    ) -> list[Bridge]:
        slots = np.array(frontier, dtype=np.int64)
        columns, offsets = view.ranges("entities", slots)
        found: list[Bridge] = []
        for number, (slot, text) in enumerate(zip(frontier, folded_texts(view, slots), strict=True)):
            mentions = set(columns["ids"][offsets[number] : offsets[number + 1]].tolist())
            found += bridges_of(view, phrases(text, mentions), slot, used, most=self._most_bridges)
        if first_hop:
            found += _missing_names(asked, view, pool, self._most_bridges)
        return found

    def _follow(self, view: BankView, bridges: Sequence[Bridge], pool: _Pool, score_of: ScoreOf) -> _Found | None:
        links = links_of(view, bridges)
        fresh = (links.strengths >= self._weakest_link) & ~np.isin(links.slots, list(pool.expanded))
        if not fresh.any():
            return None
        links = Links(links.slots[fresh], links.strengths[fresh], links.bridges[fresh], links.alone[fresh])
        asks = np.maximum(np.nan_to_num(score_of(links.slots), nan=0.0, neginf=0.0), 0.0)
        sources = np.array([bridges[number].source for number in links.bridges.tolist()])
        _, which, ways = np.unique(sources, return_inverse=True, return_counts=True)
        step = np.where(ways[which] == 1, 1.0, _of_best(_of_best(links.strengths) + _of_best(asks)))
        parents = np.array([pool.relevance_of(source) for source in sources.tolist()])
        decay = np.where(links.alone, self._thread_decay, self._decay)
        return _Found(links, decay * parents * step)


@dataclass(frozen=True, slots=True)
class _Found:
    """Memories that a hop leads to, and what they are worth, float64 `[n]` in [0, 1]."""

    links: Links
    relevance: NDArray[np.float64]

    def threads(self, among: Sequence[int]) -> list[int]:
        """Those of the memories that a bridge led to which nothing else holds."""
        alone = set(self.links.slots[self.links.alone].tolist())
        return [slot for slot in among if slot in alone]


class _Pool:
    """Everything that was found so far, with its relevance in [0, 1]."""

    def __init__(self, first: Ranking) -> None:
        self._best = float(first.scores[0]) if first.scores.size else 1.0
        low = float(first.scores[-1]) if first.scores.size > 1 else 0.0
        self._span = max(self._best - low, 1e-9)
        self._low = self._best - self._span
        self._relevance = {
            slot: (score - self._low) / self._span
            for slot, score in zip(first.slots.tolist(), first.scores.tolist(), strict=True)
        }
        self.expanded: set[int] = set()
        self.via: dict[int, int] = {}

    def relevance_of(self, slot: int) -> float:
        """What a memory is worth; 1 for the question itself."""
        return 1.0 if slot == FROM_QUESTION else self._relevance.get(slot, 0.0)

    def best(self, count: int) -> list[int]:
        """The best memories."""
        return sorted(self._relevance, key=lambda slot: (-self._relevance[slot], slot))[:count]

    def worth(self, count: int) -> float:
        """Sum of what the best memories are worth."""
        return float(sum(sorted(self._relevance.values(), reverse=True)[:count]))

    def take(self, found: _Found, bridges: Sequence[Bridge], beam: int) -> list[int]:
        """Adds what a hop found, and says from where to go on."""
        self.expanded.update(bridge.source for bridge in bridges)
        order = np.argsort(-found.relevance, kind="stable")
        slots, relevance = found.links.slots[order].tolist(), found.relevance[order].tolist()
        sources = [bridges[number].source for number in found.links.bridges[order].tolist()]
        for slot, worth, source in zip(slots, relevance, sources, strict=True):
            if worth > self._relevance.get(slot, 0.0):
                self._relevance[slot] = worth
                self.via[slot] = source
        return [slot for slot in slots if slot not in self.expanded][:beam]

    def ranking(self) -> Ranking:
        """All memories best first, equal ones by slot, on the scale of the first stage."""
        slots = self.best(len(self._relevance))
        scores = [self._low + self._span * self._relevance[slot] for slot in slots]
        return Ranking(np.array(slots, dtype=np.int64), np.array(scores, dtype=np.float64))


def _covered(asked: Asked, view: BankView, frontier: Sequence[int]) -> bool:
    """Whether one memory holds every term of the question; a term that no memory holds is not covered."""
    if asked.terms.size == 0:
        return False
    columns, offsets = view.ranges("terms", np.array(frontier, dtype=np.int64))
    held = [columns["ids"][a:b] for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    return any(bool(np.isin(asked.terms, of_one).all()) for of_one in held)


def _missing_names(asked: Asked, view: BankView, pool: _Pool, most: int) -> list[Bridge]:
    """Names of the question that none of the best ten holds in full."""
    if not asked.names:
        return []
    columns, offsets = view.ranges("terms", np.array(pool.best(10), dtype=np.int64))
    held = [set(columns["ids"][a:b].tolist()) for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    nothing: Collection[int] = ()
    candidates = bridges_of(view, [(name, True) for name in asked.names], FROM_QUESTION, nothing, most=most)
    return [bridge for bridge in candidates if not any(terms.issuperset(bridge.terms.tolist()) for terms in held)]


def _steps(hop: int, bridges: Sequence[Bridge], found: _Found, kept: Collection[int]) -> list[Step]:
    by_bridge: dict[int, list[int]] = {}
    for place in np.argsort(-found.relevance, kind="stable").tolist():
        if (slot := int(found.links.slots[place])) in kept:
            by_bridge.setdefault(int(found.links.bridges[place]), []).append(slot)
    return [
        Step(hop, bridges[number].text, bridges[number].source, tuple(slots)) for number, slots in by_bridge.items()
    ]


def _of_best(values: NDArray[np.float64]) -> NDArray[np.float64]:
    best = float(values.max())
    return values / best if best > 0.0 else np.zeros_like(values)
