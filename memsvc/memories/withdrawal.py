"""Withdrawing what rests on memories that nobody is to believe any more.

What jobs derived goes as in an erasure: with any of its sources, and the next run of the job makes anew what the others
still bear. So it can be erased without losing anything; only what somebody edited, pinned or hid is theirs, and is
hidden instead.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from gpu.bank.records import State
from memsvc.core.ids import new_id
from memsvc.core.secrets import Secrets
from memsvc.memories import derived, lineage, repository, superseded
from memsvc.memories.draft import pair_bytes
from memsvc.memories.ledger import Ledger, Stored
from memsvc.memories.residue import tombstone


def withdraw(ledger: Ledger, secrets: Secrets, memory_ids: Collection[UUID], reason: str) -> int:
    """Takes back what rests on memories of the ledger's namespace: what was derived from them, and what they outdated.

    Args:
        reason: of the versions in which something is hidden.

    Returns:
        How many memories were withdrawn with them.
    """
    _revive(ledger, memory_ids)
    return _withdraw_derived(ledger, secrets, memory_ids, reason)


def hide(ledger: Ledger, stored: Stored, state: State, reason: str) -> None:
    """Puts a memory into a hidden state, if it is in another."""
    if stored.row["state"] == state:
        return
    values = stored.described
    if stored.row["state"] == State.SUPERSEDED:
        values = superseded.brought_back(ledger, stored)
    values = {**values, "state": int(state)}
    ledger.revise(stored, values, None, None, pair_bytes(values, stored.row["external_id"]), reason)


def hide_all(ledger: Ledger, memory_ids: Collection[UUID], reason: str) -> int:
    """Forgets memories of the ledger's namespace; returns how many were not forgotten yet."""
    before = repository.states(ledger.connection, ledger.namespace.tenant_id, memory_ids)
    outdated = [one for one, state in before.items() if state is State.SUPERSEDED]
    for stored in repository.by_ids(ledger.connection, *ledger.namespace.key, outdated).values():
        hide(ledger, stored, State.FORGOTTEN, reason)
    return len(outdated) + put_all(ledger, before.keys() - set(outdated), State.FORGOTTEN, reason)


def put_all(ledger: Ledger, memory_ids: Collection[UUID], state: State, reason: str) -> int:
    """Puts memories into a state of which nothing else changes; returns how many were in another."""
    if not ledger.is_sealing:
        return ledger.restate(memory_ids, state, reason)
    found = repository.by_ids(ledger.connection, *ledger.namespace.key, memory_ids).values()
    moving = [stored for stored in found if stored.row["state"] != state]
    for stored in moving:
        values = {**stored.described, "state": int(state)}
        ledger.revise(stored, values, None, None, pair_bytes(values, stored.row["external_id"]), reason)
    return len(moving)


def _revive(ledger: Ledger, memory_ids: Collection[UUID]) -> None:
    """Brings back at once what jobs superseded because of these memories alone: they do not speak any more."""
    connection, tenant = ledger.connection, ledger.namespace.tenant_id
    older = repository.superseded_by(connection, tenant, memory_ids)
    newer = repository.superseders(connection, tenant, older, by_jobs=True)
    left = [memory for memory in older - set(memory_ids) if newer.get(memory, set()) <= set(memory_ids)]
    for stored in repository.by_ids(connection, *ledger.namespace.key, left).values():
        if stored.row["state"] == State.SUPERSEDED:
            values = superseded.brought_back(ledger, stored)
            ledger.revise(stored, values, None, None, pair_bytes(values, stored.row["external_id"]), "revived")


def _withdraw_derived(ledger: Ledger, secrets: Secrets, memory_ids: Collection[UUID], reason: str) -> int:
    """What is under a legal hold stays."""
    tenant = ledger.namespace.tenant_id
    there = derived.there(ledger.connection, ledger.namespace, lineage.derived(ledger.connection, tenant, memory_ids))
    stored = repository.by_ids(ledger.connection, *ledger.namespace.key, there)
    free = [one for one in there if not stored[one].row["legal_hold"]]
    kept = [one for one in free if there[one].is_held]
    hide_all(ledger, kept, reason)
    gone = sorted(set(free) - set(kept))
    if gone:
        ledger.erase({memory_id: tombstone(secrets, memory_id) for memory_id in gone}, new_id())
    return len(free)
