"""Whether PostgreSQL is there at all.

A server that hangs, or a machine that went away, ends no statement, and no timeout of the server's own comes. So
whoever waits for longer than a moment has the server asked, over a connection of its own: one that answers may take its
time, one that does not is lost, and everybody who waits for it is told so. Until it answers again nobody waits for it
anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar

import psycopg
import structlog
from psycopg.abc import PQGen

T = TypeVar("T")
CONNECT_S = 2
"""How long one attempt to connect may take; whole seconds, libpq knows no smaller ones than two."""

log = structlog.get_logger("memsvc")


class ServerSilentError(psycopg.OperationalError):
    """The server does not answer. Whether what was asked of it was done is not known."""


class Pulse:
    """Knows whether one server answers. Thread-safe.

    Args:
        ask: connects anew and lets go again; raises `psycopg.Error` if it cannot. Takes `CONNECT_S` at most.
        silence_s: after so long without any sign of life the server counts as lost. The last two thirds are its time
            to answer a question.
    """

    def __init__(self, ask: Callable[[], object], silence_s: float) -> None:
        self._ask = ask
        self._quiet_s = silence_s / 3
        self._answer_s = silence_s - self._quiet_s
        self._guard = threading.Lock()
        self._asked_at: float | None = None
        self._answered_at = float("-inf")
        self._closing = threading.Event()

    @property
    def is_lost(self) -> bool:
        """Whether a question has been waiting for its answer for too long."""
        asked_at = self._asked_at
        return asked_at is not None and monotonic() - asked_at >= self._answer_s

    def check(self, silent_s: float = 0.0) -> None:
        """Whether it is worth while to wait (on) for the server; called again and again by whoever waits.

        Args:
            silent_s: seconds since the caller heard from it.

        Raises:
            ServerSilentError: it is not.
        """
        if silent_s >= self._quiet_s:
            self._find_out()
        if self.is_lost:
            raise ServerSilentError("the server does not answer")

    def close(self) -> None:
        """Ask no more."""
        self._closing.set()

    def _find_out(self) -> None:
        with self._guard:
            if self._asked_at is not None or monotonic() < self._answered_at + self._quiet_s:
                return
            thread = threading.Thread(target=self._until_answered, name="memsvc-pulse", daemon=True)
            self._asked_at = monotonic()
            try:
                thread.start()
            except RuntimeError:  # no more threads: a question that nobody asks must not count as one without answer
                self._asked_at = None

    def _until_answered(self) -> None:
        begun, was_lost = monotonic(), False
        while not self._answers() and not self._closing.is_set():
            if self.is_lost and not was_lost:
                log.error("database_silent", seconds=round(monotonic() - begun, 1))
                was_lost = True
        if was_lost:
            log.warning("database_answers_again", seconds=round(monotonic() - begun, 1))
        with self._guard:
            self._asked_at, self._answered_at = None, monotonic()

    def _answers(self) -> bool:
        try:
            self._ask()
        except psycopg.errors.ConnectionTimeout:
            return False
        except psycopg.Error:
            return True  # it refuses, or nobody is there to: whoever waits for such a server learns it by itself
        return True


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that waits no longer for a server that is lost; it is closed then.

    Attributes:
        check: see `Pulse.check`.
    """

    check: Callable[[float], None] = staticmethod(lambda silent_s: None)

    def wait(self, gen: PQGen[T], *given: Any, **named: Any) -> T:
        """Drive a generator of psycopg's to its end.

        Raises:
            ServerSilentError: there will be no end.
        """
        try:
            return super().wait(_watched(gen, self.check), *given, **named)
        except ServerSilentError:
            self.pgconn.finish()  # nothing that comes over it later is an answer to what is asked next
            raise


def _watched(gen: PQGen[T], check: Callable[[float], None]) -> PQGen[T]:
    """The same generator, looking after each tenth of a second in which nothing came whether to go on."""
    heard_at = monotonic()
    try:
        wanted = next(gen)
        while True:
            came = yield wanted
            if came:
                heard_at = monotonic()
            else:
                check(monotonic() - heard_at)
            wanted = gen.send(came)
    except StopIteration as ended:
        result: T = ended.value
        return result
