"""Times of work on a device, and the bandwidth that it cannot exceed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

_cuda: Any = torch.cuda  # its types are incomplete
_WARM_UP = 5
_RUNS = 50
_FEWEST_RUNS = 3
_MOST_MS = 3_000.0
"""What takes long is run less often, so that all runs take about so much."""
_COPY_BYTES = 1 << 31
_MATRIX = 8192


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

    def once() -> float:
        begun, ended = _cuda.Event(enable_timing=True), _cuda.Event(enable_timing=True)
        begun.record()
        run()
        ended.record()
        torch.cuda.synchronize()
        return float(begun.elapsed_time(ended))

    return _median(once)


def wall_ms(run: Callable[[], object]) -> float:
    """Median milliseconds of one call by the host's clock, until the device has nothing left to do."""

    def once() -> float:
        torch.cuda.synchronize()
        begun = time.perf_counter()
        run()
        torch.cuda.synchronize()
        return (time.perf_counter() - begun) * 1e3

    return _median(once)


def _median(once: Callable[[], float]) -> float:
    once()  # compiles
    expected = max(once(), 1e-3)
    runs = int(min(_RUNS, max(_FEWEST_RUNS, _MOST_MS / expected)))
    for _ in range(min(_WARM_UP, runs)):
        once()
    return statistics.median(once() for _ in range(runs))


def copy_bytes_per_ms() -> float:
    """Bytes that a large copy inside the device reads and writes in a millisecond."""
    source = torch.empty(_COPY_BYTES, dtype=torch.uint8, device="cuda").random_()
    target = torch.empty_like(source)
    return 2 * _COPY_BYTES / events_ms(lambda: target.copy_(source))


def half_products_per_ms() -> float:
    """Multiplications of half-precision numbers that a large matrix product does in a millisecond."""
    square = torch.randn(_MATRIX, _MATRIX, device="cuda").half()
    return _MATRIX**3 / events_ms(lambda: square @ square)


def wait_for(device: torch.device) -> None:
    """Waits until a device has nothing left to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
