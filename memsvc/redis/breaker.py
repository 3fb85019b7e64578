"""Leaves a service alone after it failed, and looks in the background when it is back.

A request never finds out by waiting: the first failure opens the breaker for everybody, and a thread of its own asks
again after 1 s, 2 s, 4 s and so on until the answer is good.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

FIRST_S = 1.0
LONGEST_S = 30.0


class Breaker:
    """Closed: ask. Open: do not. Thread-safe.

    Args:
        is_well: asks the service; whatever it raises means no.
        on_change: told whether it is open, when that changes.
    """

    def __init__(
        self,
        is_well: Callable[[], bool],
        on_change: Callable[[bool], None] = lambda is_open: None,
        *,
        first_s: float = FIRST_S,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._is_well = is_well
        self._on_change = on_change
        self._first_s = first_s
        self._longest_s = longest_s
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_open(self) -> bool:
        """Whether to leave the service alone."""
        return self._thread is not None

    def failed(self) -> None:
        """The service failed somebody: leave it alone from now on."""
        with self._lock:
            if self._thread is not None or self._closing.is_set():
                return
            self._thread = threading.Thread(target=self._until_well, name="memsvc-breaker", daemon=True)
            thread = self._thread
        self._on_change(True)
        thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()
        with self._lock:
            thread = self._thread
        if thread is not None and thread.is_alive():
            thread.join()

    def _until_well(self) -> None:
        wait_s = self._first_s
        while not self._closing.wait(wait_s):
            if self._answers():
                self._on_change(False)
                with self._lock:
                    self._thread = None
                return
            wait_s = min(2 * wait_s, self._longest_s)

    def _answers(self) -> bool:
        try:
            return self._is_well()
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not back
            return False
