"""What jobs derive from memories stands and falls with its sources.

A job that makes a memory out of others writes it in three steps, in one transaction under the namespace's lock: it asks
`stands` whether its sources are still what it read, makes the memory with `Ledger.create`, and links it to every source
with `derived_from`. From then on `derived` finds it: it is erased with any of its sources, in the same transaction, and
the job's next run derives anew from what is left. Derived text is never put into a memory that a user wrote; such a
memory only loses its link.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import Connection, and_, select

from memsvc.memories.ledger import Ledger
from memsvc.models import Relation
from memsvc.models.ids import given, one_of, one_of_given
from memsvc.models.tables import LINK, MEMORY, VERSION

BY_JOBS = "job "
"""What the names of writers that are jobs begin with; no key may be called so."""
_DERIVED = (
    select(LINK.c.from_id)
    .join(VERSION, and_(VERSION.c.tenant_id == LINK.c.tenant_id, VERSION.c.memory_id == LINK.c.from_id))
    .where(
        one_of_given(LINK.c.to_id),
        LINK.c.relation == Relation.DERIVED_FROM.value,
        VERSION.c.version == 1,
        VERSION.c.writer.startswith(BY_JOBS, autoescape=True),
    )
    .distinct()
)


def stands(ledger: Ledger, sources: Mapping[UUID, int], epoch: int) -> bool:
    """Whether what was derived from memories outside of this transaction may still be written in it.

    Args:
        ledger: of the namespace, locked.
        sources: the version of each memory that was read.
        epoch: the namespace's, read before the sources were. If something was erased since then, it may be in what was
            derived in ways that its sources do not show (a centroid, a frequency): it is derived anew.
    """
    namespace = ledger.namespace
    if namespace.epoch != epoch:
        return False
    query = select(MEMORY.c.id, MEMORY.c.version).where(
        MEMORY.c.namespace_id == namespace.id, one_of(MEMORY.c.id, namespace.tenant_id, sources)
    )
    found = {row.id: row.version for row in ledger.connection.execute(query)}
    return found == dict(sources)


def derived(connection: Connection, tenant_id: UUID, memory_ids: Iterable[UUID]) -> set[UUID]:
    """Memories that jobs derived from any of these, directly or through others."""
    found: set[UUID] = set()
    waiting = set(memory_ids)
    known = set(waiting)
    while waiting:
        waiting = set(connection.execute(_DERIVED, given(tenant_id, waiting)).scalars()) - known
        known |= waiting
        found |= waiting
    return found
