"""Recall and latency of filtered search: 1, 10, 50 and 100 % of 100,000 memories, against exact brute force.

Run: python -m benchmarks.bank_filtered
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks._bank_data import memories
from benchmarks._results import save
from benchmarks._timing import milliseconds
from gpu.bank.bank import Bank, BankView
from gpu.bank.filters import Range, ScanFilter, TimeColumn, pair_hash
from gpu.bank.records import NEVER_US
from gpu.warm_up import warm_up

N, DIM, TOP_K, QUERIES, SEED = 100_000, 384, 10, 20, 7


def main() -> None:
    """Measure and save."""
    warm_up()
    batch = memories(N, DIM, SEED)
    namespace = Bank().open("bench", DIM)
    namespace.put(batch)
    rng = np.random.default_rng(SEED + 1)
    queries = rng.standard_normal((QUERIES, DIM)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    exact = batch.vectors.astype(np.float64) @ queries.T.astype(np.float64)
    pairs = batch.pairs.reshape(N, 4)
    terms = np.unique(batch.term_ids[:6])
    weights = np.ones(terms.shape[0], np.float32)
    figures: dict[str, Any] = {"memories": N, "dim": DIM, "top_k": TOP_K, "queries": QUERIES}

    for share in (1, 10, 50, 100):
        wanted = () if share == 100 else ((pair_hash("share", str(share)),),)
        scan = ScanFilter(any_pairs=wanted, ranges=(Range(TimeColumn.OCCURRED, 0, float(NEVER_US)),), now_us=0)
        mask = np.ones(N, np.bool_) if share == 100 else (pairs == np.uint64(wanted[0][0])).any(axis=1)

        def filtered(scan: ScanFilter = scan) -> int:
            with namespace.view(scan) as view:
                return view.eligible

        def recall(scan: ScanFilter = scan) -> None:
            with namespace.view(scan) as view:
                view.top(view.dense(queries[0]), TOP_K)

        with namespace.view(scan) as view:
            figures[f"{share}%"] = {
                "eligible": view.eligible,
                "recall": _recall(view, queries, exact, mask),
                "largest_error": _largest_error(view, queries[0], exact[:, 0], mask),
                "filter": milliseconds(filtered),
                "dense": milliseconds(lambda view=view: view.dense(queries[0])),
                "bm25": milliseconds(lambda view=view: view.bm25(terms, weights, 1.5, 0.75)),
                "filter_dense_top": milliseconds(recall),
            }
        print(share, figures[f"{share}%"])
    print(save("bank_filtered", figures, command="python -m benchmarks.bank_filtered", seed=SEED))


def _recall(view: BankView, queries: np.ndarray, exact: np.ndarray, mask: np.ndarray) -> float:
    """Share of the true best that were found; what ties with the last of them within the error counts as true."""
    found = 0
    for number, query in enumerate(queries):
        slots, _ = view.top(view.dense(query), TOP_K)
        scores = np.where(mask, exact[:, number], -np.inf)
        least = np.partition(scores, -TOP_K)[-TOP_K]
        found += int((scores[slots] >= least - 1e-6).sum())
    return found / (TOP_K * len(queries))


def _largest_error(view: BankView, query: np.ndarray, exact: np.ndarray, mask: np.ndarray) -> float:
    return float(np.abs(view.dense(query)[mask] - exact[mask]).max())


if __name__ == "__main__":
    main()
