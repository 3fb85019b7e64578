"""Parts of one operation on several cores.

Compiled loops run without the interpreter lock, so that threads are enough. All operations share one small pool. The
caller takes part and does itself what no thread has begun: where the cores are busy with other recalls an operation
takes no longer than by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise

from gpu.cores import usable_cores

_MOST_PARTS = 4


def parts_for(work: float, least: float) -> int:
    """Into how many parts work is worth being cut, if one part should be no less than `least`; at least 1."""
    return max(1, min(usable_cores(), _MOST_PARTS, int(work / least)))


def side_by_side(run: Callable[[int, int], None], bounds: list[int]) -> None:
    """Calls `run(bounds[i], bounds[i + 1])` for each i, in several threads.

    Args:
        run: must let go of the interpreter lock to gain anything; the parts must not touch each other's results.
        bounds: at least two, ascending.

    Raises:
        Exception: what `run` raised, when no part runs any more; what was not begun by then is left.
    """
    (first, *others) = pairwise(bounds)
    futures = [_pool().submit(run, *part) for part in others]
    try:
        run(*first)
        for part, future in zip(others, futures, strict=True):
            if future.cancel():
                run(*part)
    finally:
        wait([future for future in futures if not future.cancel()])
    for future in futures:
        if not future.cancelled():
            future.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, usable_cores() - 1), thread_name_prefix="side-by-side")
