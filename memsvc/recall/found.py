"""What a search found, fetched from the database and put in its order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from gpu.bank.records import State
from lifecycle.policy import Policy
from memsvc.memories import repository
from memsvc.memories.fading import shown_fading
from memsvc.namespaces import policies
from memsvc.namespaces.repository import NamespaceRow
from retrieval.types import Hit

_NOTHING_LOST = 1e-3
"""Standard deviations: memories of one day do not change places for having been written in the morning."""


@dataclass(frozen=True, slots=True)
class Found:
    """A hit with the memory as the database has it, and how far it has faded (see `memsvc.memories.fading`)."""

    hit: Hit
    memory: Any
    fading: Mapping[str, Any]

    @property
    def id(self) -> UUID:
        """The memory's."""
        return self.hit.memory_id

    @property
    def is_made(self) -> bool:
        """Whether a job made it of others."""
        return self.memory.derived is not None

    @property
    def vector(self) -> NDArray[np.float32] | None:
        """Its first view, float32 `[dim]`, if vectors were asked for."""
        return self.hit.vector

    def scored(self, score: float) -> Found:
        """The same with another score."""
        return self if score == self.hit.score else replace(self, hit=replace(self.hit, score=score))


def fetch(
    connection: Connection,
    namespace: NamespaceRow,
    hits: Sequence[Hit],
    states: frozenset[State],
    now: datetime,
    as_of: datetime | None,
) -> list[Found]:
    """The memories as they were searched, best first. One that was erased or hidden since then is left out.

    Args:
        states: those that may be found.
        as_of: answer from what was known then, in the order of the search.
    """
    if not hits:
        return []
    rows = repository.versions(connection, namespace.tenant_id, [(hit.memory_id, hit.version) for hit in hits])
    policy = policies.of(namespace)
    found = []
    for hit in hits:
        row = rows.get((hit.memory_id, hit.version))
        if row is None or _is_hidden(State(row.state_now), states, as_of):
            continue
        found.append(Found(hit, row, shown_fading(cast("Mapping[str, Any]", row._mapping), policy, now)))
    if as_of is not None:
        return found
    outdated = [row.memory_id for row in rows.values() if row.state_now == State.SUPERSEDED]
    newer = repository.superseders(connection, namespace.tenant_id, outdated) if outdated else {}
    return newer_first(_with_prior(found, policy), newer)


def _is_hidden(state: State, states: frozenset[State], as_of: datetime | None) -> bool:
    """Whether a memory in this state now is not to be found; what is in quarantine is not found as of then either."""
    return state not in states and (as_of is None or state is State.QUARANTINED)


def _with_prior(found: list[Found], policy: Policy) -> list[Found]:
    """Hits in the order of their scores, less what they lose for having faded; ties stay as they are.

    Which memories are hits is not changed by it, and none moves past another that stands further ahead than the prior.
    """
    lost = [policy.prior * (1.0 - (one.fading["retention"] or 0.0)) for one in found]
    if not found or max(lost) - min(lost) < _NOTHING_LOST:
        return found  # as good as equally fresh: the scores stay what the channels made of them
    moved = [one.scored(one.hit.score - loss) for one, loss in zip(found, lost, strict=True)]
    return sorted(moved, key=lambda one: -one.hit.score)


def newer_first(found: list[Found], newer: Mapping[UUID, set[UUID]]) -> list[Found]:
    """Hits with each outdated one behind what supersedes it, which takes its place if it was found further behind.

    Args:
        found: best first.
        newer: for outdated memories, what supersedes them; it need not be among the hits.
    """
    if not newer:
        return found
    ordered: dict[UUID, Found] = {}
    for one in found:
        ahead, looked_at = [one], {one.id}
        for older in ahead:  # grows: what supersedes may be superseded itself
            by = newer.get(older.id, set()) - looked_at
            ahead += [other for other in found if other.id in by]
            looked_at |= by
        for other in reversed(ahead):
            placed = other if other is one else other.scored(max(one.hit.score, other.hit.score))
            ordered.setdefault(other.id, placed)
    return list(ordered.values())
