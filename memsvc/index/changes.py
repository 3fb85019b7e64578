"""From the change log to a bank: what changed, and whether that belongs in there.

A namespace has two banks: one of what recalls find, and one of its archive (see `memsvc.models.archive`), if anybody
asks for that. A memory that goes to the archive or comes back leaves one and is loaded whole into the other; which of
them has it follows from its row alone, so that a bank that was fed change by change equals one that was loaded.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from gpu.bank.namespace import NamespaceBank
from memsvc.index.loader import load_memories, load_versions
from memsvc.models import ChangeOp
from memsvc.models.archive import IN_ARCHIVE
from memsvc.models.ids import one_of
from memsvc.models.tables import MEMORY
from memsvc.namespaces.repository import NamespaceRow


def apply(
    connection: Connection,
    namespace: NamespaceRow,
    held: NamespaceBank,
    rows: Sequence[Any],
    tiers: NDArray[np.uint8],
    *,
    archive: bool,
) -> bool:
    """Applies changes to a bank; returns whether something was erased.

    Args:
        connection: on which every statement sees the same moment.
        namespace: whose changes they are.
        held: its bank, or the one of its archive.
        rows: of the change log, in order.
        tiers: how exactly vectors are kept, by the level of their memory.
        archive: whether `held` is the bank of the archive.
    """
    puts = [(row.memory_id, row.version) for row in rows if row.op == ChangeOp.PUT]
    moved, rewritten = _memories(rows, ChangeOp.RETIER), _memories(rows, ChangeOp.REWRITE)
    # A memory begins in recalls: what has its first version alone is not in the archive.
    old = dict.fromkeys([*(memory_id for memory_id, version in puts if version > 1), *moved, *rewritten])
    archived = _archived(connection, namespace, old)
    named = list(dict.fromkeys([*(memory_id for memory_id, _ in puts), *old]))
    known = dict(zip(named, held.holds(_ids(named)).tolist(), strict=True))
    own = {one for one in named if (one in archived) is archive}
    coming = [one for one in old if one in own and not known[one]]
    staying = own.difference(coming)

    leaving = [one for one in named if known[one] and one not in own]
    if leaving:
        held.leave(_ids(leaving))
    if put := [key for key in puts if key[0] in staying]:
        held.put(load_versions(connection, namespace, held.dim, put, tiers))
    if coming:
        held.put(load_memories(connection, namespace, held.dim, coming, tiers))
    if moving := [one for one in moved if one in staying]:
        held.put(load_memories(connection, namespace, held.dim, moving, tiers), anew=True)
    if rewriting := [one for one in rewritten if one in staying]:
        held.rewrite(load_memories(connection, namespace, held.dim, rewriting, tiers))
    erased = _memories(rows, ChangeOp.ERASE)
    if erased:
        held.erase(_ids(erased))
    return bool(erased)


def _archived(connection: Connection, namespace: NamespaceRow, memory_ids: Collection[UUID]) -> set[UUID]:
    """Which of the memories are in the archive now."""
    if not memory_ids:
        return set()
    query = select(MEMORY.c.id).where(one_of(MEMORY.c.id, namespace.tenant_id, memory_ids), IN_ARCHIVE)
    return set(connection.execute(query).scalars())


def _memories(rows: Sequence[Any], op: ChangeOp) -> list[UUID]:
    """Which memories the changes of one sort are of."""
    return list(dict.fromkeys(row.memory_id for row in rows if row.op == op))


def _ids(memory_ids: Collection[UUID]) -> NDArray[np.uint8]:
    """Ids as a bank takes them, uint8 `[n, 16]`."""
    return np.frombuffer(b"".join(one.bytes for one in memory_ids), np.uint8).reshape(-1, 16)
