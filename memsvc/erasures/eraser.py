"""Erasing some memories of one namespace: what goes with them, and who has to be read again without them.

The model works before the transaction; inside, under the namespace's lock, everything is looked at again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from memsvc.audit import trail
from memsvc.core.clock import Clock
from memsvc.core.ids import new_id
from memsvc.core.secrets import Secrets
from memsvc.db.engine import Database
from memsvc.erasures import repository
from memsvc.memories import lineage, merged
from memsvc.memories import repository as memories
from memsvc.memories.context import Readers, Reading
from memsvc.memories.draft import Encoding
from memsvc.memories.ledger import Ledger
from memsvc.memories.prepare import Preparer
from memsvc.memories.residue import tombstone

DERIVED = "derived"
"""What a count calls memories that went because they were derived from others; `memory` has all."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was seen of an erasure before its transaction."""

    readings: Mapping[Reading, Encoding]


class Eraser:
    """Erases memories, of all tenants."""

    def __init__(self, database: Database, clock: Clock, preparer: Preparer, secrets: Secrets) -> None:
        self._database = database
        self._clock = clock
        self._readers = Readers(preparer)
        self._secrets = secrets

    def digest(self, memory_id: UUID) -> bytes:
        """What is kept of the id of an erased memory."""
        return tombstone(self._secrets, memory_id)

    def plan(self, tenant_id: UUID, memory_ids: Collection[UUID]) -> Plan:
        """Reads again, without the memories, what was read in their light.

        Raises:
            EmbedderUnavailable: a model gave no answer.
            Conflict: this process does not have the model that one of them has to be read with.
        """
        with self._database.read(tenant_id) as connection:
            going = self.going(connection, tenant_id, memory_ids)
            readings = self._readers.of_erased(connection, tenant_id, going, self._clock.now())
        return Plan(self._readers.encode(readings))

    def going(self, connection: Connection, tenant_id: UUID, memory_ids: Collection[UUID]) -> frozenset[UUID]:
        """The memories and what jobs derived from them."""
        return frozenset(memory_ids) | lineage.derived(connection, tenant_id, memory_ids)

    def erase(self, ledger: Ledger, memory_ids: Collection[UUID], plan: Plan, erasure_id: UUID) -> Counter[str]:
        """Erases those of the memories that are there, and what was derived from them; what is held stays.

        Returns:
            How many rows of each table are gone, and under `derived` how many memories went with others.

        Raises:
            ContextMoved: somebody was written meanwhile who was read in their light; nothing is done, plan again.
        """
        tenant, namespace = ledger.namespace.key
        homes = repository.homes(ledger.connection, tenant, sorted(memory_ids))
        asked = {memory_id for memory_id, home in homes.items() if home == namespace}
        going = self.going(ledger.connection, tenant, asked)
        held = repository.held(ledger.connection, tenant, going)
        asked, going = asked - held, going - held
        if not asked:
            return Counter()
        again = self._readers.of_erased(ledger.connection, tenant, going, ledger.now)
        self._readers.store(ledger, again, plan.readings)
        merged.stand_alone(ledger, memories.merged_of(ledger.connection, tenant, namespace, going))
        counts = ledger.erase({memory_id: self.digest(memory_id) for memory_id in sorted(going)}, erasure_id)
        counts[DERIVED] += len(going) - len(asked)
        return +counts

    def erase_now(self, ledger: Ledger, memory_ids: Collection[UUID], plan: Plan, key_id: UUID | None = None) -> None:
        """The same as an erasure of its own, which begins and ends in this transaction: there is a receipt for it.

        Args:
            key_id: of the key that asked for it, for the audit trail.

        Raises:
            ContextMoved: see `erase`.
        """
        tenant, namespace = ledger.namespace.key
        erasure_id = new_id()
        counts = self.erase(ledger, memory_ids, plan, erasure_id)
        repository.done(
            ledger.connection, tenant, namespace, ledger.now, erasure_id=erasure_id, by=ledger.writer, counts=counts
        )
        trail.append(
            ledger.connection, tenant, "erasure.end", ledger.writer, ledger.now, key_id=key_id, subject=erasure_id,
            facts={"counts": dict(counts), "namespaces": [str(namespace)]},
        )  # fmt: skip
