"""How much a tenant may keep: asked inside the transaction that writes, so that nobody slips past it.

Only what grows is refused. Reading, forgetting, erasing and edits without new text go on; jobs are not asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from memsvc.core.errors import QuotaExceeded
from memsvc.limits import repository
from memsvc.limits.limits import TenantLimits
from memsvc.limits.repository import Usage
from memsvc.namespaces.repository import NamespaceRow

_RETRY_S = 3_600


@dataclass(frozen=True, slots=True)
class Quota:
    """What a tenant may keep."""

    limits: TenantLimits

    def check(self, connection: Connection, namespace: NamespaceRow, growth: Usage) -> None:
        """Refuse what does not fit any more.

        Args:
            namespace: as its locked row is.
            growth: what the transaction adds to it.

        Raises:
            QuotaExceeded: naming the quota.
        """
        limits = self.limits
        if not limits.is_quota or (growth.memories <= 0 and growth.bytes <= 0):
            return
        held = Usage(namespace.n_memories, namespace.n_bytes)
        _check("namespace_memories", limits.namespace_memories, held.memories, growth.memories)
        _check("namespace_bytes", limits.namespace_bytes, held.bytes, growth.bytes)
        if not limits.bounds_tenant:
            return
        # Writers of other namespaces count one after another from here to their commit, which makes it exact.
        repository.lock(connection, namespace.tenant_id)
        used = repository.used(connection, namespace.tenant_id)
        _check("memories", limits.memories, used.memories, growth.memories)
        _check("bytes", limits.bytes, used.bytes, growth.bytes)


def _check(name: str, limit: int | None, used: int, more: int) -> None:
    if limit is not None and more > 0 and used + more > limit:
        raise QuotaExceeded(
            f"the quota {name} ({limit}) does not leave room for this; erase something, or ask for a larger one",
            limit=name,
            retry_after_s=_RETRY_S,
        )
