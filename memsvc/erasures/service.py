"""What callers may ask about erasures: what one would erase, erasing, how far it is, its receipt, and checking that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection

from memsvc.audit import trail
from memsvc.core.clock import Clock
from memsvc.core.errors import Conflict, NotFound
from memsvc.core.secrets import Secrets
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE
from memsvc.entities.service import Entities
from memsvc.erasures import repository, selection
from memsvc.erasures.eraser import Eraser
from memsvc.erasures.receipt import digests_of, is_genuine, receipt
from memsvc.erasures.repository import ErasureRow
from memsvc.erasures.runner import ErasureRunner
from memsvc.erasures.selection import Selection
from memsvc.memories.once import Claim, Once, Outcome
from memsvc.memories.write import Author
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow

INLINE_S = 2.0
"""So long a request works at its erasure itself; the rest is done after it."""
SHOWN_MAX = 1_000
"""Ids that a dry run names at most."""
_BY_RESTORE = "restored backup"

Allowed = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller wants erased: in one namespace, or None: in all that the caller reaches."""

    namespace: str | None
    selection: Selection


@dataclass(frozen=True, slots=True)
class Preview:
    """What an erasure would erase now.

    Attributes:
        memory_ids: those asked for, by id.
        derived_ids: those that would go with them, because jobs derived them from some of these.
    """

    memory_ids: Sequence[UUID]
    derived_ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Seen:
    """An erasure with the paths of its namespaces, and its receipt once it is over."""

    erasure: ErasureRow
    paths: Sequence[str]
    receipt: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is true of a receipt.

    Attributes:
        is_genuine: this server signed it so for this tenant. Nothing else is looked at if not.
        back: how many of its memories, or rows that name them, are in the database.
        without_tombstone: how many are not known as erased any more: the database was put back to an earlier state.
    """

    is_genuine: bool
    back: int = 0
    without_tombstone: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing of it is back, and nothing could come back unseen."""
        return self.is_genuine and self.back == 0 and self.without_tombstone == 0


class Erasures:
    """Erasures of all tenants. One that is unknown, foreign or out of reach raises the same `NotFound`."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        secrets: Secrets,
        once: Once,
        entities: Entities,
        eraser: Eraser,
        runner: ErasureRunner,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._secrets = secrets
        self._once = once
        self._entities = entities
        self._eraser = eraser
        self._runner = runner
        self._wake = wake

    def names(self, tenant_id: UUID, path: str, mention_id: int) -> Selection:
        """The selection of memories that mention an entity: by any name that it has now."""
        try:
            party = self._entities.one(tenant_id, path, mention_id)
        except NotFound:
            return {"mention_ids": [mention_id]}
        return {"mention_ids": sorted({mention_id, *(name.id for name in party.group.names)})}

    def preview(self, tenant_id: UUID, wanted: Wanted, allowed: Allowed) -> Preview:
        """What would be erased; changes nothing.

        Raises:
            Conflict: a memory that is named by its id is under a legal hold.
        """
        with self._database.read(tenant_id) as connection:
            found: list[UUID] = []
            reached = self._reached(connection, tenant_id, wanted, allowed)
            for namespace in reached:
                found += selection.every(connection, namespace, wanted.selection)
            _check_held(connection, tenant_id, wanted, reached)
            going = self._eraser.going(connection, tenant_id, found)
            going -= repository.held(connection, tenant_id, going)
        return Preview(sorted(found), sorted(going - set(found)))

    def ask(
        self, author: Author, wanted: Wanted, allowed: Allowed, claim: Claim | None, within_s: float | None = INLINE_S
    ) -> Seen:
        """Keeps an erasure and begins with it; one that does not end within so many seconds goes on after the answer.

        The same asked again while it is open is the one that is open.

        Raises:
            Conflict: a memory that is named by its id is under a legal hold.
        """
        tenant = author.tenant_id

        def unit(connection: Connection) -> Outcome:
            within = self._reached(connection, tenant, wanted, allowed)
            _check_held(connection, tenant, wanted, within)
            reached = [namespace.id for namespace in within]
            about = orjson.dumps([sorted(map(str, reached)), wanted.selection], option=orjson.OPT_SORT_KEYS)
            now = self._clock.now()
            asked = repository.ask(
                connection, tenant, reached, wanted.selection, now, by=author.name,
                request_digest=self._secrets.sign("erasure-request", tenant.bytes + about),
            )  # fmt: skip
            trail.append(
                connection, tenant, "erasure.ask", author.name, now, key_id=author.key_id, subject=asked,
                facts={"by": sorted(wanted.selection), "namespaces": sorted(map(str, reached))},
            )  # fmt: skip
            return {"erasure_id": str(asked)}

        outcome, _ = self._once.write(tenant, claim, unit, frees=True)
        erasure_id = UUID(outcome["erasure_id"])
        if self._runner.run(tenant, erasure_id, within_s=within_s) and self._database.is_sqlite:
            self._runner.overwrite()
        seen = self.one(tenant, erasure_id, lambda path: True)
        if seen.erasure.overwritten_at is None:
            self._wake()
        return seen

    def one(self, tenant_id: UUID, erasure_id: UUID, allowed: Allowed) -> Seen:
        """An erasure, with its receipt if it is over.

        Raises:
            NotFound: there is none.
        """
        with self._database.read(tenant_id) as connection:
            erasure = repository.get(connection, tenant_id, erasure_id)
            paths = None if erasure is None else self._paths(connection, tenant_id, [erasure], allowed)[0]
            if erasure is None or paths is None:
                raise NotFound("there is no such erasure")
            is_over = erasure.ended_at is not None
            digests = repository.digests(connection, tenant_id, erasure_id) if is_over else []
        return Seen(erasure, paths, receipt(self._secrets, erasure, digests))

    def page(self, tenant_id: UUID, before: UUID | None, limit: int, allowed: Allowed) -> list[Seen]:
        """Erasures that the caller reaches, the newest first, strictly older than one; without their receipts."""
        shown: list[Seen] = []
        with self._database.read(tenant_id) as connection:
            while len(shown) < limit:
                found = repository.page(connection, tenant_id, before, limit)
                every = self._paths(connection, tenant_id, found, allowed)
                shown += [Seen(one, paths) for one, paths in zip(found, every, strict=True) if paths is not None]
                if len(found) < limit:
                    break
                before = found[-1].id
        return shown[:limit]

    def verify(self, tenant_id: UUID, given: Mapping[str, Any]) -> Verdict:
        """Checks a receipt against the database as it is now. Reads the id of every memory of the tenant."""
        if not is_genuine(self._secrets, tenant_id, given):
            return Verdict(is_genuine=False)
        with self._database.read(tenant_id) as connection:
            digests = self._digests(connection, tenant_id, given)
            known = repository.tombstoned(connection, tenant_id, sorted(digests))
            # Without its digests one by one only their number says what the database should know.
            expected = len(digests) if given["digests"] is not None else int(given["counts"].get("memory", 0))
            named = repository.named_ids(connection, tenant_id) if digests else ()
            back = sum(self._eraser.digest(memory_id) in digests for memory_id in named)
        return Verdict(True, back, max(0, expected - len(known)))

    def of_receipt(self, tenant_id: UUID, given: Mapping[str, Any]) -> Selection | None:
        """The selection of what of a receipt is there again; None if it is not genuine."""
        if not is_genuine(self._secrets, tenant_id, given):
            return None
        with self._database.read(tenant_id) as connection:
            digests = self._digests(connection, tenant_id, given)
            return {"memory_ids": self._bearing(connection, tenant_id, digests)}

    def reapply(self) -> int:
        """Erases again what is in the database though it was erased: a backup brought it back. Returns how many.

        For the start of a process, before anything is served.
        """
        again = 0
        with self._database.read(SERVICE) as connection:
            tenants = repository.tenants_with_tombstones(connection)
        for tenant_id in tenants:
            with self._database.read(tenant_id) as connection:
                back = self._bearing(connection, tenant_id, repository.every_tombstone(connection, tenant_id))
                held = set(map(str, repository.held(connection, tenant_id, map(UUID, back))))
            ids = [one for one in back if one not in held]  # the backup has the hold, too: somebody must release it
            if ids:
                wanted = Wanted(None, {"memory_ids": ids})
                self.ask(Author(tenant_id, _BY_RESTORE), wanted, lambda path: True, None, within_s=None)
            again += len(ids)
        return again

    def _bearing(self, connection: Connection, tenant_id: UUID, digests: set[bytes]) -> list[str]:
        ids = repository.memory_ids(connection, tenant_id)
        return sorted(str(one) for one in ids if self._eraser.digest(one) in digests)

    def _digests(self, connection: Connection, tenant_id: UUID, given: Mapping[str, Any]) -> set[bytes]:
        own = digests_of(given)
        return set(repository.digests(connection, tenant_id, UUID(given["erasure_id"])) if own is None else own)

    def _reached(self, connection: Connection, tenant_id: UUID, wanted: Wanted, allowed: Allowed) -> list[NamespaceRow]:
        """Where to look. Memories that are named by id say so themselves."""
        if wanted.namespace is not None:
            found = namespaces.find(connection, tenant_id, wanted.namespace)
            return [] if found is None or not allowed(found.path) else [found]
        reached = [one for one in namespaces.of_tenant(connection, tenant_id) if allowed(one.path)]
        if "memory_ids" not in wanted.selection:
            return reached
        homes = repository.homes(connection, tenant_id, [UUID(one) for one in wanted.selection["memory_ids"]])
        return [one for one in reached if one.id in homes.values()]

    def _paths(
        self, connection: Connection, tenant_id: UUID, found: Sequence[ErasureRow], allowed: Allowed
    ) -> list[list[str] | None]:
        """The paths of the namespaces of each erasure; None for one of which the caller does not reach all."""
        every = {one.id: one.path for one in namespaces.of_tenant(connection, tenant_id)} if found else {}
        paths = [[every[one] for one in erasure.namespace_ids if one in every] for erasure in found]
        return [sorted(own) if all(map(allowed, own)) else None for own in paths]


def _check_held(connection: Connection, tenant_id: UUID, wanted: Wanted, reached: Sequence[NamespaceRow]) -> None:
    """Refuses what names a held memory by its id. Of what lies elsewhere the caller hears nothing.

    Raises:
        Conflict: there is one.
    """
    held = repository.held(connection, tenant_id, map(UUID, wanted.selection.get("memory_ids", ())))
    within = {namespace.id for namespace in reached}
    count = sum(home in within for home in repository.homes(connection, tenant_id, sorted(held)).values())
    if count:
        raise Conflict(f"{count} of these memories are under a legal hold; release them first")
