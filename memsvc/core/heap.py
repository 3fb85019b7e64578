"""Memory that was freed and that the allocator keeps: little of it is, and it goes back to the system."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from functools import cache

TRIM_EVERY_S = 60.0
"""So long lies between two times that a server gives freed memory back. Chosen: it takes milliseconds of a thread."""
_ARENAS = 2
_M_ARENA_MAX = -8
"""Name of the number of arenas in glibc's `malloc.h`."""


def share_arenas() -> None:
    """Have the threads of this process share two arenas, on glibc; to be called before there are other threads.

    glibc gives each thread an arena of its own, up to eight for each core, and what one frees serves no other: the
    memory of a process with many threads goes on growing though it holds nothing more. Threads take turns here anyway
    (the GIL), so that few meet at an arena's lock.
    """
    if (found := _function("mallopt")) is not None:
        found(_M_ARENA_MAX, _ARENAS)


def trim() -> None:
    """Give back what no thread uses, on glibc; elsewhere the allocator is left alone. The GIL is free meanwhile.

    glibc keeps what was freed for the threads of the arena that it came from. Namespaces are loaded by any thread, so
    that without this what left is kept once for each of several arenas.
    """
    if (found := _function("malloc_trim")) is not None:
        found(0)


def trim_regularly(every_s: float = TRIM_EVERY_S) -> None:
    """Give back what no thread uses from now on, as long as this process lives.

    Without it each peak of what is in use at once stays for good: between what was freed lies something that is still
    used, and glibc gives back only what lies at an arena's end.

    Args:
        every_s: seconds between two times.
    """

    def work() -> None:
        while True:
            time.sleep(every_s)
            trim()

    threading.Thread(target=work, name="memsvc-heap", daemon=True).start()


@cache
def _function(name: str) -> Callable[..., int] | None:
    """A function of the C library, where it has one of that name."""
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None
    return found
