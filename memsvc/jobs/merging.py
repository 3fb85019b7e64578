"""The job `merge`: memories that say the same become one; see `lifecycle.merging` and `memsvc.memories.merged`.

What could be merged is looked up by what it says, and judged by rules; vectors, read from the database, only refuse. So
a worker without a bank does the same as any other process.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import numpy as np
import orjson
from sqlalchemy import Connection

from gpu.bank.records import Kind, State
from lifecycle.merging import Merge, MergePolicy, Told, are_one, is_interrupted, merges
from lifecycle.policy import Policy
from lifecycle.steps import BY, Step
from lifecycle.wording import wording
from memsvc.memories import merged, merged_vectors
from memsvc.memories import repository as memories
from memsvc.memories.ledger import Ledger, Stored
from memsvc.models.tables import MEMORY
from memsvc.namespaces.repository import NamespaceRow
from retrieval.analysis.folding import folded_text

KIND = "merge"
_TELLING = (State.ACTIVE, State.ARCHIVED, State.SUPERSEDED)
"""Memories whose claims are looked at; only active ones are merged."""
_ALIKE = ("kind", "user_id", "agent_id", "speaker", "place", "outcome", "language", "expires_at", "valid_from",
          "valid_to", "trust")  # fmt: skip
"""Columns in which memories that are merged are equal, beside their metadata."""
_USES = ("recall_count", "stability_s", "importance", "before_merge")
_CHUNK = 400
_LOOSE = 1e-3
"""How far a product of half-precision vectors may be off."""


class Merging:
    """The job; see `memsvc.jobs.work.Work`."""

    kind = KIND
    is_bounded = True

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. First comes back what lost the memory that stood for it; then what is merged, by pivot."""
        apart = memories.marked(connection, *namespace.key, merged.SPLIT)
        more = (*(name for name in _ALIKE if name not in ("speaker", "valid_from", "valid_to")), "metadata", *_USES)
        tellings: defaultdict[tuple[str, str], list[tuple[datetime, str]]] = defaultdict(list)
        told = []
        for stored in memories.statements(connection, *namespace.key, _TELLING, now, more):
            memory = _told(stored, is_apart=stored.id in apart)
            for claim in memory.wording.made:
                moment = stored.row["valid_from"] or memory.moment
                tellings[claim.subject, claim.attribute].append((moment, claim.value))
            if stored.row["state"] == State.ACTIVE:
                told.append(memory)
        found = [one for one in merges(told, policy.merge) if not is_interrupted(one, tellings)]
        alike = _likeness(connection, namespace, found)
        return [
            *(_released(memory) for memory in memories.orphans(connection, *namespace.key, now)),
            *(
                _merged(one, alike[one.member.id])
                for one in found
                if alike[one.member.id] + _LOOSE >= policy.merge.floor
            ),
        ]

    def apply(self, ledger: Ledger, steps: Sequence[Step], policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. Both memories are judged again by what they are now."""
        connection, key = ledger.connection, ledger.namespace.key
        orphans = set(memories.orphans(connection, *key, now))
        released = [step for step in steps if step.action == "release" and step.memory_id in orphans]
        stored = _locked(ledger, steps)
        merged.separate(ledger, [stored[step.memory_id] for step in released], merged.RELEASED)
        apart = memories.marked(connection, *key, merged.SPLIT)
        wanted: dict[UUID, tuple[Step, Merge]] = {}
        for step in steps:
            one = _still(step, stored, apart, policy.merge, now)
            if one is not None:
                wanted[step.memory_id] = (step, one)
        alike = _likeness(connection, ledger.namespace, [one for _, one in wanted.values()])
        of: defaultdict[UUID, list[Stored]] = defaultdict(list)
        done = released
        for step, one in wanted.values():
            if alike[one.member.id] + _LOOSE >= policy.merge.floor:
                of[one.pivot.id].append(stored[one.member.id])
                done.append(step)
        for pivot, members in of.items():
            merged.merge(ledger, stored[pivot], members)
        return done

    def revert(self, ledger: Ledger, steps: Sequence[Step]) -> Sequence[Step]:
        """See `Work`. What comes back this way is not merged again until its text changes."""
        stored = _locked(ledger, steps)
        done = [
            step
            for step in steps
            if BY in step.why
            and (memory := stored.get(step.memory_id)) is not None
            and memory.row["merged_into"] == UUID(step.why[BY])
        ]
        merged.separate(ledger, [stored[step.memory_id] for step in done], merged.SPLIT)
        return done


def _merged(one: Merge, alike: float) -> Step:
    why = {BY: str(one.pivot.id), "alike": round(alike, 4), "same_letters": one.is_exact}
    return Step(one.member.id, "merge", {"state": "active"}, {"state": "merged"}, why)


def _released(memory: UUID) -> Step:
    return Step(memory, "release", {"state": "merged"}, {"state": "active"})


def _still(
    step: Step, stored: Mapping[UUID, Stored], apart: Collection[UUID], policy: MergePolicy, now: datetime
) -> Merge | None:
    """The merge of a step, if what the plan saw of two memories is still so."""
    pivot = stored.get(UUID(step.why[BY])) if BY in step.why else None
    member = stored.get(step.memory_id)
    if pivot is None or member is None or not pivot.is_shown(now) or not member.is_shown(now):
        return None
    one = Merge(*(_told(each, is_apart=each.id in apart) for each in (pivot, member)))
    if one.member.is_pinned or one.member.is_pivot or not are_one(one.pivot, one.member, policy):
        return None
    return one


def _locked(ledger: Ledger, steps: Sequence[Step]) -> dict[UUID, Stored]:
    """The memories of steps, on both sides, with their uses held still."""
    ids = {step.memory_id for step in steps} | {UUID(step.why[BY]) for step in steps if BY in step.why}
    memories.lock(ledger.connection, ledger.namespace.tenant_id, ids)
    return memories.by_ids(ledger.connection, *ledger.namespace.key, sorted(ids))


def _likeness(connection: Connection, namespace: NamespaceRow, found: Sequence[Merge]) -> dict[UUID, float]:
    """By member, the largest product of one of its vectors with one of its pivot's; -1 without vectors."""
    alike: dict[UUID, float] = {}
    for start in range(0, len(found), _CHUNK):
        part = found[start : start + _CHUNK]
        ids = {one.pivot.id for one in part} | {one.member.id for one in part}
        wanted = MEMORY.c.id.in_(sorted(ids))
        vectors = merged_vectors.own_vectors(connection, namespace.tenant_id, namespace.space_id, wanted)
        for one in part:
            sides = [vectors.get(each.id, []) for each in (one.pivot, one.member)]
            if all(sides):
                left, right = (np.stack(side).astype(np.float32) for side in sides)
                alike[one.member.id] = float((left @ right.T).max())
            else:
                alike[one.member.id] = -1.0
    return alike


def _told(stored: Stored, *, is_apart: bool) -> Told:
    row = stored.row
    metadata = orjson.dumps(row["metadata"], option=orjson.OPT_SORT_KEYS)
    return Told(
        id=stored.id,
        kind=Kind(row["kind"]),
        wording=wording(stored.content, row["speaker"]),
        circumstances=(*(row[name] for name in _ALIKE), metadata),
        letters=hashlib.sha256(folded_text(stored.content).encode()).digest(),
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
        recall_count=row["recall_count"],
        stability_s=row["stability_s"],
        importance=row["importance"],
        is_pinned=bool(row["pinned"]),
        is_pivot=row["before_merge"] is not None,
        is_apart=is_apart or bool(row["legal_hold"]),
    )
