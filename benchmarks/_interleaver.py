"""Runs a few calls at once in an order of our own: one goes on at a time, from one point to the next.

Points lie where a call touches the database: before each read and each write, and on PostgreSQL, where transactions run
beside each other, before each commit. Between two points a call shares nothing with the others. Whoever waits for a
lock of the database is passed over until it has it. So what happens follows from the order of the choices alone, and
every order can be tried: stateless model checking as in Godefroid, "Model checking for programming languages using
VeriSoft", POPL 1997 (doi:10.1145/263699.263717), without its reductions.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import wraps
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, Engine, text

from memsvc.core.errors import ServiceError
from memsvc.db.engine import Database
from memsvc.db.tenancy import Whose
from memsvc.erasures.runner import ErasureRunner
from memsvc.index.keeper import Keeper

Call = Callable[[], Any]
Choose = Callable[[Sequence[int]], int]
"""Which of the calls that can go on, by their places, goes on."""

_GLANCE_S = 0.003
"""After so long without a word from a call, the database is asked whether it waits for a lock."""
_STUCK_S = 60.0


class _State(Enum):
    PARKED = "parked"
    RUNNING = "running"
    OVER = "over"


@dataclass(eq=False)
class _Actor:
    """One call in a thread of its own.

    Attributes:
        backend: of PostgreSQL, that carries its present transaction out.
    """

    turns: _Turns
    call: Call
    name: str
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    is_begun: bool = False
    state: _State = _State.PARKED
    backend: int | None = None
    outcome: Any = None

    def work(self) -> None:
        _here.actor = self
        self.go.acquire()
        try:
            self.outcome = self.call()
        except ServiceError as error:
            self.outcome = type(error).__name__
        except Exception as error:  # noqa: BLE001 - what a call must not end with is what is looked for
            self.outcome = error
        self.turns.told(self, _State.OVER)

    def pause(self) -> None:
        """A point: the next part of the call waits for its turn. The first one is where it began to wait."""
        if not self.is_begun:
            self.is_begun = True
            return
        self.turns.told(self, _State.PARKED)
        self.go.acquire()


class _Here(threading.local):
    actor: _Actor | None = None


_here = _Here()


class _Turns:
    """Who is where. One thread chooses, the others go on when they are told to."""

    def __init__(self, calls: Sequence[Call], engine: Engine | None) -> None:
        self.actors = [_Actor(self, call, f"call {place}") for place, call in enumerate(calls)]
        self._engine = engine
        self._changed = threading.Condition()

    def told(self, actor: _Actor, state: _State) -> None:
        with self._changed:
            actor.state = state
            self._changed.notify_all()

    def run(self, choose: Choose) -> list[Any]:
        threads = [threading.Thread(target=actor.work, daemon=True) for actor in self.actors]
        for thread in threads:
            thread.start()
        while any(actor.state is not _State.OVER for actor in self.actors):
            ready = [place for place, actor in enumerate(self.actors) if actor.state is _State.PARKED]
            if not ready:  # all wait for locks: the database ends that
                self._settle(is_deadlock=True)
                continue
            chosen = self.actors[ready[0] if len(ready) == 1 else choose(ready)]
            chosen.state = _State.RUNNING
            chosen.go.release()
            self._settle()
        for thread in threads:
            thread.join()
        return [actor.outcome for actor in self.actors]

    def _settle(self, *, is_deadlock: bool = False) -> None:
        """Waits until whoever runs has parked, is over, or waits for a lock; out of a deadlock, until one has or is.

        Raises:
            RuntimeError: nobody goes on.
        """
        until = time.monotonic() + _STUCK_S
        with self._changed:
            begun = self._running()
            while self._running() and time.monotonic() < until:
                if is_deadlock and self._running() < begun:
                    return
                if not self._changed.wait(_GLANCE_S) and not is_deadlock and self._all_wait():
                    return
            if self._running():
                at = [actor.name for actor in self.actors if actor.state is _State.RUNNING]
                raise RuntimeError(f"{', '.join(at)}: neither goes on nor waits for the database")

    def _running(self) -> int:
        return sum(actor.state is _State.RUNNING for actor in self.actors)

    def _all_wait(self) -> bool:
        """Whether every call that runs waits for a lock that another holds."""
        backends = [actor.backend for actor in self.actors if actor.state is _State.RUNNING]
        if self._engine is None or None in backends:
            return False
        with self._engine.connect() as connection:
            query = text(
                "SELECT bool_and(cardinality(pg_blocking_pids(pid)) > 0) FROM unnest(CAST(:pids AS int[])) AS pid"
            )
            return bool(connection.execute(query, {"pids": backends}).scalar_one())


def run(calls: Sequence[Call], choose: Choose, engine: Engine | None = None) -> list[Any]:
    """The outcomes of calls that go on in the order that is chosen: what each returns, or the name of its refusal.

    What a call raises beside a `ServiceError` is its outcome itself. Only inside of `points`.

    Args:
        calls: what runs at once.
        choose: see `Choose`; not asked while only one can go on.
        engine: a connection to PostgreSQL beside those of the calls, to see who waits for whom.
    """
    return _Turns(calls, engine).run(choose)


@contextmanager
def points() -> Iterator[None]:
    """As long as it is open, every call that `run` carries out stops at its points; everybody else comes by."""
    read, write = Database.read, Database.write

    def paused_read(self: Database, whose: Whose) -> AbstractContextManager[Connection]:
        if _here.actor is not None:
            _here.actor.pause()
        return read(self, whose)

    def paused_write(self: Database, whose: Whose, unit: Any, **given: bool) -> Any:
        actor = _here.actor
        if actor is None:
            return write(self, whose, unit, **given)
        actor.pause()
        if self.is_sqlite:  # its one writing thread has no second transaction beside this one
            return write(self, whose, unit, **given)

        def before_commit(connection: Connection) -> Any:
            driver: Any = connection.connection.driver_connection
            actor.backend = driver.info.backend_pid
            result = unit(connection)
            actor.pause()
            return result

        try:
            return write(self, whose, before_commit, **given)
        finally:
            actor.backend = None

    def quiet(whole: Callable[..., Any]) -> Callable[..., Any]:
        """No point lies in what holds a lock of the process while it is at the database: others would wait unseen."""

        @wraps(whole)
        def work(*given: Any) -> Any:
            actor, _here.actor = _here.actor, None
            try:
                return whole(*given)
            finally:
                _here.actor = actor

        return work

    with (
        patch.object(Database, "read", paused_read),
        patch.object(Database, "write", paused_write),
        patch.object(Keeper, "catch_up", quiet(Keeper.catch_up)),
        patch.object(ErasureRunner, "overwrite", quiet(ErasureRunner.overwrite)),
    ):
        yield


def in_turn(order: Sequence[int]) -> Choose:
    """One call after the other, in an order."""
    return lambda ready: next(place for place in order if place in ready)


def at_random(chance: random.Random) -> Choose:
    """Whoever comes up."""
    return chance.choice


class Every:
    """Goes through all orders, depth first: iterate, and use each choice once."""

    def __init__(self) -> None:
        self._path: list[tuple[int, int]] = []  # which of how many was chosen, at each point where there was a choice

    def __iter__(self) -> Iterator[Choose]:
        """A way to choose for each order."""
        while True:
            depth = 0

            def choose(ready: Sequence[int]) -> int:
                nonlocal depth
                if depth == len(self._path):
                    self._path.append((0, len(ready)))
                chosen, among = self._path[depth]
                if among != len(ready):
                    raise RuntimeError("the same choices led elsewhere: something else than their order decides")
                depth += 1
                return ready[chosen]

            yield choose
            while self._path and self._path[-1][0] + 1 == self._path[-1][1]:
                self._path.pop()
            if not self._path:
                return
            chosen, among = self._path.pop()
            self._path.append((chosen + 1, among))
