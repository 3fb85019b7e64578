"""Memories that newer ones outdate: the link that says so, and how one comes back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from gpu.bank.records import State
from memsvc.memories import repository
from memsvc.memories.draft import LinkDraft
from memsvc.memories.ledger import Ledger, Stored
from memsvc.models import Relation


def relink(ledger: Ledger, older: UUID, newer: UUID | None) -> None:
    """Leaves an older memory with one link of a job's from what supersedes it, or none; a user's own links stay."""
    tenant = ledger.namespace.tenant_id
    there = repository.superseders(ledger.connection, tenant, [older], by_jobs=True).get(older, set())
    link = LinkDraft(Relation.SUPERSEDES, older)
    for other in sorted(there - {newer}):
        ledger.unlink(other, link)
    if newer is not None:
        ledger.link(newer, [link])


def brought_back(ledger: Ledger, stored: Stored) -> dict[str, Any]:
    """Takes the job's link to a superseded memory away; returns its columns as of one that was never superseded."""
    was_valid_to = repository.before_superseded(ledger.connection, ledger.namespace.tenant_id, [stored.id])
    relink(ledger, stored.id, None)
    valid_to = was_valid_to.get(stored.id, stored.row["valid_to"])
    return {**stored.described, "state": int(State.ACTIVE), "valid_to": valid_to}
