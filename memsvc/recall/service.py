"""One recall from the request to the answer: bring the bank up to date, search it, fetch what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import Kind, State
from lifecycle.policy import Policy
from lifecycle.telling_order import asks_for_past
from memsvc.core.clock import Clock, from_us
from memsvc.core.errors import InvalidInput
from memsvc.db.engine import Database
from memsvc.filters.ast import Node
from memsvc.index.keeper import Keeper
from memsvc.memories import derived, repository
from memsvc.memories.fading import shown_fading
from memsvc.namespaces import policies
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from memsvc.recall.descent import LEAST_HITS, below_hits, descending
from memsvc.recall.order import all_below, sources_first
from memsvc.recall.scope import Scopes
from memsvc.recall.tellings import asks_for_now, later_tellings
from retrieval.pipeline import Recaller
from retrieval.types import Hit, Profile, Query, Recall, Resolved
from retrieval.types import Question as ReadQuestion


@dataclass(frozen=True, slots=True)
class Question:
    """A recall as it was asked, checked and in the service's own terms."""

    path: str
    text: str
    top_k: int
    kinds: frozenset[Kind]
    condition: Node | None
    raw_condition: Any
    as_of: datetime | None
    valid_at: datetime | None
    asked_at: datetime | None
    profile: Profile
    min_seq: int | None
    deadline_s: float | None
    with_vectors: bool = False
    descends: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A hit with the memory as the database has it, and how far it has faded (see `memsvc.memories.fading`)."""

    hit: Hit
    memory: Any
    fading: Mapping[str, Any]

    @property
    def vector(self) -> NDArray[np.float32] | None:
        """Its first view, float32 `[dim]`, if vectors were asked for."""
        return self.hit.vector


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, and how. `explained` says what was read out of the question, and which further hops were made."""

    found: Sequence[Found]
    confidence: float
    seq: int
    degraded: Sequence[str]
    timings_ms: dict[str, float]
    eligible: int
    explained: dict[str, Any] = field(default_factory=dict)


_NOTHING_LOST = 1e-3
"""Standard deviations: memories of one day do not change places for having been written in the morning."""

Factors = Callable[[NamespaceRow], Mapping[str, float]]
"""What feedback taught about the weights of channels in a namespace."""


Resolve = Callable[[NamespaceRow, Sequence[str]], Sequence[Resolved]]
"""What each name of a question stands for in a namespace."""


class RecallService:
    """Answers questions over one namespace."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keeper: Keeper,
        recaller: Recaller,
        space_id: UUID,
        factors: Factors = lambda namespace: {},
        resolve: Resolve = lambda namespace, names: (),
    ) -> None:
        self._factors = factors
        self._resolve = resolve
        self._database = database
        self._clock = clock
        self._keeper = keeper
        self._recaller = recaller
        self._space_id = space_id
        self._scopes = Scopes()

    def __call__(self, tenant_id: UUID, question: Question) -> Answer:
        """The memories that matter, best first. An unknown namespace is an empty one.

        Raises:
            InvalidInput: `min_seq` is ahead of the namespace, or `as_of` in the future.
        """
        begun = time.perf_counter()
        now = self._clock.now()
        if question.as_of is not None and question.as_of > now:
            raise InvalidInput.field("/as_of", "in_the_future", "lies in the future")
        with self._database.read() as connection:
            namespace = namespaces.find(connection, tenant_id, question.path)
            head = 0 if namespace is None else namespace.head_seq
            if question.min_seq is not None and question.min_seq > head:
                raise InvalidInput.field("/min_seq", "not_reached", "is ahead of the namespace's last change")
            if namespace is None:
                return Answer((), 0.0, 0, (), {"total": _ms_since(begun)}, 0)
            scan = self._scopes.scan(
                connection,
                namespace,
                question.condition,
                question.raw_condition,
                kinds=question.kinds,
                now=now,
                as_of=question.as_of,
                valid_at=question.valid_at,
            )
        is_of_now = _is_of_now(question, policies.of(namespace))
        bank = self._keeper.catch_up(namespace.key, namespace.head_seq)
        located = time.perf_counter()
        spare = question.top_k if namespace.has_derived else 0  # made ones give their places to others
        top_k = question.top_k + spare
        query = Query(
            text=question.text,
            asked_at=question.asked_at or now,
            top_k=max(top_k, LEAST_HITS) if question.descends else top_k,
            scan=scan,
            profile=question.profile,
            deadline_s=None if question.deadline_s is None else max(0.0, question.deadline_s - (located - begun)),
            with_vectors=question.with_vectors or is_of_now,
        )
        analysed = self._recaller.analyse(query, partial(self._resolve, namespace))
        if namespace.space_id != self._space_id:
            analysed = replace(analysed, reading=None)  # the namespace's vectors come from another model
        searching = time.perf_counter()
        factors = self._factors(namespace)
        recall = self._recaller.recall(analysed, bank, factors)
        if question.descends and recall.hits:
            hits = [hit.memory_id for hit in recall.hits]
            with self._database.read() as connection:
                below = below_hits(connection, tenant_id, hits)
            if below.size:
                scan = descending(scan, hits, below)
                analysed = replace(analysed, query=replace(query, scan=scan, top_k=top_k))
                recall = self._recaller.recall(analysed, bank, factors)
            recall = replace(recall, hits=recall.hits[:top_k])
        hydrating = time.perf_counter()
        is_general = analysed.question.kind_hint is Kind.SEMANTIC
        found = self._fetch(namespace, recall, question.as_of, scan.states, now, is_general=is_general)
        if is_of_now and asks_for_now(analysed.question):
            apart = policies.of(namespace).later_first
            newer = later_tellings(found, question.text, analysed.question.names, apart)
            found = _newer_first(found, newer)
        timings = {
            **recall.timings_ms,
            "locate": (located - begun) * 1e3,
            "search": (hydrating - searching) * 1e3 - recall.timings_ms["embed_wait"],
            "fetch": _ms_since(hydrating),
            "total": _ms_since(begun),
        }
        return Answer(
            found[: question.top_k],
            recall.confidence,
            namespace.head_seq,
            recall.degraded,
            timings,
            recall.eligible,
            explained(analysed.question, recall.trail),
        )

    def _fetch(
        self,
        namespace: NamespaceRow,
        recall: Recall,
        as_of: datetime | None,
        states: frozenset[State],
        now: datetime,
        *,
        is_general: bool,
    ) -> list[Found]:
        """The memories as they were searched. One that was erased or hidden since then is left out.

        What a job made of others stands behind all that somebody wrote while any of these can be found itself, unless
        the question asks for what is true in general.
        """
        if not recall.hits:
            return []
        with self._database.read() as connection:
            rows = repository.versions(connection, namespace.tenant_id, [(h.memory_id, h.version) for h in recall.hits])
            outdated = [row.memory_id for row in rows.values() if row.state_now == State.SUPERSEDED]
            newer = (
                repository.superseders(connection, namespace.tenant_id, outdated) if outdated and as_of is None else {}
            )
            made = [] if is_general else [row.memory_id for row in rows.values() if row.derived is not None]
            sources = all_below(made, partial(derived.below, connection, namespace.tenant_id)) if made else {}
            behind = derived.standing_beside(connection, namespace.tenant_id, sources, states) if made else set()
        policy = policies.of(namespace)
        found = []
        for hit in recall.hits:
            row = rows.get((hit.memory_id, hit.version))
            if row is None or (as_of is None and State(row.state_now) not in states):
                continue
            found.append(Found(hit, row, shown_fading(cast("Mapping[str, Any]", row._mapping), policy, now)))
        ordered = found if as_of is not None else _newer_first(_with_prior(found, policy), newer)
        return _written_first(_sources_first(ordered, sources), behind) if sources else ordered


def _is_of_now(question: Question, policy: Policy) -> bool:
    """Whether what was told later may go first, as far as the request says."""
    asks_for_then = question.as_of is not None or question.valid_at is not None or asks_for_past(question.text)
    return policy.later_first > 0.0 and not asks_for_then


def _with_prior(found: list[Found], policy: Policy) -> list[Found]:
    """Hits in the order of their scores, less what they lose for having faded; ties stay as they are.

    Which memories are hits is not changed by it, and none moves past another that stands further ahead than the prior.
    """
    lost = [policy.prior * (1.0 - (one.fading["retention"] or 0.0)) for one in found]
    if not found or max(lost) - min(lost) < _NOTHING_LOST:
        return found  # as good as equally fresh: the scores stay what the channels made of them
    moved = [
        replace(one, hit=replace(one.hit, score=one.hit.score - loss)) for one, loss in zip(found, lost, strict=True)
    ]
    return sorted(moved, key=lambda one: -one.hit.score)


def _newer_first(found: list[Found], newer: Mapping[UUID, set[UUID]]) -> list[Found]:
    """Hits with each outdated one behind what supersedes it, which takes its place if it was found further behind.

    Args:
        found: best first.
        newer: for outdated memories, what supersedes them; it need not be among the hits.
    """
    if not newer:
        return found
    ordered: dict[UUID, Found] = {}
    for one in found:
        ahead, looked_at = [one], {one.hit.memory_id}
        for older in ahead:  # grows: what supersedes may be superseded itself
            by = newer.get(older.hit.memory_id, set()) - looked_at
            ahead += [other for other in found if other.hit.memory_id in by]
            looked_at |= by
        for other in reversed(ahead):
            score = max(one.hit.score, other.hit.score)
            placed = other if other is one else replace(other, hit=replace(other.hit, score=score))
            ordered.setdefault(other.hit.memory_id, placed)
    return list(ordered.values())


def _sources_first(found: list[Found], sources: Mapping[UUID, set[UUID]]) -> list[Found]:
    """Hits with each made one behind the best of its sources; it has no more than that one's score."""
    ordered: list[Found] = []
    for place in sources_first([one.hit.memory_id for one in found], sources):
        one = found[place]
        most = ordered[-1].hit.score if ordered else one.hit.score
        ordered.append(one if one.hit.score <= most else replace(one, hit=replace(one.hit, score=most)))
    return ordered


def _written_first(found: list[Found], behind: Set[UUID]) -> list[Found]:
    """Hits with some of them behind all others, with no more than the score of the last of these."""
    ahead = [one for one in found if one.hit.memory_id not in behind]
    least = ahead[-1].hit.score if ahead else float("inf")
    return ahead + [
        one if one.hit.score <= least else replace(one, hit=replace(one.hit, score=least))
        for one in found
        if one.hit.memory_id in behind
    ]


def explained(question: ReadQuestion, trail: Sequence[str]) -> dict[str, Any]:
    """What was read out of a question, and the trail of further hops, as an explanation shows them."""
    shown: dict[str, Any] = {
        "type": question.type.value,
        "names": list(question.names),
        "spans": [[_instant(start), _instant(end)] for start, end in question.spans.tolist()],
        "order": None if question.order is None else question.order.value,
        "anchor": question.anchor,
        "phrases": list(question.phrases),
        "identifiers": list(question.identifiers),
        "kind_hint": None if question.kind_hint is None else question.kind_hint.name.lower(),
    }
    return {"question": shown, "trail": list(trail)}


def _instant(moment_us: int) -> str | None:
    """An end of a span; None where it lies beyond the calendar."""
    try:
        return from_us(moment_us).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError):
        return None


def _ms_since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1e3
