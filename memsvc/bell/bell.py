"""Rings after each commit, and has the bank follow when others ring.

A message is the keyed digest of a namespace, which tells nothing to whoever listens without the server's secret, and
the head `seq` after the commit. Messages to this process itself are told by their seq: it is applied already.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from uuid import UUID

import structlog

from memsvc.bell.closing import Closing
from memsvc.bell.lines import Line
from memsvc.core.metrics import Metrics
from memsvc.core.secrets import Secrets
from memsvc.index.keeper import Keeper

log = structlog.get_logger("memsvc.bell")

Key = tuple[UUID, UUID]

_LABEL = "bell"
_DIGEST_BYTES = 16
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_SEQ_DIGITS = 19


class Bell:
    """Up to three threads beside the requests, which never wait for them.

    Args:
        line: what it rings over; None: it does not ring at all.
        keeper: of the bank that follows when others ring; None: there is none in this process.
        rings: whether this process writes; one that only follows need not ring.
    """

    def __init__(
        self, line: Line | None, keeper: Keeper | None, secrets: Secrets, metrics: Metrics, *, rings: bool = True
    ) -> None:
        self._line = line
        self._keeper = keeper
        self._secrets = secrets
        self._metrics = metrics
        self._rings = rings
        self._closing = Closing()
        self._changed = threading.Condition()
        self._to_ring: dict[Key, int] = {}
        self._to_follow: dict[Key, int] = {}
        self._digests: dict[str, Key] = {}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Ring and follow from now on."""
        if self._line is None:
            return
        works: list[Callable[[], None]] = [partial(self._send, self._line)] if self._rings else []
        if self._keeper is not None:
            works += [partial(self._listen, self._line, self._keeper), partial(self._follow, self._keeper)]
        for work in works:
            thread = threading.Thread(target=work, name="memsvc-bell", daemon=True)
            self._threads.append(thread)
            thread.start()

    def ring(self, key: Key, seq: int) -> None:
        """A namespace's head is at `seq` now. Does not wait; rings in quick succession become one."""
        if self._line is None or not self._rings:
            return
        with self._changed:
            self._to_ring[key] = max(seq, self._to_ring.get(key, 0))
            self._changed.notify_all()

    def close(self) -> None:
        """End the threads."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._closing.close()

    def _send(self, line: Line) -> None:
        while (taken := self._taken(self._to_ring)) is not None:
            try:
                line.send([f"{self._digest(key)}.{seq}" for key, seq in taken.items()])
                self._metrics.bells.labels("rung").inc(len(taken))
            except Exception as error:  # noqa: BLE001 - others find what changed in the log, when they are asked
                log.warning("bell_not_rung", error=type(error).__name__)

    def _listen(self, line: Line, keeper: Keeper) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._closing.is_set():
            try:
                for message in line.heard(self._closing):
                    pause_s = _FIRST_PAUSE_S
                    self._hear(message, keeper)
            except Exception as error:  # noqa: BLE001 - the line broke: until it is back, recalls look into the log
                log.info("bell_not_heard", error=type(error).__name__)
            self._closing.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _hear(self, message: str, keeper: Keeper) -> None:
        digest, _, seq = message.partition(".")
        if not (seq.isascii() and seq.isdecimal() and len(seq) <= _SEQ_DIGITS):
            return
        key = self._key(digest, keeper)
        applied = None if key is None else keeper.applied(key)
        if key is None or applied is None or applied >= int(seq):
            return  # a namespace that nobody asked for here is loaded when somebody does
        self._metrics.bells.labels("heard").inc()
        with self._changed:
            self._to_follow[key] = int(seq)
            self._changed.notify_all()

    def _follow(self, keeper: Keeper) -> None:
        while (taken := self._taken(self._to_follow)) is not None:
            for key in taken:
                try:
                    keeper.follow(key)
                except Exception as error:  # noqa: BLE001 - the next recall tries again, and says what is wrong
                    log.warning("bell_not_followed", error=type(error).__name__)

    def _taken(self, waiting: dict[Key, int]) -> dict[Key, int] | None:
        """What waits, once something does; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: waiting or self._closing.is_set())
            if self._closing.is_set():
                return None
            taken = dict(waiting)
            waiting.clear()
            return taken

    def _digest(self, key: Key) -> str:
        return self._secrets.sign(_LABEL, key[0].bytes + key[1].bytes)[:_DIGEST_BYTES].hex()

    def _key(self, digest: str, keeper: Keeper) -> Key | None:
        """The namespace in the bank that a digest stands for."""
        if digest not in self._digests:
            held = keeper.keys()
            if len(held) != len(self._digests):  # namespaces came or went
                self._digests = {self._digest(key): key for key in held}
        return self._digests.get(digest)
