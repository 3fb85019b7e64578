"""Memory that was freed and that the allocator keeps: it goes back to the system."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


def trim() -> None:
    """Give back what no thread uses. Milliseconds, on glibc; elsewhere the allocator is left alone.

    glibc keeps what was freed for the thread whose arena it came from. Namespaces are loaded by any thread and freed by
    any other, so that without this a process grows by all that ever was in its bank.
    """
    if (found := _malloc_trim()) is not None:
        found(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return found
