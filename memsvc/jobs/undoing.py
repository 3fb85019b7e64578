"""Taking back what a run did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.policy import Level, Policy
from lifecycle.steps import Step
from memsvc.jobs import repository
from memsvc.jobs.fading import move
from memsvc.memories import repository as memories
from memsvc.memories.fading import level_of
from memsvc.memories.ledger import Ledger
from memsvc.namespaces.repository import NamespaceRow


class Undo:
    """The job that takes one run back; see `memsvc.jobs.work.Work`.

    A memory that became something else since then stays what it became.
    """

    kind = "undo"
    is_bounded = False  # a run that was bounded is taken back whole

    def __init__(self, run_id: UUID) -> None:
        self._run_id = run_id

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`."""
        return [
            Step(step.memory_id, "undo", step.after, step.before, {"action": step.action})
            for step in repository.effects(connection, namespace.tenant_id, self._run_id)
        ]

    def apply(self, ledger: Ledger, steps: Sequence[Step], policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`."""
        stored = memories.by_ids(ledger.connection, *ledger.namespace.key, [step.memory_id for step in steps])
        done = []
        for step in steps:
            memory = stored.get(step.memory_id)
            level = None if memory is None else level_of(memory.row)
            if memory is None or level is None or level.name.lower() != step.before["level"]:
                continue
            move(ledger, memory, Level[step.after["level"].upper()])
            done.append(step)
        return done
