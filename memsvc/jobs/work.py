"""What a kind of job is to those who run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class Prepares(Protocol):
    """A task that has to ask a model before it writes: between two transactions, for no database waits for a model.

    Attributes:
        most_at_once: steps that are prepared, and then applied, together; they take seconds, not a lease.
    """

    @property
    def most_at_once(self) -> int:
        """See the class."""
        ...

    def prepare(
        self, read: Callable[[], AbstractContextManager[Connection]], namespace: NamespaceRow, steps: Sequence[Step]
    ) -> Sequence[Step]:
        """The same steps with all that `apply` needs.

        Args:
            read: opens a connection for reading, to be closed before a model is asked.
            namespace: whose memories.
            steps: of the plan.

        Raises:
            Exception: a model does not answer; the run fails, and what it did before stays.
        """
        ...


@runtime_checkable
class Finishes(Protocol):
    """A task that has something to do once all else is done, even if there was nothing else."""

    def finish(self, ledger: Ledger, counts: Mapping[str, int]) -> None:
        """Does that, under the namespace's lock.

        Args:
            ledger: of the namespace.
            counts: what the run did, by action.
        """
        ...


@runtime_checkable
class Dated(Protocol):
    """A kind of work that goes by a moment of the past. It is only done when somebody asks for it."""

    def at(self, moment: datetime) -> Task:
        """The task of a moment."""
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
