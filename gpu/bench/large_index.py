"""Ten million rows in one namespace: every row compared, and an index of faiss that proposes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from gpu.bench.namespaces import Made, make
from gpu.bench.results import Measured
from gpu.bench.timing import graph_ms, wait_for, wall_ms
from gpu.device.pool import DevicePool
from gpu.faiss_library import faiss, graphics_cards
from gpu.large.faiss_ivf import FaissIvf
from gpu.large.rules import LargeRules
from gpu.ops.paged_search.op import launch, paged_search, plan

ROWS, DIM, K = 10_000_000, 384, 10
QUERIES = 64
_PER_TOPIC = 500
"""Rows around one direction, on average."""
_CHUNK = 1 << 20
_RULES = LargeRules()


def topics(n: int, dim: int, device: torch.device) -> torch.Tensor:
    """Unit rows around random directions, which themselves lie around fewer: cosine 0.7 with their own on average.

    Made up, and kinder to an index than texts are: recall on real embeddings is measured by `benchmarks.bank_large`.
    """
    wide = max(1, int((n / _PER_TOPIC) ** 0.5))
    count = max(1, n // _PER_TOPIC)
    middles = _around(_unit(wide, dim, device), torch.randint(0, wide, (count,), device=device))
    out = torch.empty((n, dim), dtype=torch.float16, device=device)
    for at in range(0, n, _CHUNK):
        of = torch.randint(0, count, (min(_CHUNK, n - at),), device=device)
        out[at : at + _CHUNK] = _around(middles, of).half()
    return out


def _unit(n: int, dim: int, device: torch.device) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(n, dim, device=device), dim=1)


def _around(middles: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(middles[of] + _unit(of.numel(), middles.shape[1], middles.device), dim=1)


def run(bytes_per_ms: float) -> Iterator[Measured]:
    """The exact search, then candidates of the index where faiss has a device."""
    yield from measured(ROWS, torch.device("cuda"), bytes_per_ms)


def measured(n: int, device: torch.device, bytes_per_ms: float) -> Iterator[Measured]:
    """The same for so many rows."""
    pool = DevicePool(device, int(n * (DIM * 2 + 8) * 1.1) + (64 << 20))
    made = make(pool, [n], DIM, rows=topics)
    near = made.vectors[0][torch.randint(0, n, (QUERIES,), device=device)].float()
    asked = _around(near, torch.arange(QUERIES, device=device))
    rows = made.mirrors[0].rows
    one = plan([rows])
    exact_ms = graph_ms(partial(launch, asked[:1].contiguous(), one, K))
    yield Measured("large_index", f"exact, 1 query, one of {n:,}", exact_ms, n * (DIM * 2 + 4) / bytes_per_ms, None)
    wanted = paged_search(asked, plan([rows] * QUERIES), K).slots.cpu().numpy()
    made.vectors.clear()
    library = faiss()
    if library is None or (device.type == "cuda" and not graphics_cards(library)):
        print("no index: faiss is not installed or has no device", flush=True)
        return
    yield _with_index(library, made, asked.cpu().numpy(), wanted, exact_ms, bytes_per_ms)


def _with_index(
    library: object, made: Made, asked: np.ndarray, wanted: np.ndarray, exact_ms: float, bytes_per_ms: float
) -> Measured:
    """Candidates as the service asks for them, one query after the other; ms is for one."""
    with made.banks[0].pinned() as seen:
        segment = seen.current_rows
        n, everything = segment.n_views, np.ones(segment.n_slots, np.uint8)
        begun = time.perf_counter()
        index = FaissIvf.built(library, segment, lambda: True)
        wait_for(made.mirrors[0].rows.pool.device)
        build_s = time.perf_counter() - begun
        assert index is not None
        budget = _RULES.compared(n, K)
        found = [index.candidates(query, segment, everything, budget, K) for query in asked]
        ms = wall_ms(lambda: [index.candidates(query, segment, everything, budget, K) for query in asked]) / len(asked)
        recall = float(np.mean([np.isin(own, one).mean() for own, one in zip(wanted, found, strict=True)]))
        return Measured(
            "large_index", f"index, 1 query, one of {n:,}", ms, budget * (DIM * 2 + 4) / bytes_per_ms, None,
            {
                "recall_at_10": recall, "exact_ms": exact_ms, "build_s": build_s, "rows_compared": float(budget),
                "index_bytes_per_row": index.memory_bytes() / n,
            },
        )  # fmt: skip
