"""Erasing a memory inside a transaction that is under way."""

from __future__ import annotations

from uuid import UUID

from memsvc.core.ids import new_id
from memsvc.core.secrets import Secrets
from memsvc.erasures import repository as erasures
from memsvc.memories import lineage, merged, repository
from memsvc.memories.context import Readers
from memsvc.memories.ledger import Ledger
from memsvc.memories.residue import tombstone


class JobEraser:
    """Erases memories for jobs.

    Args:
        readers: reads texts again that were read in the light of what is erased; None where there is no model.
    """

    def __init__(self, secrets: Secrets, readers: Readers | None) -> None:
        self._secrets = secrets
        self._readers = readers

    def __call__(self, ledger: Ledger, memory_id: UUID) -> bool:
        """Takes a memory that is there out of every table, at once.

        It has a ledger of its own, so that the next one finds no trace of it in the texts that were read again.

        Returns:
            False if it stays: it is under a legal hold, or something of it is in the vectors of others, and there is no
            model to make them anew. Of what was derived from it, too, what is held stays.
        """
        own = Ledger(ledger.connection, ledger.namespace, ledger.now, ledger.writer)
        tenant, namespace = ledger.namespace.key
        going = {memory_id} | lineage.derived(own.connection, tenant, [memory_id])
        held = erasures.held(own.connection, tenant, going)
        if memory_id in held:
            return False
        going -= held
        if self._readers is not None:
            readings = self._readers.of_erased(own.connection, tenant, going, own.now)
            self._readers.store(own, readings, self._readers.encode(readings))
        elif repository.read_in_light_of(own.connection, tenant, going):
            return False
        merged.stand_alone(own, repository.by_ids(own.connection, tenant, namespace, going).values())
        own.erase({one: tombstone(self._secrets, one) for one in sorted(going)}, new_id())
        own.flush()
        return True
