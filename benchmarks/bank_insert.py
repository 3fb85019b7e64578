"""What writing to the bank costs: one memory at a time, many at once, and the bytes of a thousand small namespaces.

Run: python -m benchmarks.bank_insert
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks._bank_data import memories
from benchmarks._results import save
from gpu.bank.bank import Bank
from gpu.bank.batches import take
from gpu.bank.records import RecordBatch
from gpu.warm_up import warm_up

DIM, SEED = 384, 7


def main() -> None:
    """Measure and save."""
    warm_up()
    figures: dict[str, Any] = {"dim": DIM, **_single(), **_bulk(), **_small_namespaces()}
    for name, value in figures.items():
        print(name, value)
    print(save("bank_insert", figures, command="python -m benchmarks.bank_insert", seed=SEED))


def _microseconds(work: Callable[[RecordBatch], None], items: list[RecordBatch]) -> dict[str, float]:
    taken = []
    for item in items:
        start = time.perf_counter()
        work(item)
        taken.append((time.perf_counter() - start) * 1e6)
    p50, p95, p99 = np.percentile(taken, [50, 95, 99])
    return {"p50_us": round(float(p50), 1), "p95_us": round(float(p95), 1), "p99_us": round(float(p99), 1)}


def _single() -> dict[str, Any]:
    """One memory at a time, into an empty namespace and into one of 100,000."""
    figures: dict[str, Any] = {}
    large = memories(100_000, DIM, SEED)
    for name, first in (("empty", None), ("large", large)):
        namespace = Bank().open("ns", DIM)
        if first is not None:
            namespace.put(first)
        batch = memories(3000, DIM, SEED + 1, first=200_000)
        ones = [take(batch, np.array([i])) for i in range(len(batch))]
        figures[f"insert_into_{name}"] = _microseconds(namespace.put, ones)
        newer = [replace(one, versions=one.versions + 1, recorded_from_us=one.recorded_from_us + 1) for one in ones]
        figures[f"replace_in_{name}"] = _microseconds(namespace.put, newer[:1000])
        figures[f"erase_from_{name}"] = _microseconds(lambda one, ns=namespace: ns.erase(one.memory_ids), ones[-500:])
    return figures


def _bulk() -> dict[str, Any]:
    batch = memories(100_000, DIM, SEED)
    taken = []
    for _ in range(3):
        namespace = Bank().open("ns", DIM)
        start = time.perf_counter()
        namespace.put(batch)
        taken.append(time.perf_counter() - start)
    start = time.perf_counter()
    namespace.erase(batch.memory_ids[:20_000])
    erased_s = time.perf_counter() - start
    start = time.perf_counter()
    namespace.compact()
    return {
        "bulk_100000_s": round(min(taken), 3),
        "bulk_rows_per_s": round(100_000 / min(taken)),
        "erase_20000_s": round(erased_s, 3),
        "compact_80000_s": round(time.perf_counter() - start, 3),
    }


def _small_namespaces(count: int = 1000, size: int = 100) -> dict[str, Any]:
    """Bytes for each of many namespaces, filled in portions of ten, by our own account and by tracemalloc's."""
    batch = memories(size * 20, DIM, SEED)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    bank = Bank()
    for key in range(count):
        namespace = bank.open(key, DIM)
        start = key * size % (size * 20)
        for at in range(start, start + size, 10):
            namespace.put(take(batch, np.arange(at, at + 10)))
    traced = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    held = sum(bank.namespace(key).held_bytes() for key in range(count))
    return {
        "namespaces": count,
        "memories_in_each": size,
        "held_bytes_each": held // count,
        "allocated_bytes_each": bank.memory_bytes() // count,
        "allocated_over_held": round(bank.memory_bytes() / held, 3),
        "traced_over_held": round(traced / held, 3),
    }


if __name__ == "__main__":
    main()
