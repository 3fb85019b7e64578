"""The job `surprise`: how unlike everything before it each memory was; see `lifecycle.surprise`.

Novelties are kept, so that a run compares only memories that it does not know yet with those before them, `MOST` of
them at most, the earliest first; from all novelties it works out what each surprise should be, and writes what differs.
A memory whose text or vectors are made anew, and one that rests on a memory that was erased or made anew, has its
novelty taken away at once (`Ledger`), and gets another in the next run: as if the other had never been there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, and_, bindparam, exists, select, tuple_, update

from lifecycle.policy import Policy
from lifecycle.steps import BY, Step
from lifecycle.surprise import NearestBefore, surprises
from memsvc.memories.ledger import Ledger
from memsvc.models.embedding import MERGED_VIEW
from memsvc.models.tables import EMBEDDING, MEMORY
from memsvc.namespaces.repository import NamespaceRow

KIND = "surprise"
MOST = 2_000
"""Memories that a run compares with those before them: a bound on its work, which is this times the namespace."""
_PAGE = 5_000

_VECTORS = and_(
    EMBEDDING.c.tenant_id == MEMORY.c.tenant_id,
    EMBEDDING.c.memory_id == MEMORY.c.id,
    EMBEDDING.c.version == MEMORY.c.content_version,
    EMBEDDING.c.space_id == bindparam("space_id"),
    EMBEDDING.c.view != MERGED_VIEW,  # what others say, too
)


class Surprise:
    """The job; see `memsvc.jobs.work.Work`. It changes no text, no state and no history."""

    kind = KIND
    is_bounded = False  # by its own measure: see `MOST`

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`."""
        rows = _rows(connection, namespace)
        novelties = np.array([np.nan if row.novelty is None else row.novelty for row in rows], np.float64)
        unknown = np.flatnonzero(np.isnan(novelties))[:MOST]
        nearest = np.full(len(rows), -1, np.int64)
        if unknown.size:
            novelties[unknown], nearest[unknown] = _compared(connection, namespace, rows, unknown)
        # A memory that is not known yet says nothing of those after it: they wait for it, and lose nothing.
        end = int(np.flatnonzero(np.isnan(novelties)).min(initial=len(rows)))
        found = surprises(novelties[:end])
        fresh = set(unknown.tolist())
        return [
            _step(row, float(found[at]), float(novelties[at]), None if nearest[at] < 0 else rows[nearest[at]])
            for at, row in enumerate(rows[:end])
            if at in fresh or row.surprise != found[at]
        ]

    def apply(self, ledger: Ledger, steps: Sequence[Step], policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. What was erased or made anew since the plan, or rests on such a memory, waits for another run."""
        there = _by_id(ledger, [memory for step in steps for memory in _involved(step)])
        done = []
        for step in steps:
            row = there.get(step.memory_id)
            if row is None or row.surprise != step.before["surprise"] or row.content_version != step.why["version"]:
                continue
            if row.novelty is None:
                by = there.get(UUID(step.why[BY])) if BY in step.why else None
                if BY in step.why and (by is None or by.content_version != step.why["by_version"]):
                    continue
                nearest = None if by is None else by.id
            elif row.novelty == step.why["novelty"]:
                nearest = row.nearest_id
            else:
                continue
            _put(ledger, row.id, step.after["surprise"], step.why["novelty"], nearest)
            done.append(step)
        return done

    def revert(self, ledger: Ledger, steps: Sequence[Step]) -> Sequence[Step]:
        """See `Work`. The next run works all out again."""
        there = _by_id(ledger, [step.memory_id for step in steps])
        done = []
        for step in steps:
            row = there.get(step.memory_id)
            if row is None or row.surprise != step.before["surprise"]:
                continue
            if step.after["surprise"] is None:
                _put(ledger, row.id, None, None, None)
            else:
                _put(ledger, row.id, step.after["surprise"], row.novelty, row.nearest_id)
            done.append(step)
        return done


def _rows(connection: Connection, namespace: NamespaceRow) -> Sequence[Any]:
    """The memories that have a vector, in the order in which they were written, whatever their state."""
    query = (
        select(MEMORY.c.id, MEMORY.c.recorded_at, MEMORY.c.content_version, MEMORY.c.surprise, MEMORY.c.novelty)
        .where(
            MEMORY.c.tenant_id == namespace.tenant_id,
            MEMORY.c.namespace_id == namespace.id,
            exists().where(_VECTORS),
        )
        .order_by(MEMORY.c.recorded_at, MEMORY.c.id)
    )
    return connection.execute(query, {"space_id": namespace.space_id}).all()


def _compared(
    connection: Connection, namespace: NamespaceRow, rows: Sequence[Any], places: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Novelty of the memories at some places, and the places of those that they rest on.

    Vectors are read in pages: what is held at a time does not grow with the namespace.
    """
    is_asked = np.zeros(len(rows), np.bool_)
    is_asked[places] = True
    own = [_only(vectors, at, is_asked) for vectors, at in _pages(connection, namespace, rows)]
    vectors = np.concatenate([part for part, _ in own])
    owners = np.searchsorted(places, np.concatenate([at for _, at in own]))
    nearest = NearestBefore(vectors, owners, places)
    for page, at in _pages(connection, namespace, rows[: int(places[-1])]):
        nearest.see(page, at)
    return nearest.novelties()


def _only(
    vectors: NDArray[np.float32], places: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    kept = wanted[places]
    return vectors[kept], places[kept]


def _pages(
    connection: Connection, namespace: NamespaceRow, rows: Sequence[Any]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Vectors of memories in their order, float32 `[v, dim]`, and the place of the memory of each."""
    place = tuple_(MEMORY.c.recorded_at, MEMORY.c.id)
    for start in range(0, len(rows), _PAGE):
        part = rows[start : start + _PAGE]
        query = (
            select(MEMORY.c.id, EMBEDDING.c.vector)
            .join_from(MEMORY, EMBEDDING, _VECTORS)
            .where(
                MEMORY.c.tenant_id == namespace.tenant_id,
                MEMORY.c.namespace_id == namespace.id,
                place >= (part[0].recorded_at, part[0].id),
                place <= (part[-1].recorded_at, part[-1].id),
            )
            .order_by(MEMORY.c.recorded_at, MEMORY.c.id, EMBEDDING.c.view)
        )
        at = {row.id: start + i for i, row in enumerate(part)}
        found = [row for row in connection.execute(query, {"space_id": namespace.space_id}) if row.id in at]
        if found:
            halves = np.frombuffer(b"".join(row.vector for row in found), "<f2").reshape(len(found), -1)
            yield halves.astype(np.float32), np.array([at[row.id] for row in found], np.int64)


def _step(row: Row[Any], surprise: float, novelty: float, nearest: Row[Any] | None) -> Step:
    rests: Mapping[str, Any] = {} if nearest is None else {BY: str(nearest.id), "by_version": nearest.content_version}
    return Step(
        row.id,
        "judge",
        {"surprise": row.surprise},
        {"surprise": surprise},
        {"novelty": novelty, "version": row.content_version, **rests},
    )


def _involved(step: Step) -> list[UUID]:
    return [step.memory_id, *([UUID(step.why[BY])] if BY in step.why else [])]


def _by_id(ledger: Ledger, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    names = ("id", "content_version", "surprise", "novelty", "nearest_id")
    query = select(*(MEMORY.c[name] for name in names)).where(
        MEMORY.c.tenant_id == ledger.namespace.tenant_id,
        MEMORY.c.namespace_id == ledger.namespace.id,
        MEMORY.c.id.in_(sorted(set(ids))),
    )
    return {row.id: row for row in ledger.connection.execute(query)}


def _put(ledger: Ledger, memory: UUID, surprise: float | None, novelty: float | None, nearest: UUID | None) -> None:
    ledger.connection.execute(
        update(MEMORY)
        .where(MEMORY.c.tenant_id == ledger.namespace.tenant_id, MEMORY.c.id == memory)
        .values(surprise=surprise, novelty=novelty, nearest_id=nearest)
    )
