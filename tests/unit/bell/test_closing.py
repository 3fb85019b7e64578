"""Who waits for a socket is told at once that it is time to end."""

from __future__ import annotations

from selectors import EVENT_READ, DefaultSelector
from socket import socketpair
from threading import Thread

from memsvc.bell.closing import Closing


def test_who_waits_for_a_socket_is_told_to_end() -> None:
    closing = Closing()
    silent, other = socketpair()
    heard: list[object] = []

    def wait() -> None:
        with DefaultSelector() as waiting:
            waiting.register(silent, EVENT_READ)
            waiting.register(closing, EVENT_READ)
            heard.extend(key.fileobj for key, _ in waiting.select(60))

    thread = Thread(target=wait)
    thread.start()
    assert not closing.is_set()
    assert not closing.wait(0.01)
    closing.set()
    thread.join(30)
    assert heard == [closing]
    assert closing.is_set()
    assert closing.wait(0)
    for one in (closing, silent, other):
        one.close()
