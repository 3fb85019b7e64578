"""Keeps the bank within its memory: namespaces that nobody used for a while leave it, and are loaded when asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from uuid import UUID

from gpu.bank.bank import Bank
from gpu.bank.namespace import NamespaceBank
from memsvc.core import heap

Key = tuple[UUID, UUID]

IDLE_S = 10.0
"""So long a namespace was not asked for before it may leave. Chosen; whoever is still reading it can finish anyway."""
TRIM_S = 1.0
"""So long at least lies between two times that freed memory is given back to the system. Chosen."""


class Room:
    """What namespaces take, and who leaves when it is too much: the one not used for longest. Thread-safe.

    The budget is not a wall: namespaces in use all stay, and one that is larger than all of it is served, too.

    Args:
        budget_bytes: for all of them; None: there is room for everything.
        on_dropped: told who left.
        trim: has the memory of those who left given back to the system.
    """

    def __init__(
        self,
        bank: Bank,
        budget_bytes: int | None,
        on_dropped: Callable[[Key], None],
        *,
        idle_s: float = IDLE_S,
        now_s: Callable[[], float] = time.monotonic,
        trim: Callable[[], None] = heap.trim,
    ) -> None:
        self._bank = bank
        self._budget = budget_bytes
        self._on_dropped = on_dropped
        self._idle_s = idle_s
        self._now_s = now_s
        self._trim, self._trimmed_at = trim, now_s()
        self._used_at: dict[Key, float] = {}
        self._bytes: dict[Key, int] = {}
        self._total = 0
        self._lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether there is no room for more."""
        return self._budget is not None and self._total >= self._budget

    def used(self, key: Key) -> None:
        """Somebody asks for a namespace."""
        if self._budget is not None:
            self._used_at[key] = self._now_s()

    def take(self, key: Key, held: NamespaceBank) -> None:
        """A namespace was loaded, or is larger than before: others may have to leave for it."""
        if self._budget is None:
            return
        size = held.memory_bytes()
        leaving: list[Key] = []
        with self._lock:
            self._total += size - self._bytes.get(key, 0)
            self._bytes[key] = size
            if self._total > self._budget:
                leaving = self._leaving(key)
        for one in leaving:
            self._bank.let_go(one)
            self._on_dropped(one)
        if leaving and self._now_s() >= self._trimmed_at + TRIM_S:
            self._trimmed_at = self._now_s()
            self._trim()  # of what left now, if nobody reads it any more, and of what left before

    def _leaving(self, staying: Key) -> list[Key]:
        until = self._now_s() - self._idle_s
        idle = sorted((at, key) for key in self._bytes if (at := self._used_at.get(key, 0.0)) <= until)
        leaving: list[Key] = []
        for _, key in idle:
            if self._budget is None or self._total <= self._budget:
                break
            if key != staying:
                self._total -= self._bytes.pop(key)
                self._used_at.pop(key, None)
                leaving.append(key)
        return leaving
