"""Ways to score 100,000 half-precision rows against one query on one thread; why the bank has a loop of its own.

Run: OMP_NUM_THREADS=1 python -m benchmarks.bank_dense (faiss-cpu, simsimd and numkong are measured if installed)
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._bank_data import memories
from benchmarks._results import save
from benchmarks._timing import milliseconds
from gpu.bank.bank import Bank
from gpu.bank.filters import ScanFilter
from gpu.warm_up import warm_up

N, DIM, SEED = 100_000, 384, 7


def main() -> None:
    """Measure and save."""
    warm_up()
    batch = memories(N, DIM, SEED)
    halves, query = batch.vectors, batch.vectors[5].astype(np.float32)
    exact = halves.astype(np.float64) @ query.astype(np.float64)
    namespace = Bank().open("ns", DIM)
    namespace.put(batch)
    figures: dict[str, Any] = {"rows": N, "dim": DIM, "bytes": halves.nbytes}
    with namespace.view(ScanFilter()) as view:
        ways: dict[str, Callable[[], Any]] = {"bank": lambda: view.dense(query), **_others(halves, query)}
        for name, way in ways.items():
            scores = np.asarray(way(), np.float64).ravel()
            error = float(np.abs(scores - exact).max()) if scores.shape == exact.shape else None
            figures[name] = {**milliseconds(way), "largest_error": error}
            print(name, figures[name])
    print(save("bank_dense", figures, command="OMP_NUM_THREADS=1 python -m benchmarks.bank_dense", seed=SEED))


def _others(halves: np.ndarray, query: np.ndarray) -> dict[str, Callable[[], Any]]:
    floats, half = halves.astype(np.float32), query.astype(np.float16)[None]
    bits = halves.view(np.uint16)
    ways: dict[str, Callable[[], Any]] = {"numpy float32": lambda: floats @ query, "only reading": lambda: bits.max()}
    if importlib.util.find_spec("faiss"):
        import faiss

        faiss.omp_set_num_threads(1)
        index = faiss.IndexScalarQuantizer(DIM, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        index.train(floats[:10])
        index.add(floats)
        ways["faiss QT_fp16, best 10"] = lambda: index.search(query[None], 10)[0]
    if importlib.util.find_spec("simsimd"):
        import simsimd

        ways["simsimd"] = lambda: simsimd.cdist(half, halves, metric="dot", threads=1)
    if importlib.util.find_spec("numkong"):
        import numkong

        ways["numkong"] = lambda: numkong.cdist(half, halves, metric="dot", threads=1)
    return ways


if __name__ == "__main__":
    main()
