"""One recall from the request to the answer: bring the bank up to date, search it, fetch what was found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from gpu.bank.records import Kind, State
from memsvc.core.clock import Clock
from memsvc.core.errors import InvalidInput
from memsvc.db.engine import Database
from memsvc.filters.ast import Node
from memsvc.index.keeper import Keeper
from memsvc.memories import repository
from memsvc.namespaces import repository as namespaces
from memsvc.recall.scope import Scopes
from retrieval.pipeline import Recaller
from retrieval.types import Hit, Profile, Query, Recall


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


@dataclass(frozen=True, slots=True)
class Found:
    """A hit with the memory as the database has it."""

    hit: Hit
    memory: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, and how."""

    found: Sequence[Found]
    confidence: float
    seq: int
    degraded: Sequence[str]
    timings_ms: dict[str, float]
    eligible: int


class RecallService:
    """Answers questions over one namespace."""

    def __init__(self, database: Database, clock: Clock, keeper: Keeper, recaller: Recaller, space_id: UUID) -> None:
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
        bank = self._keeper.catch_up(namespace.key, namespace.head_seq)
        located = time.perf_counter()
        query = Query(
            text=question.text,
            asked_at=question.asked_at or now,
            top_k=question.top_k,
            scan=scan,
            profile=question.profile,
            deadline_s=None if question.deadline_s is None else max(0.0, question.deadline_s - (located - begun)),
        )
        analysed = self._recaller.analyse(query)
        if namespace.space_id != self._space_id:
            analysed = replace(analysed, vector=None)  # the namespace's vectors come from another model
        searching = time.perf_counter()
        recall = self._recaller.recall(analysed, bank)
        hydrating = time.perf_counter()
        found = self._fetch(tenant_id, recall, question.as_of, scan.states)
        timings = {
            **recall.timings_ms,
            "locate": (located - begun) * 1e3,
            "search": (hydrating - searching) * 1e3,
            "fetch": _ms_since(hydrating),
            "total": _ms_since(begun),
        }
        return Answer(found, recall.confidence, namespace.head_seq, recall.degraded, timings, recall.eligible)

    def _fetch(self, tenant_id: UUID, recall: Recall, as_of: datetime | None, states: frozenset[State]) -> list[Found]:
        """The memories as they were searched. One that was erased or hidden since then is left out."""
        if not recall.hits:
            return []
        with self._database.read() as connection:
            rows = repository.versions(connection, tenant_id, [(h.memory_id, h.version) for h in recall.hits])
        found = []
        for hit in recall.hits:
            row = rows.get((hit.memory_id, hit.version))
            if row is None or (as_of is None and State(row.state_now) not in states):
                continue
            found.append(Found(hit, row))
        return found


def _ms_since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1e3
