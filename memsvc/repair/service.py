"""Looks for damage in the rows of all tenants, and mends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select

from memsvc.db.tenancy import SERVICE
from memsvc.models import Tenant
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from memsvc.repair import change_log, rows, texts, work
from memsvc.repair.repairs import Repair, Workshop

log = structlog.get_logger("memsvc.repair")

# In this order: what comes later counts on what comes before.
_BEFORE: tuple[Repair[UUID], ...] = (rows.DANGLING,)
_OF_NAMESPACES: tuple[Repair[NamespaceRow], ...] = (*change_log.REPAIRS, texts.UNREAD, rows.COUNTERS, work.LEASES)
_AFTER: tuple[Repair[UUID], ...] = (work.ERASURES, work.AUDIT)


@dataclass(frozen=True, slots=True)
class Damage:
    """One sort of damage in one place.

    Attributes:
        repair: what it is, and what mends it.
        where: the tenant's id, or the namespace.
        n: how often it is there.
    """

    repair: Repair[Any]
    where: UUID | NamespaceRow
    n: int

    @property
    def place(self) -> str:
        """Where it is, by ids: paths may name people."""
        return f"namespace {self.where.id}" if isinstance(self.where, NamespaceRow) else f"tenant {self.where}"

    @property
    def found(self) -> str:
        """What is wrong, in words."""
        return f"{self.place}: {self.repair.found.format(n=self.n)}"

    @property
    def will(self) -> str:
        """What mending does, in words."""
        return self.repair.will

    @property
    def can_be_mended(self) -> bool:
        """Whether anything here may."""
        return self.repair.mend is not None


class Repairs:
    """Finds and mends. On PostgreSQL servers may run meanwhile: whatever is changed is changed under their locks."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def found(self) -> Iterator[Damage]:
        """What is wrong, in the order in which it is to be mended; changes nothing. Looks on only when asked on."""
        database = self._workshop.database
        with database.read(SERVICE) as connection:
            tenants = list(connection.execute(select(Tenant.id).order_by(Tenant.id)).scalars())
        for tenant_id in tenants:
            yield from self._at(_BEFORE, tenant_id, tenant_id)
            with database.read(tenant_id) as connection:
                within = namespaces.of_tenant(connection, tenant_id)
            for namespace in within:
                yield from self._at(_OF_NAMESPACES, tenant_id, namespace)
            yield from self._at(_AFTER, tenant_id, tenant_id)

    def _at(self, repairs: Sequence[Repair[Any]], tenant_id: UUID, where: UUID | NamespaceRow) -> Iterator[Damage]:
        for repair in repairs:
            with self._workshop.database.read(tenant_id) as connection:
                now = namespaces.get(connection, *where.key) if isinstance(where, NamespaceRow) else where
                n = 0 if now is None else repair.count(connection, now)
            if n:
                yield Damage(repair, where, n)

    def mend(self, damage: Damage) -> int:
        """Puts one right; returns how often it was.

        Raises:
            StartupRefused: the model of the settings is not the one that it takes.
            EmbedderUnavailable: that gives no answer.
            ValueError: nothing may mend it.
        """
        if damage.repair.mend is None:
            raise ValueError(damage.repair.name)
        return damage.repair.mend(self._workshop, damage.where)

    def unloadable(self) -> Iterator[tuple[NamespaceRow, str]]:
        """Namespaces of which no bank can be built from the database, or one that is not what the database says."""
        with self._workshop.database.read(SERVICE) as connection:
            every = namespaces.every(connection)
        for namespace in every:
            try:
                verdict = self._workshop.keeper.compared(namespace)
            except Exception as error:  # noqa: BLE001 - whatever is in the rows, the next namespace is looked at
                log.warning("bank_does_not_load", namespace=str(namespace.id), error=type(error).__name__)
                yield namespace, type(error).__name__
            else:
                if not verdict.equal:
                    yield namespace, f"{verdict.missing} missing, {verdict.unexpected} unexpected"
            self._workshop.keeper.bank.drop(namespace.key)
