"""Times of work on a device, and the bandwidth that it cannot exceed."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import torch

_cuda: Any = torch.cuda  # its types are incomplete
_WARM_UP = 5
_RUNS = 50
_COPY_BYTES = 1 << 31


def graph_ms(run: Callable[[], object]) -> float:
    """Median milliseconds of the work alone: captured once, replayed, timed by device events.

    Args:
        run: launches work and neither waits for the device nor reads from it.
    """
    side = _cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return events_ms(graph.replay)


def events_ms(run: Callable[[], object]) -> float:
    """Median milliseconds between device events around one call."""
    for _ in range(_WARM_UP):
        run()
    times: list[float] = []
    for _ in range(_RUNS):
        begun, ended = _cuda.Event(enable_timing=True), _cuda.Event(enable_timing=True)
        begun.record()
        run()
        ended.record()
        torch.cuda.synchronize()
        times.append(begun.elapsed_time(ended))
    return statistics.median(times)


def copy_bytes_per_ms() -> float:
    """Bytes that a large copy inside the device reads and writes in a millisecond."""
    source = torch.empty(_COPY_BYTES, dtype=torch.uint8, device="cuda").random_()
    target = torch.empty_like(source)
    return 2 * _COPY_BYTES / events_ms(lambda: target.copy_(source))
