"""The job `conflict`: a memory all of whose claims newer ones outdate is superseded; see `lifecycle.conflict`.

What should be is worked out from all memories each time, and only what differs is changed. So a memory comes back once
nothing supersedes it any more (the newer one was erased, forgotten or edited), one that arrives late takes its place
between the others, and a run after a run changes nothing. What somebody brought back, and what is pinned, stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from gpu.bank.records import State
from lifecycle.conflict import Dated, Supersession, begins, dated, supersession, supersessions
from lifecycle.policy import Policy
from lifecycle.steps import BY, Step
from memsvc.memories import repository as memories
from memsvc.memories.draft import pair_bytes
from memsvc.memories.ledger import Ledger, Stored
from memsvc.memories.superseded import relink
from memsvc.namespaces.repository import NamespaceRow

KIND = "conflict"
_SPEAKING = (State.ACTIVE, State.ARCHIVED, State.SUPERSEDED)
"""Memories whose claims count: one that has been superseded itself, or has grown cold, is still newer than others."""
_BROUGHT_BACK = frozenset({"reverted", "restored"})
_REASONS = {"supersede": "superseded", "revive": "revived", "begin": "dated"}


class Conflicts:
    """The job; see `memsvc.jobs.work.Work`."""

    kind = KIND
    is_bounded = True

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. What comes back is first, then what is superseded, each followed by what takes its place."""
        rows: dict[UUID, Mapping[str, Any]] = {}
        claiming: list[Dated] = []
        for stored in memories.statements(connection, *namespace.key, _SPEAKING, now, ("trust",)):
            said = _dated(stored, is_brought_back=stored.row["reason"] in _BROUGHT_BACK)
            if said.claims or stored.row["state"] == State.SUPERSEDED:
                rows[stored.id] = {name: stored.row[name] for name in ("state", "valid_from", "valid_to")}
                claiming.append(said)
        found = supersessions(claiming)
        hidden = [memory for memory, row in rows.items() if row["state"] == State.SUPERSEDED]
        was_valid_to = memories.before_superseded(connection, namespace.tenant_id, hidden)
        newer = memories.superseders(connection, namespace.tenant_id, hidden, by_jobs=True)
        starts = begins(found)
        steps = [_revived(memory, rows[memory], was_valid_to.get(memory)) for memory in hidden if memory not in found]
        begun = set()
        for memory in sorted(found):
            one, standing = found[memory], rows[memory]
            if standing["state"] != State.SUPERSEDED or newer.get(memory) != {one.newer.id}:
                begun.add(memory)
                steps.append(
                    _superseded(one, standing, was_valid_to.get(memory, standing["valid_to"]), starts.get(memory))
                )
            heir = one.newer.id
            if (
                heir in starts
                and heir not in begun
                and rows[heir]["valid_from"] is None
                and not _moves(heir, found, rows)
            ):
                begun.add(heir)
                steps.append(_step(heir, "begin", rows[heir], {"valid_from": starts[heir]}, {}))
        return steps

    def apply(self, ledger: Ledger, steps: Sequence[Step], policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. Older and newer are read again and judged by what they say now."""
        stored = _involved(ledger, steps)
        done = []
        for step in steps:
            memory = stored.get(step.memory_id)
            if memory is None or memory.is_expired(now) or _shown(memory.row) != step.before:
                continue
            by = stored.get(UUID(step.why[BY])) if BY in step.why else None
            if step.action == "supersede" and not _is_superseded(memory, by, now):
                continue
            _put(ledger, memory, step.after, _REASONS[step.action])
            if step.action != "begin":
                relink(ledger, memory.id, None if by is None else by.id)
            done.append(step)
        return done

    def revert(self, ledger: Ledger, steps: Sequence[Step]) -> Sequence[Step]:
        """See `Work`. What comes back this way is not superseded again until somebody edits it."""
        stored = _involved(ledger, steps)
        done = []
        for step in steps:
            memory = stored.get(step.memory_id)
            if memory is None or _shown(memory.row) != step.before:
                continue
            comes_back = step.before["state"] == "superseded" and step.after["state"] != "superseded"
            _put(ledger, memory, step.after, "reverted" if comes_back else "undone")
            if comes_back:
                relink(ledger, memory.id, None)
            done.append(step)
        return done


def _moves(memory: UUID, found: Mapping[UUID, Supersession], rows: Mapping[UUID, Mapping[str, Any]]) -> bool:
    """Whether a memory is about to be superseded itself: its one step then says from when it was valid, too."""
    return memory in found and rows[memory]["state"] != State.SUPERSEDED


def _superseded(one: Supersession, row: Mapping[str, Any], valid_to: datetime | None, start: datetime | None) -> Step:
    """The step of an older memory.

    Args:
        valid_to: until when it was valid before anything superseded it.
        start: from when it is valid, if that is only now known.
    """
    since, until = row["valid_from"] or start, one.newer.moment
    is_later = until > (since or one.older.moment)
    after = {
        "state": State.SUPERSEDED,
        "valid_from": since,
        "valid_to": until if valid_to is None and is_later else valid_to,
    }
    evidence = [
        {"attribute": e.older.label, "at": [e.older.start, e.older.end], "by_at": [e.newer.start, e.newer.end]}
        for e in one.evidence
    ]
    return _step(one.older.id, "supersede", row, after, {BY: str(one.newer.id), "claims": evidence})


def _revived(memory: UUID, row: Mapping[str, Any], valid_to: datetime | None) -> Step:
    return _step(memory, "revive", row, {"state": State.ACTIVE, "valid_to": valid_to}, {})


def _step(memory: UUID, action: str, row: Mapping[str, Any], after: Mapping[str, Any], why: Mapping[str, Any]) -> Step:
    return Step(memory, action, _shown(row), _shown({**row, **after}), why)


def _shown(row: Mapping[str, Any]) -> dict[str, str | None]:
    """What steps change of a memory, as a report has it."""
    times = {name: None if row[name] is None else row[name].isoformat() for name in ("valid_from", "valid_to")}
    return {"state": State(row["state"]).name.lower(), **times}


def _put(ledger: Ledger, memory: Stored, after: Mapping[str, Any], reason: str) -> None:
    times = {
        name: None if after[name] is None else datetime.fromisoformat(after[name]) for name in after if name != "state"
    }
    values = {**memory.described, **times, "state": int(State[after["state"].upper()])}
    ledger.revise(memory, values, None, None, pair_bytes(values, memory.row["external_id"]), reason)


def _is_superseded(older: Stored, newer: Stored | None, now: datetime) -> bool:
    """Whether what a plan saw of two memories is still so."""
    if newer is None or newer.is_expired(now) or newer.row["state"] not in _SPEAKING:
        return False
    return supersession(_dated(newer), _dated(older)) is not None


def _involved(ledger: Ledger, steps: Iterable[Step]) -> dict[UUID, Stored]:
    ids = {step.memory_id for step in steps} | {UUID(step.why[BY]) for step in steps if BY in step.why}
    return memories.by_ids(ledger.connection, *ledger.namespace.key, sorted(ids))


def _dated(stored: Stored, *, is_brought_back: bool = False) -> Dated:
    row = stored.row
    return dated(
        stored.id,
        stored.content,
        row["speaker"],
        valid_from=row["valid_from"],
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
        is_fixed=bool(row["pinned"] or row["legal_hold"] or row["state"] == State.ARCHIVED or is_brought_back),
        trust=row["trust"],
    )
