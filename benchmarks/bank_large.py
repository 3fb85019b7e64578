"""When an index pays: the exact scan against candidates of an index, on real embeddings and more of their like.

Run: OMP_NUM_THREADS=1 python -m benchmarks.bank_large --data FOLDER (about 6 minutes; faiss must be installed)

One query at a time on one thread, over a view whose filter is evaluated already. `index` is what `LargeNamespace`
does, the estimate of the moments included; `exact` is its fall-back (scores of all, the best, moments). The ways that
were not taken (`faiss_*`) are measured with the same exact ranking behind them, up to `MOST_OF_OTHERS` rows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import faiss
import numpy as np

from benchmarks._bank_data import memories
from benchmarks._enlarged import enlarged, nearest_cosine, real
from benchmarks._results import save
from benchmarks.quality.sets import add_options, folders
from gpu.bank.bank import Bank
from gpu.bank.batches import take
from gpu.bank.filters import ScanFilter, pair_hash
from gpu.bank.nearest import EXACT, DenseBest
from gpu.bank.proposed import best_among
from gpu.bank.segment import SegmentSnapshot
from gpu.bank.view import BankView
from gpu.faiss_library import one_thread
from gpu.large.namespace import LargeNamespace
from gpu.large.position_lists import PositionLists
from gpu.large.rules import LargeRules
from gpu.warm_up import warm_up

SIZES = (10_000, 25_000, 50_000, 100_000, 200_000, 500_000)
MOST_OF_OTHERS = 100_000
APPENDED = 4_096
TOP_K, MANY = 10, 100
SEED = 7
RULES = LargeRules(large_from=1)
COMPARED = (1_000, 2_000, 4_000, 8_000)
Find = Callable[[np.ndarray], DenseBest]


def main() -> None:
    """Measure and save."""
    options = _options()
    faiss.omp_set_num_threads(1)
    warm_up()
    found = real(folders(options))
    figures: dict[str, Any] = {
        "real_rows": found.rows.shape[0],
        "questions": found.questions.shape[0],
        "nearest_cosine_of_real_rows": round(nearest_cosine(found.rows), 3),
    }
    for size in options.size or SIZES:
        figures[str(size)] = _measured(size, enlarged(found.rows, size + APPENDED, SEED), found.questions)
    command = "OMP_NUM_THREADS=1 python -m benchmarks.bank_large"
    print(save(options.name, figures, command=command, seed=SEED))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    parser.add_argument("--size", action="append", type=int, help=f"rows; default: {SIZES}")
    parser.add_argument("--name", default="bank_large", help="of the file of results")
    return parser.parse_args()


def _measured(size: int, rows: np.ndarray, questions: np.ndarray) -> dict[str, Any]:
    batch = replace(memories(rows.shape[0], rows.shape[1], SEED), vectors=rows)
    namespace = Bank().open("bench", rows.shape[1])
    namespace.put(take(batch, np.arange(size)))
    large = LargeNamespace(namespace, RULES)
    figures: dict[str, Any] = {"nearest_cosine": round(nearest_cosine(rows[:size]), 3)}
    with namespace.view(ScanFilter()) as view:
        begun = time.perf_counter()
        view.mask()
        figures["filter_ms"] = _ms(begun)
        segment = next(iter(view.segments()))[0]
        truth = [EXACT.search(view, question, MANY) for question in questions]
        figures["exact"] = _judged(view, questions, truth, lambda q: EXACT.search(view, q, TOP_K))
        begun = time.perf_counter()
        index = PositionLists.built(faiss, segment, lambda: True)
        built_s = time.perf_counter() - begun
        if index is None:
            raise RuntimeError("the index was not built")
        large._index = index  # what a build in the background would have published
        figures["index"] = {
            **_judged(view, questions, truth, lambda q: large.search(view, q, TOP_K)),
            **_many(questions, truth, lambda q: large.search(view, q, MANY)),
            "build_s": round(built_s, 2),
            "lists": index.centroids.shape[0],
            "bytes_per_row": round(index.memory_bytes() / size, 1),
            "rows_compared": RULES.compared(size, TOP_K),
        }
        print(size, figures["exact"], figures["index"], flush=True)
        figures["by_rows_compared"] = {}
        for compared in COMPARED:
            large.rules = replace(RULES, least_compared=compared, compared_per_root=0, cost_of_jump=0)
            judged = _judged(view, questions, truth, lambda q: large.search(view, q, TOP_K))
            figures["by_rows_compared"][str(compared)] = {k: judged[k] for k in ("p50_ms", "recall_at_10")}
        large.rules = RULES
        print(size, figures["by_rows_compared"], flush=True)
        if size <= MOST_OF_OTHERS:
            for name, way in _others(view, segment, rows[:size]).items():
                figures[name] = _judged(view, questions, truth, way.pop("find")) | way
                print(size, name, figures[name], flush=True)
    with namespace.view(ScanFilter(any_pairs=((pair_hash("share", "50"),),))) as view:
        truth = [EXACT.search(view, question, MANY) for question in questions]
        figures["exact, filter of 50 %"] = _judged(view, questions, truth, lambda q: EXACT.search(view, q, TOP_K))
        figures["index, filter of 50 %"] = _judged(view, questions, truth, lambda q: large.search(view, q, TOP_K))
    namespace.put(take(batch, np.arange(size, rows.shape[0])))
    with namespace.view(ScanFilter()) as view:
        begun = time.perf_counter()
        index.extended(next(iter(view.segments()))[0])
        figures["index"]["appends_per_s"] = round(APPENDED / (time.perf_counter() - begun))
    begun = time.perf_counter()
    namespace.erase(batch.memory_ids[100:101])
    figures["index"]["erase_one_ms"] = _ms(begun)
    large.close()
    begun = time.perf_counter()
    namespace.erase(batch.memory_ids[101:102])
    figures["exact"]["erase_one_ms"] = _ms(begun)
    return figures


def _judged(view: BankView, questions: np.ndarray, truth: list[DenseBest], find: Find) -> dict[str, float]:
    """Median latency and recall of the best `TOP_K`, and how far the moments are off, in standard deviations."""
    find(questions[0])
    taken, shares, off = [], [], []
    for question, true in zip(questions, truth, strict=True):
        view._scores.clear()  # the exact scan keeps what it scored
        begun = time.perf_counter()
        found = find(question)
        taken.append(time.perf_counter() - begun)
        shares.append(np.isin(true.slots[:TOP_K], found.slots).mean())
        off.append((abs(found.mean - true.mean) / true.std, abs(found.std / true.std - 1)))
    mean_off, std_off = np.mean(off, axis=0)
    return {
        "p50_ms": round(float(np.median(taken)) * 1e3, 3),
        "p95_ms": round(float(np.percentile(taken, 95)) * 1e3, 3),
        "recall_at_10": round(float(np.mean(shares)), 4),
        "mean_off_by": round(float(mean_off), 4),
        "std_off_by": round(float(std_off), 4),
    }


def _many(questions: np.ndarray, truth: list[DenseBest], find: Find) -> dict[str, float]:
    """The same for the best `MANY`: what a channel lists."""
    taken, shares = [], []
    for question, true in zip(questions, truth, strict=True):
        begun = time.perf_counter()
        found = find(question)
        taken.append(time.perf_counter() - begun)
        shares.append(np.isin(true.slots, found.slots).mean())
    return {"recall_at_100": round(float(np.mean(shares)), 4), "p50_ms_of_100": round(float(np.median(taken)) * 1e3, 3)}


def _others(view: BankView, segment: SegmentSnapshot, rows: np.ndarray) -> dict[str, dict[str, Any]]:
    """Indexes that keep rows of their own, each with what it took to build."""
    floats, (n, dim) = rows.astype(np.float32), rows.shape
    lists = int(4 * n**0.5)
    kinds = faiss.ScalarQuantizer
    quantized = {
        "faiss_ivf_fp16": (kinds.QT_fp16, n * (dim * 2 + 8) + lists * dim * 4),
        "faiss_ivf_sq8": (kinds.QT_8bit, n * (dim + 8) + lists * dim * 4),
    }
    ways: dict[str, dict[str, Any]] = {}
    for name, (kind, held) in quantized.items():
        begun = time.perf_counter()
        index = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(dim), dim, lists, kind, faiss.METRIC_INNER_PRODUCT, False
        )
        index.cp.niter, index.cp.spherical, index.cp.max_points_per_centroid = 6, True, 33
        index.cp.min_points_per_centroid = 1
        with one_thread(faiss):
            index.train(floats[:: max(1, n // (32 * lists))])
            index.add(floats)
        index.nprobe = max(1, round(RULES.compared(n, TOP_K) * lists / n))
        ways[name] = _way(view, index, time.perf_counter() - begun, held / n)
    begun = time.perf_counter()
    graph = faiss.IndexHNSWSQ(dim, kinds.QT_fp16, 32, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = 100
    with one_thread(faiss):
        graph.train(floats)
        graph.add(floats)
    built_s = time.perf_counter() - begun
    for reach in (64, 256):
        way = _way(view, graph, built_s, dim * 2 + 66 * 4)
        ways[f"faiss_hnsw_fp16, efSearch {reach}"] = {**way, "find": _reaching(graph, reach, way["find"])}
    return ways


def _reaching(graph: Any, reach: int, find: Find) -> Find:
    def found(question: np.ndarray) -> DenseBest:
        graph.hnsw.efSearch = reach
        return find(question)

    return found


def _way(view: BankView, index: Any, built_s: float, bytes_per_row: float) -> dict[str, Any]:
    def find(question: np.ndarray) -> DenseBest:
        # A memory has one row here: its position is its slot.
        return best_among(
            view, question, TOP_K, np.unique(index.search(question[None], 4 * TOP_K)[1][0]), RULES.sampled
        )

    return {"find": find, "build_s": round(built_s, 2), "bytes_per_row": round(bytes_per_row, 1)}


def _ms(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1e3, 3)


if __name__ == "__main__":
    main()
