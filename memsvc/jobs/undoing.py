"""Taking back what a run did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.policy import Policy
from lifecycle.steps import Step
from memsvc.jobs import repository
from memsvc.jobs.work import Work
from memsvc.memories.ledger import Ledger
from memsvc.namespaces.repository import NamespaceRow


class Undo:
    """The job that takes one run back; see `memsvc.jobs.work.Task`. How, its kind of work knows."""

    kind = "undo"
    is_bounded = False  # a run that was bounded is taken back whole

    def __init__(self, run_id: UUID, work: Work) -> None:
        self._run_id = run_id
        self._work = work

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Task`."""
        return [
            Step(step.memory_id, "undo", step.after, step.before, {**step.why, "action": step.action})
            for step in repository.effects(connection, namespace.tenant_id, self._run_id)
        ]

    def apply(self, ledger: Ledger, steps: Sequence[Step], policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Task`."""
        return self._work.revert(ledger, steps)
