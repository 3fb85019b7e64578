"""Appends: how soon a search finds a single one, and how many rows a second reach resident pages in batches."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import numpy as np
import torch

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bench.namespaces import batch_of, filled
from gpu.bench.results import Measured
from gpu.device.bank import DeviceBank
from gpu.device.mirror import DeviceRows
from gpu.device.pool import DevicePool
from gpu.device.query import Query

DIM = 384
K = 10
AIM_MS = 1.0
AIM_ROWS_PER_S = 1e6
_SINGLE = 200
_BATCHES = 50
_ROOM = 1.5
"""Times the bytes of the rows, for pages that are not full."""


def run(bytes_per_ms: float) -> Iterator[Measured]:
    """Every shape.

    Raises:
        AssertionError: a search did not find what had just been appended.
    """
    device = torch.device("cuda")
    for n in (10_000, 1_000_000):
        yield single(device, n, DIM)
    for size in (100, 1_000, 10_000):
        yield batched(device, size, DIM, bytes_per_ms)


def single(device: torch.device, n: int, dim: int, appends: int = _SINGLE) -> Measured:
    """An append and the search that finds it, beside the same search without an append.

    Args:
        device: where.
        n: rows that are there before.
        dim: of the vectors.
        appends: how many are timed.
    """
    namespace = filled(n, dim, seed=1)
    bank = DeviceBank(_pool(device, n + appends, dim))
    rows = _rows(appends, dim, seed=2)
    spent: list[float] = []
    alone: list[float] = []
    for number in range(appends):
        query = Query(namespace, ScanFilter(now_us=number), rows[number].astype(np.float32), K)
        _searched(bank, query)
        begun = time.perf_counter()
        _searched(bank, query)
        alone.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        namespace.put(batch_of(rows[number : number + 1], n + number))
        slot = _searched(bank, query)
        spent.append(time.perf_counter() - begun)
        assert slot == n + number, "a search did not find what had just been appended"
    bank.close()
    more: dict[str, float | None] = {"aim_ms": AIM_MS, "p99_ms": float(np.percentile(spent, 99)) * 1e3}
    ms, floor_ms = statistics.median(spent) * 1e3, statistics.median(alone) * 1e3
    return Measured("appends", f"1 row into one of {n:,}, and a search", ms, floor_ms, None, more)


def batched(device: torch.device, size: int, dim: int, bytes_per_ms: float, batches: int = _BATCHES) -> Measured:
    """Batches that reach the pages of a namespace on the device, the time of the host's own pages beside.

    Args:
        device: where.
        size: rows of a batch.
        dim: of the vectors.
        bytes_per_ms: that memory takes.
        batches: how many are timed.
    """
    namespace = filled(size, dim, seed=1)
    pool = _pool(device, size * (batches + 1), dim)
    with namespace.pinned() as seen:
        mirror = DeviceRows(pool, seen.current)
    _followed(namespace, mirror)
    rows = _rows(size, dim, seed=3)
    spent: list[float] = []
    put: list[float] = []
    for number in range(batches):
        batch = batch_of(rows, (number + 1) * size)
        begun = time.perf_counter()
        namespace.put(batch)
        put.append(time.perf_counter() - begun)
        spent.append(_followed(namespace, mirror))
    ms = statistics.median(spent) * 1e3
    more: dict[str, float | None] = {
        "rows_per_s": size / ms * 1e3,
        "aim_rows_per_s": AIM_ROWS_PER_S,
        "host_rows_per_s": size / statistics.median(put),
        "both_rows_per_s": size * batches / (sum(put) + sum(spent)),
    }
    floor_ms = size * (dim * 2 + 4) / bytes_per_ms
    return Measured("appends", f"batches of {size:,} rows into resident pages", ms, floor_ms, None, more)


def _pool(device: torch.device, n: int, dim: int) -> DevicePool:
    return DevicePool(device, int(n * (dim * 2 + 4) * _ROOM) + (1 << 22))


def _rows(n: int, dim: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float16]]:
    rows = np.random.default_rng(seed).standard_normal((n, dim), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float16)


def _searched(bank: DeviceBank, query: Query) -> int:
    """The slot of the best memory."""
    (best,) = bank.search([query])
    return int(best.slots[0])


def _followed(namespace: NamespaceBank, mirror: DeviceRows) -> float:
    """Seconds until a mirror has what its namespace has."""
    begun = time.perf_counter()
    with namespace.pinned() as seen:
        mirror.follow(seen.current_rows)
        mirror.rows.records[-1:].cpu()  # waits for the device
    return time.perf_counter() - begun
