"""At most one effect for each idempotency key: the answer is kept in the transaction of the effect."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from memsvc.core.clock import Clock
from memsvc.core.errors import KeyReused, ServiceError
from memsvc.db.engine import Database
from memsvc.models.tables import IDEMPOTENCY

Outcome = dict[str, Any]
"""What a write did, as ids, versions, statuses and `seq`: JSON, and nothing that the caller said."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One use of an idempotency key.

    Attributes:
        digest: keyed digest of (API key, route, idempotency key).
        request_digest: keyed digest of the request body, so that a key cannot be used for something else.
    """

    digest: bytes
    request_digest: bytes


class Once:
    """Runs units of work, those with a claim at most once."""

    def __init__(self, database: Database, clock: Clock, ttl_s: int) -> None:
        self._database = database
        self._clock = clock
        self._ttl = timedelta(seconds=ttl_s)

    def read(self, tenant_id: UUID) -> AbstractContextManager[Connection]:
        """A connection for what a unit of work has to know before it is run."""
        return self._database.read(tenant_id)

    def replay(self, tenant_id: UUID, claim: Claim | None) -> Outcome | None:
        """The kept outcome of this claim, if it was used before: saves the work before the transaction.

        Raises:
            KeyReused: the key was used for another request.
        """
        if claim is None:
            return None
        with self._database.read(tenant_id) as connection:
            return self._kept(connection, tenant_id, claim, self._clock.now())

    def write(
        self,
        tenant_id: UUID,
        claim: Claim | None,
        unit: Callable[[Connection], Outcome],
        *,
        scrub: bool = False,
        frees: bool = False,
    ) -> tuple[Outcome, bool]:
        """Run `unit` durably, or find that it has run. Returns its outcome, and whether it is a replay.

        `scrub` and `frees` as for `Database.write`.

        Raises:
            KeyReused: the key was used for another request.
        """
        if claim is None:
            return self._database.write(tenant_id, unit, scrub=scrub, frees=frees), False

        def claimed(connection: Connection) -> tuple[Outcome, bool]:
            now = self._clock.now()
            kept = self._kept(connection, tenant_id, claim, now)
            if kept is not None:
                return kept, True
            expired = IDEMPOTENCY.c.tenant_id == tenant_id, IDEMPOTENCY.c.created_at < now - self._ttl
            connection.execute(IDEMPOTENCY.delete().where(*expired))
            outcome = unit(connection)
            row = {
                "tenant_id": tenant_id, "digest": claim.digest, "request_digest": claim.request_digest,
                "outcome": outcome, "created_at": now,
            }  # fmt: skip
            connection.execute(insert(IDEMPOTENCY), row)
            return outcome, False

        try:
            return self._database.write(tenant_id, claimed, scrub=scrub, frees=frees)
        except (IntegrityError, ServiceError):
            # The same request may have been carried out between our look and our lock (PostgreSQL). What stands in our
            # way is its effect then, and its answer is ours.
            kept = self.replay(tenant_id, claim)
            if kept is None:
                raise
            return kept, True

    def _kept(self, connection: Connection, tenant_id: UUID, claim: Claim, now: datetime) -> Outcome | None:
        query = select(IDEMPOTENCY.c.request_digest, IDEMPOTENCY.c.outcome).where(
            IDEMPOTENCY.c.tenant_id == tenant_id,
            IDEMPOTENCY.c.digest == claim.digest,
            IDEMPOTENCY.c.created_at >= now - self._ttl,
        )
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.request_digest != claim.request_digest:
            raise KeyReused("this Idempotency-Key was used for another request; use a new one")
        outcome: Outcome = row.outcome
        return outcome
