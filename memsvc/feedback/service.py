"""Takes feedback on recalls, and gives the channel weights that follow from it.

Weights are a pure function of the verdicts that stand in the database: of the last `VERDICTS_FROM` of a namespace, in
the order in which they came. So a restart changes nothing, and an erased memory, whose verdicts go with it, leaves
nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from threading import Lock
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.retention import Grade
from memsvc.core.clock import Clock
from memsvc.core.errors import InvalidInput, NotFound
from memsvc.db.engine import Database
from memsvc.feedback import repository
from memsvc.memories import recalls
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from memsvc.recall.traces import Trace, Traces
from retrieval.adaptation import Adaptation, Judged, Verdict

VERDICTS_FROM = 2_000
"""Verdicts of a namespace that its weights follow from: the last ones."""

_KEPT = 4_096
_FRESH_S = 60  # after so long, what another process was told is seen too
_UNADAPTED: Mapping[str, float] = {}

Allowed = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Weights:
    """How the fusion of a namespace has adapted.

    Attributes:
        is_on: whether recalls use `factors`.
        factors: by channel name what its default weight is multiplied with; 1 for a channel that is not named.
        rounds: how many recalls were judged.
        regret, regret_bound: see `retrieval.adaptation.Adaptation`.
    """

    is_on: bool
    factors: Mapping[str, float]
    rounds: int = 0
    regret: float = 0.0
    regret_bound: float = 0.0


class Feedback:
    """Feedback of all tenants. Thread-safe."""

    def __init__(self, database: Database, clock: Clock, traces: Traces, *, is_adaptive: bool) -> None:
        self._database = database
        self._clock = clock
        self._traces = traces
        self._is_adaptive = is_adaptive
        self._kept: OrderedDict[tuple[UUID, UUID], tuple[tuple[int, ...], Weights]] = OrderedDict()
        self._told: dict[tuple[UUID, UUID], int] = {}
        self._lock = Lock()

    def __call__(self, tenant_id: UUID, recall_id: UUID, verdicts: Mapping[UUID, Verdict], allowed: Allowed) -> int:
        """Keeps what a caller says about hits of a recall; returns on how many that are still there.

        Args:
            recall_id: names the recall.
            verdicts: by memory. A later verdict on the same hit takes the place of the earlier.
            allowed: whether the caller reaches a namespace.

        Raises:
            NotFound: there was no such recall in the last hour, not of this tenant, or out of the caller's reach.
            InvalidInput: a memory is not among its hits.
        """
        trace = self._traces.find(tenant_id, recall_id)
        if trace is None or not all(map(allowed, trace.asked)):
            raise NotFound("there is no recall with this id in the last hour")
        hits = set(trace.memory_ids)
        for place, memory_id in enumerate(verdicts):
            if memory_id not in hits:
                raise InvalidInput.field(f"/memories/{place}/id", "not_a_hit", "is not a hit of this recall")
        if not verdicts:
            return 0
        touched = self._database.write(
            tenant_id, lambda connection: self._store(connection, recall_id, trace, verdicts)
        )
        with self._lock:
            for namespace_id in touched:
                key = (tenant_id, namespace_id)
                self._told[key] = self._told.get(key, 0) + 1
        return sum(touched.values())

    def factors(self, namespace: NamespaceRow) -> Mapping[str, float]:
        """What recalls of a namespace multiply their channels' weights with. Empty while adaptation is off."""
        return self._weights(namespace).factors if self._is_adaptive else _UNADAPTED

    def weights(self, tenant_id: UUID, path: str) -> Weights:
        """How the fusion of a namespace has adapted, or would have. One that does not exist has not."""
        with self._database.read(tenant_id) as connection:
            namespace = namespaces.find(connection, tenant_id, path)
        return Weights(self._is_adaptive, _UNADAPTED) if namespace is None else self._weights(namespace)

    def reset(self, tenant_id: UUID, path: str) -> None:
        """Weights of a namespace begin again at the defaults. What was said stays."""
        now = self._clock.now()

        def work(connection: Connection) -> UUID | None:
            namespace = namespaces.find(connection, tenant_id, path)
            if namespace is not None:
                repository.reset(connection, namespace, now)
            return None if namespace is None else namespace.id

        namespace_id = self._database.write(tenant_id, work)
        if namespace_id is not None:
            with self._lock:
                self._told[tenant_id, namespace_id] = self._told.get((tenant_id, namespace_id), 0) + 1

    def _store(
        self, connection: Connection, recall_id: UUID, trace: Trace, verdicts: Mapping[UUID, Verdict]
    ) -> dict[UUID, int]:
        """Writes the verdicts; returns for each namespace on how many of its memories."""
        homes = repository.homes(connection, trace.tenant_id, list(verdicts), lock=True)
        # How far a hit stood apart is not told by hits that were erased since.
        trace = trace.among(repository.homes(connection, trace.tenant_id, trace.memory_ids))
        now = self._clock.now()
        # A recall is one use of a memory, however often the caller changes their mind about it.
        known = repository.known(connection, trace.tenant_id, recall_id)
        grades = {one: Grade[verdict.name] for one, verdict in verdicts.items() if one in homes and one not in known}
        recalls.judged(connection, trace.tenant_id, grades, now)
        repository.store(
            connection,
            [
                {
                    "tenant_id": trace.tenant_id,
                    "recall_id": recall_id,
                    "memory_id": memory_id,
                    "namespace_id": homes[memory_id],
                    "verdict": int(verdict),
                    "apart": trace.apart(memory_id),
                    "recorded_at": now,
                }
                for memory_id, verdict in verdicts.items()
                if memory_id in homes
            ],
        )
        touched: dict[UUID, int] = {}
        for namespace_id in homes.values():
            touched[namespace_id] = touched.get(namespace_id, 0) + 1
        return touched

    def _weights(self, namespace: NamespaceRow) -> Weights:
        key = namespace.key
        with self._lock:
            state = (namespace.head_seq, self._told.get(key, 0), int(self._clock.now().timestamp() // _FRESH_S))
            kept = self._kept.get(key)
            if kept is not None and kept[0] == state:
                self._kept.move_to_end(key)
                return kept[1]
        weights = self._learned(namespace)
        with self._lock:
            self._kept[key] = (state, weights)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return weights

    def _learned(self, namespace: NamespaceRow) -> Weights:
        with self._database.read(namespace.tenant_id) as connection:
            since = repository.reset_at(connection, namespace)
            rows = repository.latest(connection, namespace, since, VERDICTS_FROM)
        adaptation = Adaptation()
        for _, judged in groupby(rows, key=lambda row: row.recall_id):
            adaptation.learn(Judged(Verdict(row.verdict), row.apart) for row in judged)
        return Weights(
            self._is_adaptive, adaptation.factors, adaptation.rounds, adaptation.regret, adaptation.regret_bound
        )
