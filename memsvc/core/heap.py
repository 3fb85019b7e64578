"""Memory that was freed and that the allocator keeps: it goes back to the system."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


def trim() -> None:
    """Give back what no thread uses, on glibc; elsewhere the allocator is left alone. The GIL is free meanwhile.

    glibc keeps what was freed for the threads of the arena that it came from. Namespaces are loaded by any thread, so
    that without this what left is kept once for each of several arenas.
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
