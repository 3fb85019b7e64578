"""The job `evict`: a namespace over its quota keeps the most useful memories; the others are archived.

See `lifecycle.eviction`. What leaves is out of recalls, found by `{"state": "archived"}`, and comes back by `:restore`;
nothing is erased. How many leave is bounded by the quota that the owner set, not by the share of a run: a quota that is
kept in a week is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, update

from gpu.bank.records import State
from lifecycle.cells import cells, labels_of, likeness
from lifecycle.eviction import Kept, Utility, keep
from lifecycle.fading import retentions_of, stabilities_of
from lifecycle.policy import Level, Policy
from lifecycle.steps import Aim, Step
from lifecycle.uses import UseColumns, chances
from memsvc.jobs.fading import FADING_SINCE, columns_of
from memsvc.memories import held
from memsvc.memories import repository as memories
from memsvc.memories.fading import seconds
from memsvc.memories.ledger import Ledger, Stored
from memsvc.memories.write import pair_bytes
from memsvc.models.tables import MEMORY
from memsvc.namespaces.repository import NamespaceRow

KIND = "evict"
_COLUMNS = (*FADING_SINCE, "version", "recall_count", "recent_uses", "longest_gap_s")


class Evict:
    """The job; see `memsvc.jobs.work.Work`."""

    kind = KIND
    is_bounded = False

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. What is missed least leaves first."""
        if policy.quota_memories is None and policy.quota_bytes is None:
            return []
        rows = held.active(connection, namespace, _COLUMNS, now)
        places = {row.id: place for place, row in enumerate(rows)}
        costs, limits = [], []
        if policy.quota_memories is not None:
            costs.append(np.ones(len(rows)))
            limits.append(float(policy.quota_memories))
        if policy.quota_bytes is not None:
            costs.append(held.sizes(connection, namespace, places, now).astype(np.float64))
            limits.append(float(policy.quota_bytes))
        taken, most = np.stack(costs, axis=1), np.array(limits)
        if not rows or (taken.sum(axis=0) <= most).all():
            return Aim([], {**_report(policy, taken, np.ones(len(rows), np.bool_)), "within": True})
        likely, retained, wanted = _judged(connection, namespace, policy, rows, now)
        fixed = np.array([_is_protected(row._mapping, policy) for row in rows])
        found = keep(wanted, taken, most, fixed)
        certificate = {"protected": int(fixed.sum()), "within": found.is_within, **_certificate(found)}
        leaving = np.flatnonzero(~found.kept)
        leaving = leaving[np.argsort(found.gains[leaving], kind="stable")]
        return Aim(
            (_step(rows[place], found.gains[place], likely[place], retained[place]) for place in leaving.tolist()),
            {**_report(policy, taken, found.kept), **certificate},
        )

    def apply(self, ledger: Ledger, steps: Sequence[Step], policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. A memory that was used, edited, pinned or held meanwhile is left, and the run plans again."""
        stored = memories.by_ids(ledger.connection, *ledger.namespace.key, [step.memory_id for step in steps])
        done = []
        for step in steps:
            memory = stored.get(step.memory_id)
            if memory is None or not memory.is_shown(now) or _is_protected(memory.row, policy):
                continue
            if any(memory.row[name] != step.before[name] for name in ("version", "recall_count")):
                continue
            _put(ledger, memory, State.ARCHIVED, "evicted")
            done.append(step)
        return done

    def revert(self, ledger: Ledger, steps: Sequence[Step]) -> Sequence[Step]:
        """See `Work`."""
        stored = memories.by_ids(ledger.connection, *ledger.namespace.key, [step.memory_id for step in steps])
        done = []
        for step in steps:
            memory = stored.get(step.memory_id)
            if memory is None or memory.row["state"] != State.ARCHIVED or not memory.row["evicted"]:
                continue
            _put(ledger, memory, State.ACTIVE, "undone")
            done.append(step)
        return done


def _is_protected(row: Any, policy: Policy) -> bool:
    return bool(row["pinned"] or row["legal_hold"] or row["importance"] >= policy.protect_importance)


def _judged(
    connection: Connection, namespace: NamespaceRow, policy: Policy, rows: Sequence[Any], now: datetime
) -> tuple[NDArray[np.float64], NDArray[np.float64], Utility]:
    """The chance of each memory to be used again, its retention, and what sets of them are worth."""
    vectors = held.directions(connection, namespace, {row.id: place for place, row in enumerate(rows)}, now)
    parts = cells(vectors)
    moment = seconds(now)
    recorded = np.array([seconds(row.recorded_at) for row in rows])
    used = np.array([seconds(row.last_recalled_at or row.recorded_at) for row in rows])
    uses = UseColumns(
        ages_s=moment - recorded,
        silences_s=moment - used,
        counts=np.array([row.recall_count for row in rows], np.float64),
        recents=np.array([row.recent_uses for row in rows], np.float64),
        longest_gaps_s=np.array([row.longest_gap_s for row in rows], np.float64),
    )
    likely = chances(uses, labels_of(parts, len(rows)))
    columns = columns_of(rows)
    retained = retentions_of(columns, stabilities_of(columns, policy), moment)
    return likely, retained, Utility.of(likely, retained, parts, [likeness(vectors[part]) for part in parts])


def _report(policy: Policy, taken: NDArray[np.float64], kept: NDArray[np.bool_]) -> dict[str, Any]:
    """How many memories and bytes there were, and are to be."""
    before, after = taken.sum(axis=0), taken[kept].sum(axis=0)
    found: dict[str, Any] = {"memories": int(kept.size), "kept": int(kept.sum())}
    if policy.quota_bytes is not None:
        found |= {"bytes": int(before[-1]), "kept_bytes": int(after[-1])}
    return found


def _certificate(found: Kept) -> dict[str, float]:
    return {
        "value": round(found.value, 6),
        "bound": round(found.bound, 6),
        "ratio": round(found.ratio, 6),
        "guarantee": round(found.guarantee, 6),
    }


def _step(row: Any, gain: float, chance: float, retention: float) -> Step:
    before = {"level": Level(row.level).name.lower(), "version": row.version, "recall_count": row.recall_count}
    why = {"worth": float(f"{gain:.6g}"), "chance": round(float(chance), 6), "retention": round(float(retention), 6)}
    return Step(row.id, "evict", before, {"level": "archived"}, why)


def _put(ledger: Ledger, memory: Stored, state: State, reason: str) -> None:
    ledger.connection.execute(
        update(MEMORY)
        .where(and_(MEMORY.c.tenant_id == ledger.namespace.tenant_id, MEMORY.c.id == memory.id))
        .values(evicted=state is State.ARCHIVED)
    )
    values = {**memory.described, "state": int(state)}
    ledger.revise(memory, values, None, None, pair_bytes(values, memory.row["external_id"]), reason)
