"""What may be asked of audit trails, and the anchors that leave the machine with the logs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from memsvc.audit import trail
from memsvc.audit.chain import Entry, Finding, Head, is_genuine, signed, verified
from memsvc.core.clock import Clock
from memsvc.core.errors import InvalidInput
from memsvc.core.secrets import Secrets
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE

log = structlog.get_logger("memsvc.audit")

ANCHOR_EVERY_S = 3600
"""So often the heads that moved are logged."""


class Trails:
    """The audit trails of all tenants."""

    def __init__(self, database: Database, secrets: Secrets, clock: Clock) -> None:
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._anchored: dict[UUID, int] = {}
        self._anchored_at: datetime | None = None

    def page(
        self,
        tenant_id: UUID,
        limit: int,
        after: int,
        kind: str | None,
        since: datetime | None,
        until: datetime | None,
    ) -> list[Entry]:
        """Entries in order, strictly after one; see `trail.page`."""
        with self._database.read(tenant_id) as connection:
            return trail.page(connection, tenant_id, limit, after=after, kind=kind, since=since, until=until)

    def anchor(self, tenant_id: UUID) -> tuple[Head, str] | None:
        """The head of a trail and its signature; None if the trail is empty."""
        with self._database.read(tenant_id) as connection:
            head = trail.head(connection, tenant_id)
        return None if head is None else (head, signed(self._secrets, tenant_id, head))

    def verify(self, tenant_id: UUID, anchors: Sequence[tuple[Head, str]] = ()) -> Finding:
        """Goes through the whole trail of a tenant.

        Args:
            anchors: heads that were seen before, with their signatures.

        Raises:
            InvalidInput: this server did not sign one of them for this tenant.
        """
        if not all(is_genuine(self._secrets, tenant_id, head, signature) for head, signature in anchors):
            raise InvalidInput.field("/anchor", "not_genuine", "is no anchor that this server signed for this tenant")
        with self._database.read(tenant_id) as connection:
            head = trail.head(connection, tenant_id)
            return verified(trail.every(connection, tenant_id), head, [anchor for anchor, _ in anchors])

    def print_anchors(self) -> None:
        """Logs the heads that moved since the last time, once an hour: whoever keeps the logs sees an end cut off."""
        now = self._clock.now()
        if self._anchored_at is not None and timedelta() <= now - self._anchored_at < timedelta(seconds=ANCHOR_EVERY_S):
            return
        self._anchored_at = now
        with self._database.read(SERVICE) as connection:
            heads = trail.heads(connection)
        for tenant_id, head in sorted(heads.items()):
            if self._anchored.get(tenant_id) != head.seq:
                self._anchored[tenant_id] = head.seq
                signature = signed(self._secrets, tenant_id, head)
                log.info(
                    "audit_anchor", tenant=str(tenant_id), seq=head.seq, digest=head.digest.hex(), signature=signature
                )
