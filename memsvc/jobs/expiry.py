"""The job `expire`: erases what is past its time to live, or was forgotten by fading, after as long as the policy says.

Nothing is erased unless the namespace's owner says after how long. Pinned memories and legal holds stay, and so does
what a user forgot: that is for the user to erase. There is no undo; a dry run shows what would go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select

from gpu.bank.records import State
from lifecycle.policy import Policy
from lifecycle.steps import ERASE, Step
from memsvc.memories.ledger import Ledger
from memsvc.models.tables import MEMORY, VERSION
from memsvc.namespaces.repository import NamespaceRow

KIND = "expire"


class Expire:
    """The job; see `memsvc.jobs.work.Work`.

    Args:
        erase: see `memsvc.memories.erasing.JobEraser`.
    """

    kind = KIND
    is_bounded = True

    def __init__(self, erase: Callable[[Ledger, UUID], bool]) -> None:
        self._erase = erase

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. What was written first goes first."""
        return [_step(row) for row in _due(connection, namespace, policy, now)]

    def apply(self, ledger: Ledger, steps: Sequence[Step], policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. What was restored, edited, pinned or held meanwhile stays."""
        ids = [step.memory_id for step in steps]
        still = {row.id for row in _due(ledger.connection, ledger.namespace, policy, now, ids)}
        return [step for step in steps if step.memory_id in still and self._erase(ledger, step.memory_id)]

    def revert(self, ledger: Ledger, steps: Sequence[Step]) -> Sequence[Step]:
        """See `Work`. What is erased is gone."""
        return []


def _due(
    connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime, among: Iterable[UUID] | None = None
) -> list[Any]:
    """Rows of what is to be erased now, by id."""
    ways: list[ColumnElement[bool]] = [false()]
    if policy.expired_for_s is not None:
        ways.append(MEMORY.c.expires_at <= now - timedelta(seconds=policy.expired_for_s))
    if policy.forgotten_for_s is not None:
        ways.append(
            and_(
                MEMORY.c.state == int(State.FORGOTTEN),
                VERSION.c.reason == "faded",
                VERSION.c.recorded_from <= now - timedelta(seconds=policy.forgotten_for_s),
            )
        )
    query = (
        select(MEMORY.c.id, MEMORY.c.state, MEMORY.c.expires_at, VERSION.c.recorded_from)
        .join(
            VERSION,
            and_(
                VERSION.c.tenant_id == MEMORY.c.tenant_id,
                VERSION.c.memory_id == MEMORY.c.id,
                VERSION.c.version == MEMORY.c.version,
            ),
        )
        .where(
            MEMORY.c.tenant_id == namespace.tenant_id,
            MEMORY.c.namespace_id == namespace.id,
            MEMORY.c.pinned.is_(False),
            MEMORY.c.legal_hold.is_(False),
            or_(*ways),
            *(() if among is None else (MEMORY.c.id.in_(list(among)),)),
        )
        .order_by(MEMORY.c.id)
    )
    return list(connection.execute(query))


def _step(row: Any) -> Step:
    why = {"expires_at": None if row.expires_at is None else row.expires_at.isoformat()}
    why |= {"since": row.recorded_from.isoformat()}
    return Step(row.id, ERASE, {"state": State(row.state).name.lower()}, {"state": "erased"}, why)
