"""Says that it is time to end, to threads that wait for a socket, too."""

from __future__ import annotations

from socket import socketpair
from threading import Event


class Closing:
    """An event that a selector can wait for: its `fileno()` can be read once it is set."""

    def __init__(self) -> None:
        self._event = Event()
        self._heard, self._told = socketpair()

    def set(self) -> None:
        """It is time to end."""
        self._event.set()
        self._told.close()

    def is_set(self) -> bool:
        """Whether it is time to end."""
        return self._event.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait at most so long; whether it is time to end."""
        return self._event.wait(timeout_s)

    def fileno(self) -> int:
        """What a selector waits for."""
        return self._heard.fileno()

    def close(self) -> None:
        """Let go of the sockets; to be called when nobody waits any more."""
        self._told.close()
        self._heard.close()
