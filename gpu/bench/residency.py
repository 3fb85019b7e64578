"""Namespaces that come and go: how long one takes to be back on a device, and what several do for a huge one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bench.namespaces import filled
from gpu.bench.results import Measured
from gpu.device.bank import DeviceBank
from gpu.device.mirror import DeviceRows
from gpu.device.pool import DevicePool
from gpu.device.query import Query

DIM = 384
K = 10
_RUNS = 20


def run(bytes_per_ms: float) -> Iterator[Measured]:
    """Every shape.

    Raises:
        AssertionError: an answer differs from the host's.
    """
    device = torch.device("cuda", 0)
    for n in (10_000, 100_000):
        yield returned(device, filled(n, DIM, seed=1), bytes_per_ms)
    large = filled(1_000_000, DIM, seed=1)
    for count in sorted({1, torch.cuda.device_count()}):
        yield spread([torch.device("cuda", number) for number in range(count)], large, bytes_per_ms)


def returned(device: torch.device, namespace: NamespaceBank, bytes_per_ms: float) -> Measured:
    """A namespace comes back from pinned memory; beside, how long it takes to leave, and to be copied anew.

    Args:
        device: where.
        namespace: which.
        bytes_per_ms: that memory of the device takes; the floor, which the way between the two never reaches.
    """
    with namespace.pinned() as seen:
        size = int(seen.current_rows.codes.entries[:, 2].sum()) * seen.current_rows.codes.layout.element_bytes + (
            1 << 20
        )
        pool = DevicePool(device, size)
        pinned = DevicePool(torch.device("cpu"), size, in_host_memory=True)
        rows = DeviceRows(pool, seen.current)

        def anew() -> None:
            nonlocal rows
            rows.release()
            rows = DeviceRows(pool, seen.current)
            rows.follow(seen.current_rows)
            rows.rows.records[-1:].cpu()  # waits for the device

        def back() -> None:
            rows.move_to(pool)
            rows.follow(seen.current_rows)
            rows.rows.records[-1:].cpu()

        copied_ms = statistics.median(_ms(anew) for _ in range(_RUNS))
        left, came = zip(*((_ms(lambda: rows.move_to(pinned)), _ms(back)) for _ in range(_RUNS)), strict=True)
        more: dict[str, float | None] = {
            "anew_ms": copied_ms,
            "leaves_ms": statistics.median(left),
            "gb_per_s": rows.memory_bytes / statistics.median(came) / 1e6,
        }
        shape = f"{seen.current_rows.n_slots:,} rows back from pinned memory"
        return Measured("residency", shape, statistics.median(came), rows.memory_bytes / bytes_per_ms, None, more)


def spread(devices: Sequence[torch.device], namespace: NamespaceBank, bytes_per_ms: float) -> Measured:
    """A search of one huge namespace whose parts lie on several devices, the whole call.

    Args:
        devices: which.
        namespace: what is searched.
        bytes_per_ms: that memory of one device takes.
    """
    with namespace.pinned() as seen:
        n, element_bytes = seen.current_rows.n_views, seen.current_rows.codes.layout.element_bytes
    room = int(n * element_bytes * 2 / len(devices)) + (1 << 24)
    bank = DeviceBank(*(DevicePool(device, room) for device in devices))
    vector = np.random.default_rng(2).standard_normal(namespace.dim).astype(np.float32)
    query = Query(namespace, ScanFilter(), vector / np.linalg.norm(vector), K)
    (best,) = bank.search([query])
    with namespace.view(query.scan) as view:
        slots, scores = view.top(view.dense(query.vector), K)
    np.testing.assert_allclose(best.scores, scores, atol=2e-5)
    assert len(set(best.slots.tolist()) & set(slots.tolist())) >= K - 1, "other memories than the host"
    ms = statistics.median(_ms(lambda: bank.search([query])) for _ in range(_RUNS))
    bank.close()
    shape = f"1 query, one of {n:,} over {len(devices)} devices"
    return Measured("residency", shape, ms, n * element_bytes / len(devices) / bytes_per_ms, None)


def _ms(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1e3
