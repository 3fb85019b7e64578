"""Memories that are merged into others: what their pivots take over, and how it is given back.

A member keeps everything that is its own and is hidden (`State.MERGED`); `merged_into` names its pivot. The pivot keeps
what it was by itself in `before_merge`: from that and from its members follows what it is, whichever of them come and
go, and once all are gone it is what it was, to the byte, but for what happened to it meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, update

from gpu.bank.records import State
from lifecycle.merging import Standing, moved, together
from memsvc.memories import repository
from memsvc.memories.draft import pair_bytes
from memsvc.memories.ledger import Ledger, Stored
from memsvc.models.tables import MEMORY
from memsvc.sealing.rows import Sealing

SPLIT = "unmerged"
"""The reason of a version in which a memory was taken out of a merge for good: until its text changes."""
RELEASED = "released"
"""The reason of a version in which a memory stands by itself because what stood for it is no more what it was."""
_USES = ("recall_count", "stability_s", "last_recalled_at")


def merge(ledger: Ledger, pivot: Stored, members: Sequence[Stored]) -> None:
    """Hides memories behind one that says the same. Their rows and the pivot's were locked (`repository.lock`)."""
    before = repository.members(ledger.connection, ledger.namespace.tenant_id, [pivot.id]).get(pivot.id, [])
    _point(ledger, members, pivot.id)
    for member in members:
        _put(ledger, member, {"state": int(State.MERGED)}, "merged")
    _put(ledger, pivot, _settled(ledger, pivot, before, [*before, *members]), "strengthened")


def stand_alone(ledger: Ledger, memories: Iterable[Stored]) -> bool:
    """Parts memories that are about to be changed from all that they are merged with; written at once.

    Returns:
        Whether there was anything to part: then they must be read again.
    """
    memories = [one for one in memories if one.row["merged_into"] is not None or one.row["before_merge"] is not None]
    if not memories:
        return False
    before = Ledger(ledger.connection, ledger.namespace, ledger.now, ledger.writer)
    of = repository.members(ledger.connection, ledger.namespace.tenant_id, [one.id for one in memories])
    parted = {one.id: one for one in (*memories, *(one for some in of.values() for one in some))}
    separate(before, [one for one in parted.values() if one.row["merged_into"] is not None], RELEASED)
    before.flush()
    return True


def split(ledger: Ledger, stored: Stored) -> bool:
    """Takes a member out of its pivot, or all members out of a pivot, for good; False if nothing is merged here."""
    members = [stored]
    if stored.row["merged_into"] is None:
        members = repository.members(ledger.connection, ledger.namespace.tenant_id, [stored.id]).get(stored.id, [])
    separate(ledger, members, SPLIT)
    return bool(members)


def separate(ledger: Ledger, members: Sequence[Stored], reason: str) -> None:
    """Makes members stand by themselves again, and takes what they gave back from those that stood for them."""
    leaving: dict[UUID, list[Stored]] = {}
    for member in members:
        leaving.setdefault(member.row["merged_into"], []).append(member)
    connection, tenant = ledger.connection, ledger.namespace.tenant_id
    repository.lock(connection, tenant, leaving)
    pivots = repository.by_ids(connection, *ledger.namespace.key, leaving)
    there = repository.members(connection, tenant, leaving)
    _point(ledger, members, None)
    for pivot_id, gone in leaving.items():
        pivot = pivots.get(pivot_id)
        is_forgotten = reason == RELEASED and pivot is not None and pivot.row["state"] == State.FORGOTTEN
        for member in gone:  # what somebody forgot does not come back with the end of what stood for it
            _put(ledger, member, {"state": int(State.FORGOTTEN if is_forgotten else State.ACTIVE)}, reason)
        if pivot is not None:
            ids = {member.id for member in gone}
            rest = [member for member in there[pivot_id] if member.id not in ids]
            _put(ledger, pivot, _settled(ledger, pivot, there[pivot_id], rest), "weakened")


def _settled(
    ledger: Ledger,
    pivot: Stored,
    before: Sequence[Stored],
    after: Sequence[Stored],
) -> dict[str, Any]:
    """Writes the uses of a pivot whose members change; returns the described columns that change with them."""
    kept = pivot.row["before_merge"]
    own = _standing(pivot.row) if kept is None else _read(kept)
    was = together(own, [_standing(member.row) for member in before])
    becomes = moved(_standing(pivot.row), was, together(own, [_standing(member.row) for member in after]))
    tenant = ledger.namespace.tenant_id
    row = {"id": pivot.id, "before_merge": _written(own) if after else None}
    (stored,) = Sealing.as_they_are(ledger.connection, tenant, [pivot.id]).rows(MEMORY, [row])
    ledger.connection.execute(
        update(MEMORY)
        .where(MEMORY.c.tenant_id == tenant, MEMORY.c.id == pivot.id)
        .values({name: getattr(becomes, name) for name in _USES} | {"before_merge": stored["before_merge"]})
    )
    ledger.remerge(pivot.id)
    return {"importance": becomes.importance, "tags": list(becomes.tags)}


def _point(ledger: Ledger, members: Sequence[Stored], to: UUID | None) -> None:
    if members:
        ledger.connection.execute(
            update(MEMORY)
            .where(MEMORY.c.tenant_id == ledger.namespace.tenant_id, MEMORY.c.id == bindparam("b_id"))
            .values(merged_into=to),
            [{"b_id": member.id} for member in members],
        )


def _put(ledger: Ledger, stored: Stored, changed: Mapping[str, Any], reason: str) -> None:
    """A new version with some described columns changed, if they are."""
    values = {**stored.described, **changed}
    if values != stored.described:
        ledger.revise(stored, values, None, None, pair_bytes(values, stored.row["external_id"]), reason)


def _standing(row: Mapping[str, Any]) -> Standing:
    uses = (row["recall_count"], row["stability_s"], row["last_recalled_at"])
    return Standing(*uses, row["importance"], tuple(row["tags"]))


def _written(own: Standing) -> dict[str, Any]:
    last = own.last_recalled_at
    return {
        "recall_count": own.recall_count,
        "stability_s": own.stability_s,
        "last_recalled_at": None if last is None else last.isoformat(),
        "importance": own.importance,
        "tags": list(own.tags),
    }


def _read(kept: Mapping[str, Any]) -> Standing:
    last = kept["last_recalled_at"]
    return Standing(
        kept["recall_count"],
        kept["stability_s"],
        None if last is None else datetime.fromisoformat(last),
        kept["importance"],
        tuple(kept["tags"]),
    )
