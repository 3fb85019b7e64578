"""Keeps a lease while something takes long that writes nothing, such as planning: others would take the run up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger("memsvc.jobs")


@contextmanager
def kept(keep: Callable[[], bool], every_s: float) -> Iterator[None]:
    """Extends a lease now and then until the block ends.

    Args:
        keep: extends it; False if somebody else has it by now, which ends the trying.
        every_s: seconds between two extensions.
    """
    over = threading.Event()

    def work() -> None:
        while not over.wait(every_s):
            try:
                if not keep():
                    return
            except Exception as error:  # noqa: BLE001 - the outer edge of the thread: the next one may succeed
                log.warning("lease_not_kept", error=type(error).__name__)

    thread = threading.Thread(target=work, name="memsvc-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
