"""What recalls do to the memories that were of use: they last longer, and fade anew from there.

What counts as a recall is use: a place in a context, or a verdict of feedback; never a place in a list of hits.
Verdicts are written with the feedback, in its transaction. Uses in contexts are gathered and written every so often,
each memory once: what is lost of them when a process is killed makes some memories fade a little sooner. Neither makes
a version nor takes a place in the change log.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, and_, bindparam, select, update

from lifecycle.retention import Grade, after_recall
from lifecycle.uses import Uses, after_use
from memsvc.core.clock import Clock
from memsvc.db.engine import Database
from memsvc.memories.fading import faded, seconds
from memsvc.models.tables import MEMORY
from memsvc.namespaces import policies
from memsvc.namespaces import repository as namespaces

_CHUNK = 400
_MOST_GATHERED = 100_000
"""Memories that wait to be written at most; uses beyond that are let go."""


def judged(connection: Connection, tenant_id: UUID, grades: Mapping[UUID, Grade], now: datetime) -> None:
    """Writes what recalls did to memories of a tenant, those that are still there.

    Args:
        grades: what came of it, by memory.
        now: the moment of the recalls.
    """
    ids = sorted(grades, key=lambda one: one.bytes)  # so that two writers take their locks in the same order
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        query = select(MEMORY).where(MEMORY.c.tenant_id == tenant_id, MEMORY.c.id.in_(part)).order_by(MEMORY.c.id)
        rows = [dict(row._mapping) for row in connection.execute(query.with_for_update())]
        changes = []
        homes = {row["namespace_id"] for row in rows}
        of = {home: namespaces.get(connection, tenant_id, home) for home in homes}
        for row in rows:
            known, namespace = faded(row), of[row["namespace_id"]]
            if known is None or namespace is None:
                continue
            grade = grades[row["id"]]
            level = known.retention(policies.of(namespace), seconds(now))
            is_use = grade is not Grade.WRONG
            last = row["last_recalled_at"]
            uses = Uses(row["recent_uses"], row["longest_gap_s"])
            if is_use:
                uses = after_use(uses, None if last is None else seconds(now) - seconds(last))
            changes.append(
                {
                    "b_id": row["id"],
                    "b_stability": after_recall(row["stability_s"], level, grade),
                    "b_count": row["recall_count"] + is_use,
                    "b_recent": uses.recent,
                    "b_gap": uses.longest_gap_s,
                    "b_last": (now if last is None else max(last, now)) if is_use else last,
                }
            )
        if changes:
            connection.execute(
                update(MEMORY)
                .where(and_(MEMORY.c.tenant_id == tenant_id, MEMORY.c.id == bindparam("b_id")))
                .values(
                    stability_s=bindparam("b_stability"),
                    recall_count=bindparam("b_count"),
                    recent_uses=bindparam("b_recent"),
                    longest_gap_s=bindparam("b_gap"),
                    last_recalled_at=bindparam("b_last"),
                ),
                changes,
            )


class Recalls:
    """Gathers uses of memories, of all tenants. Thread-safe."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[UUID, set[UUID]] = {}
        self._gathered = 0

    def used(self, tenant_id: UUID, memory_ids: Iterable[UUID]) -> None:
        """Memories that were given to whoever asked; they are written with the next `flush`."""
        with self._lock:
            own = self._used.setdefault(tenant_id, set())
            for memory_id in memory_ids:
                if self._gathered >= _MOST_GATHERED:
                    return
                self._gathered += memory_id not in own
                own.add(memory_id)

    def flush(self) -> None:
        """Writes what was gathered. What cannot be written now is let go."""
        with self._lock:
            used, self._used, self._gathered = self._used, {}, 0
        now = self._clock.now()
        for tenant_id, memory_ids in used.items():
            grades = dict.fromkeys(memory_ids, Grade.USED)
            self._database.write(tenant_id, partial(judged, tenant_id=tenant_id, grades=grades, now=now))
