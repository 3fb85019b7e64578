"""What callers may ask of the work on a namespace: policies, schedules, runs, undo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.policy import DEFAULT, Policy
from lifecycle.steps import ERASE, UNREPORTED, Step
from memsvc.audit import trail
from memsvc.core.clock import Clock
from memsvc.core.errors import Conflict, InvalidInput, NotFound, TooManyRequests
from memsvc.core.ids import new_id
from memsvc.db.engine import Database
from memsvc.http.strict_json import pointer
from memsvc.jobs import repository, schedules
from memsvc.jobs.repository import Run, Scheduled
from memsvc.jobs.work import Dated, Work
from memsvc.memories.write import Author
from memsvc.models import RunState
from memsvc.namespaces import policies
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from memsvc.screening.rules import Rules, in_force

UNDO_WITHIN_S = 30 * 86_400
"""Seconds after its end in which a run can be taken back."""

MOST_QUEUED = 100
"""Runs of a namespace that wait to be begun, at most."""
RETRY_AFTER_S = 30
"""Seconds after which a refused run may be asked for again."""

Allowed = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Care:
    """What is done to a namespace, and when."""

    policy: Policy
    scheduled: Sequence[Scheduled]
    screening: Rules
    own: tuple[str, ...] = ()
    """What the owner set; see `policies.own`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A run with the path of its namespace."""

    run: Run
    path: str


class Jobs:
    """Policies and runs of all tenants. A run that is unknown, foreign or out of reach raises the same `NotFound`."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        works: Mapping[str, Work],
        wake: Callable[[], None] = lambda: None,
        screening: Rules | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._works = works
        self._wake = wake
        self._screening: Rules = screening or {}

    def care(self, tenant_id: UUID, path: str) -> Care:
        """How a namespace is cared for. One that does not exist would be by the defaults."""
        with self._database.read(tenant_id) as connection:
            namespace = namespaces.find(connection, tenant_id, path)
            if namespace is None:
                return Care(DEFAULT, (), self._screening)
            rules = in_force(self._screening, namespace.settings)
            scheduled = repository.scheduled(connection, namespace)
            return Care(policies.of(namespace), scheduled, rules, policies.own(namespace))

    def set_care(
        self,
        tenant_id: UUID,
        path: str,
        policy: Mapping[str, Any] | None,
        wanted: Mapping[str, str | None] | None,
        *,
        screening: Rules | None = None,
        by: Author | None = None,
    ) -> Care:
        """Sets what is done to a namespace, when, or what is looked for in its texts: each whole, or left as it is.

        Args:
            policy: see `memsvc.namespaces.policies`; what is not named is as by default. None: stays as it is.
            wanted: schedules by kind; what is not named is off its schedule. None: they stay as they are.
            screening: see `memsvc.screening.rules`; what is not named is as by default. None: stays as it is.
            by: who asked; None: the service itself.

        Raises:
            NotFound: there is no such namespace.
            InvalidInput: the policy makes no sense, or a schedule means nothing.
        """
        try:
            policies.to_policy(policy or {})
        except ValueError as error:
            raise InvalidInput(f"the policy makes no sense: {error}") from None
        for kind, when in (wanted or {}).items():
            self._check_kind(kind, pointer(("schedules", kind)))
            if when is not None and isinstance(self._works[kind], Dated):
                raise InvalidInput.field(pointer(("schedules", kind)), "not_scheduled", "is only done when asked for")
            if when is not None:
                _check_schedule(kind, when)

        def unit(connection: Connection) -> None:
            namespace = self._locked(connection, tenant_id, path)
            settings: dict[str, Mapping[Any, Any] | None] = {"policy": policy, "screening": screening}
            policies.write(connection, namespace, **{name: set_ for name, set_ in settings.items() if set_ is not None})
            if wanted is not None:
                for kind in self._works:
                    repository.schedule(connection, namespace, kind, wanted.get(kind), self._clock.now())
            named = {**settings, "schedules": wanted}
            trail.append(
                connection, tenant_id, "policy.set", "memsvc" if by is None else by.name, self._clock.now(),
                key_id=None if by is None else by.key_id, subject=namespace.id,
                facts={name: sorted(given) for name, given in named.items() if given is not None},
            )  # fmt: skip

        self._database.write(tenant_id, unit)
        return self.care(tenant_id, path)

    def ask(self, author: Author, path: str, kind: str, *, is_dry: bool, as_of: datetime | None = None) -> Seen:
        """Queues a run.

        Args:
            as_of: the moment that it goes by, for kinds of work that go by one (`Dated`).

        Raises:
            NotFound: there is no such namespace.
            InvalidInput: there is no such kind of work; or it goes by a moment and none was given, or one that is not
                past, or the other way round.
            TooManyRequests: too many runs of the namespace wait already.
        """
        self._check_kind(kind, "/kind")
        self._check_moment(kind, as_of)

        def unit(connection: Connection) -> UUID:
            namespace = self._locked(connection, author.tenant_id, path)
            _check_room(connection, namespace)
            now = self._clock.now()
            run_id = repository.ask(
                connection, namespace, kind, f"asked {new_id()}", now, by=author.name, is_dry=is_dry, as_of=as_of
            )
            if run_id is None:
                raise RuntimeError("a new id stood in the database already")
            return run_id

        run_id = self._database.write(author.tenant_id, unit)
        self._wake()
        return self._seen(author.tenant_id, run_id)

    def one(self, tenant_id: UUID, run_id: UUID, allowed: Allowed) -> Seen:
        """A run.

        Raises:
            NotFound: there is none.
        """
        with self._database.read(tenant_id) as connection:
            return self._find(connection, tenant_id, run_id, allowed)

    def page(self, tenant_id: UUID, path: str, before: UUID | None, limit: int) -> list[Seen]:
        """Runs of a namespace, the newest first, strictly older than one."""
        with self._database.read(tenant_id) as connection:
            namespace = namespaces.find(connection, tenant_id, path)
            found = [] if namespace is None else repository.runs(connection, namespace, before, limit)
        return [Seen(run, path) for run in found]

    def effects(
        self, tenant_id: UUID, run_id: UUID, allowed: Allowed, after: UUID | None, limit: int
    ) -> Sequence[Step]:
        """What a run did, or would do, by memory, strictly after one.

        Raises:
            NotFound: there is no such run.
        """
        with self._database.read(tenant_id) as connection:
            self._find(connection, tenant_id, run_id, allowed)
            return repository.effects(connection, tenant_id, run_id, after, limit)

    def undo(self, author: Author, run_id: UUID, allowed: Allowed) -> Seen:
        """Queues a run that takes another back; the one that does already, if it was asked for before.

        Raises:
            NotFound: there is no such run.
            Conflict: it is not over, changed nothing, or is too long ago.
            TooManyRequests: too many runs of the namespace wait already.
        """

        def unit(connection: Connection) -> UUID:
            seen = self._find(connection, author.tenant_id, run_id, allowed)
            namespace = self._locked(connection, author.tenant_id, seen.path)
            run = self._find(connection, author.tenant_id, run_id, allowed).run
            now = self._clock.now()
            if run.is_dry or run.undoes is not None:
                raise Conflict("a dry run changes nothing, and what was taken back can be done again by a new run")
            if ERASE in run.counts:
                raise Conflict("what a run erased is gone; there is nothing to take back")
            if UNREPORTED & run.counts.keys():
                raise Conflict("the run changed nothing that is found; `drop` deletes the vectors that it made")
            if run.ended_at is None:
                raise Conflict("the run is not over; cancel it, or wait for its end")
            if now - run.ended_at > timedelta(seconds=UNDO_WITHIN_S):
                raise Conflict("the run ended more than 30 days ago; restore memories one by one")
            period = f"undo {run_id}"
            asked = repository.ask(connection, namespace, run.kind, period, now, by=author.name, undoes=run_id)
            if asked is not None:
                _check_room(connection, namespace, beside=1)
                trail.append(
                    connection, author.tenant_id, "run.undo", author.name, now, key_id=author.key_id, subject=run_id,
                    facts={"kind": run.kind},
                )  # fmt: skip
                return asked
            earlier = repository.of_period(connection, namespace, run.kind, period)
            if earlier.state in (RunState.FAILED, RunState.CANCELLED):  # once more; what it did is stepped over
                repository.change(
                    connection, earlier, state=int(RunState.QUEUED), is_cancelled=False, ended_at=None, problem=None
                )
            return earlier.id

        asked = self._database.write(author.tenant_id, unit)
        self._wake()
        return self._seen(author.tenant_id, asked)

    def cancel(self, tenant_id: UUID, run_id: UUID, allowed: Allowed) -> Seen:
        """Ends a run: before it begins, or after the memories that it is at. What it did stays.

        Raises:
            NotFound: there is no such run.
        """

        def unit(connection: Connection) -> None:
            seen = self._find(connection, tenant_id, run_id, allowed)
            self._locked(connection, tenant_id, seen.path)
            run = self._find(connection, tenant_id, run_id, allowed).run
            if run.state is RunState.QUEUED:
                repository.change(
                    connection, run, state=int(RunState.CANCELLED), is_cancelled=True, ended_at=self._clock.now()
                )
            elif run.state is RunState.RUNNING:
                repository.change(connection, run, is_cancelled=True)

        self._database.write(tenant_id, unit)
        self._wake()
        return self._seen(tenant_id, run_id)

    def _seen(self, tenant_id: UUID, run_id: UUID) -> Seen:
        return self.one(tenant_id, run_id, lambda path: True)

    def _find(self, connection: Connection, tenant_id: UUID, run_id: UUID, allowed: Allowed) -> Seen:
        run = repository.run(connection, tenant_id, run_id)
        namespace = None if run is None else namespaces.get(connection, tenant_id, run.namespace_id)
        if run is None or namespace is None or not allowed(namespace.path):
            raise NotFound("there is no such run")
        return Seen(run, namespace.path)

    def _locked(self, connection: Connection, tenant_id: UUID, path: str) -> NamespaceRow:
        found = namespaces.find(connection, tenant_id, path)
        locked = None if found is None else namespaces.get(connection, tenant_id, found.id, lock=True)
        if locked is None:
            raise NotFound("there is no such namespace; it is made by the first memory that is written")
        return locked

    def _check_moment(self, kind: str, as_of: datetime | None) -> None:
        is_dated = isinstance(self._works[kind], Dated)
        if is_dated and as_of is None:
            raise InvalidInput.field("/as_of", "missing", f"{kind} needs the moment that it goes back to")
        if not is_dated and as_of is not None:
            raise InvalidInput.field("/as_of", "not_dated", f"{kind} goes by no moment")
        if as_of is not None and as_of > self._clock.now():
            raise InvalidInput.field("/as_of", "in_the_future", "must not lie in the future")

    def _check_kind(self, kind: str, at: str) -> None:
        if kind not in self._works:
            raise InvalidInput.field(at, "unknown_kind", f"is none of: {', '.join(sorted(self._works))}")


def _check_room(connection: Connection, namespace: NamespaceRow, beside: int = 0) -> None:
    """Refuses one more run of a locked namespace where too many wait, not counting so many of this transaction's."""
    if repository.queued(connection, namespace) - beside >= MOST_QUEUED:
        raise TooManyRequests(
            f"{MOST_QUEUED} runs of the namespace wait to be begun; try again when some are over, or cancel some",
            retry_after_s=RETRY_AFTER_S,
        )


def _check_schedule(kind: str, when: str) -> None:
    try:
        schedules.check(when)
    except ValueError as error:
        raise InvalidInput.field(pointer(("schedules", kind)), "schedule", str(error)) from None
