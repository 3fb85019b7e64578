"""The job `expire`: erases what is past its time to live, or was forgotten by fading, after as long as the policy says.

Nothing is erased unless the namespace's owner says after how long. Pinned memories and legal holds stay, and so does
what a user forgot: that is for the user to erase. There is no undo; a dry run shows what would go. Each chunk of a run
is an erasure like those that are asked for, with a receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select

from gpu.bank.records import State
from lifecycle.policy import Policy
from lifecycle.steps import ERASE, Step
from memsvc.erasures.eraser import Eraser, Plan
from memsvc.memories.draft import Outdated
from memsvc.memories.ledger import Ledger
from memsvc.models.tables import MEMORY, VERSION
from memsvc.namespaces.repository import NamespaceRow

KIND = "expire"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasing(Step):
    """A step whose erasure is planned, together with the other steps of its transaction."""

    plan: Plan


class Expire:
    """The job; see `memsvc.jobs.work.Work` and `Prepares`.

    Args:
        eraser: asked for when there is something to erase: a process that only does other work needs no model.
    """

    kind = KIND
    is_bounded = True
    most_at_once = 100

    def __init__(self, eraser: Callable[[], Eraser]) -> None:
        self._eraser = eraser

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. What was written first goes first."""
        return [_step(row) for row in _due(connection, namespace, policy, now)]

    def prepare(
        self, read: Callable[[], AbstractContextManager[Connection]], namespace: NamespaceRow, steps: Sequence[Step]
    ) -> Sequence[Step]:
        """See `Prepares`: what was read in the light of what goes is read again without it."""
        plan = self._eraser().plan(namespace.tenant_id, [step.memory_id for step in steps])
        return [Erasing(step.memory_id, step.action, step.before, step.after, step.why, plan=plan) for step in steps]

    def apply(self, ledger: Ledger, steps: Sequence[Step], policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. What was restored, edited, pinned or held meanwhile stays.

        So does everything until the next run if a conversation moved meanwhile, and what follows in it is to be read
        again in another way.
        """
        planned = [step for step in steps if isinstance(step, Erasing)]
        ids = [step.memory_id for step in planned]
        still = {row.id for row in _due(ledger.connection, ledger.namespace, policy, now, ids)}
        if not still:
            return []
        try:
            self._eraser().erase_now(ledger, still, planned[0].plan)
        except Outdated:
            return []
        return [step for step in planned if step.memory_id in still]

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
