"""What a kind of job is to those who run it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from lifecycle.policy import Policy
from lifecycle.steps import Step
from memsvc.memories.ledger import Ledger
from memsvc.namespaces.repository import NamespaceRow


class Task(Protocol):
    """What a run carries out. Stateless: everything that it goes by is in the database.

    Attributes:
        kind: its name.
        is_bounded: whether a run changes no more than the policy's share of a namespace.
    """

    @property
    def kind(self) -> str:
        """See the class."""
        ...

    @property
    def is_bounded(self) -> bool:
        """See the class."""
        ...

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Iterable[Step]:
        """What is to be done now, in the order in which it is done; changes nothing.

        Only the first ones may be looked at, while the connection is open.

        Args:
            connection: for reading.
            namespace: whose memories.
            policy: in force.
            now: the moment that all is judged by.
        """
        ...

    def apply(self, ledger: Ledger, steps: Sequence[Step], policy: Policy, now: datetime) -> Sequence[Step]:
        """Does those of the steps that are still right, judged anew under the namespace's lock.

        Returns:
            What was really done.
        """
        ...


class Work(Task, Protocol):
    """A kind of job, which can take back what it did."""

    def revert(self, ledger: Ledger, steps: Sequence[Step]) -> Sequence[Step]:
        """Takes steps of this kind back.

        Args:
            ledger: of the namespace, locked.
            steps: turned round: from what they made of a memory back to what it was.

        Returns:
            What was taken back; a memory that became something else since then stays what it became.
        """
        ...
