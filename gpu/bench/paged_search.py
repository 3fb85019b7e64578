"""Paged search: batches over many namespaces, over ragged ones, and over one large one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from gpu.bench.namespaces import Made, make, queries
from gpu.bench.peers import faiss_flat_ms
from gpu.bench.results import Measured
from gpu.bench.timing import events_ms, graph_ms
from gpu.device.pool import DevicePool
from gpu.ops.paged_search.op import launch, paged_search, plan
from gpu.ops.paged_search.reference import paged_search_rows

DIM = 384
K = 10
_CHECKED = 4
"""Queries of a shape that are compared with the reference before anything is timed."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A batch: sizes of the namespaces, which one each query asks, and the factor of the floor that is aimed at."""

    name: str
    sizes: Sequence[int]
    asked: Sequence[int]
    aim: float | None = None


def shapes() -> Iterator[Shape]:
    """The work of the benchmark."""
    rng = np.random.default_rng(1)
    ragged = np.exp(rng.uniform(np.log(10), np.log(100_000), 256)).astype(int).tolist()
    yield Shape("256 queries, each its own of 256 x 10,000", [10_000] * 256, range(256), 1.15)
    yield Shape("64 queries, each its own of 64 x 10,000", [10_000] * 64, range(64), 1.3)
    yield Shape("256 queries, ragged: 10 to 100,000", ragged, range(256), 1.3)
    yield Shape("1 query, one of 1,000,000", [1_000_000], [0], 1.25)
    yield Shape("64 queries, one of 1,000,000", [1_000_000], [0] * 64)


def run(bytes_per_ms: float) -> Iterator[Measured]:
    """Every shape: checked, then timed.

    Raises:
        AssertionError: an answer differs from the reference's; nothing of that shape is reported.
    """
    for shape in shapes():
        yield measured(shape, torch.device("cuda"), bytes_per_ms)
        torch.cuda.empty_cache()


def measured(shape: Shape, device: torch.device, bytes_per_ms: float) -> Measured:
    """One shape: checked, then timed."""
    pool = DevicePool(device, int(sum(shape.sizes) * (DIM * 2 + 8) * 1.4) + (64 << 20))
    made = make(pool, shape.sizes, DIM)
    asked = queries(len(shape.asked), DIM, device)
    batch = plan([made.mirrors[i].rows for i in shape.asked])
    check(asked, made, shape.asked)
    read = sum(shape.sizes[i] for i in set(shape.asked)) * (DIM * 2 + 4)
    return Measured(
        "paged_search", shape.name, graph_ms(partial(launch, asked, batch, K)), read / bytes_per_ms, shape.aim,
        {
            "whole_call_ms": events_ms(partial(paged_search, asked, batch, K)),
            "plan_ms": events_ms(partial(plan, [made.mirrors[i].rows for i in shape.asked])),
            "torch_ms": _torch(asked, made, shape.asked),
            "faiss_gpu_ms": faiss_flat_ms(made.vectors, asked, shape.asked, K),
            "mirrored_rows_per_s": made.rows_per_s,
            "device_bytes_per_row": sum(one.memory_bytes for one in made.mirrors) / sum(shape.sizes),
        },
    )  # fmt: skip


def check(asked: torch.Tensor, made: Made, of: Sequence[int]) -> None:
    """Compares some answers of a batch with the reference."""
    found = paged_search(asked, plan([made.mirrors[i].rows for i in of]), K)
    some = np.linspace(0, len(of) - 1, min(_CHECKED, len(of))).astype(int).tolist()
    rows = [made.vectors[of[i]] for i in some]
    slots = [torch.arange(len(one), dtype=torch.int32, device=asked.device) for one in rows]
    wanted, scores = paged_search_rows(asked[some], rows, slots, K)
    torch.testing.assert_close(found.scores[some], scores, atol=2e-5, rtol=1e-4)
    differ = found.slots[some] != wanted
    gaps = (scores[:, :, None] - scores[:, None, :]).abs() + torch.eye(K, device=asked.device)
    assert not (differ & (gaps.amin(dim=2) > 2e-5)).any(), "other memories than the reference"


def _torch(asked: torch.Tensor, made: Made, of: Sequence[int]) -> float | None:
    """What torch takes for the same, in half precision, over rows that lie as it likes them; None if it cannot."""
    half = asked.half()
    if len(made.vectors) == 1:
        rows = made.vectors[0]
        return graph_ms(lambda: torch.topk(half @ rows.T, K))
    if len({len(one) for one in made.vectors}) > 1:
        return None
    gathered = torch.stack([made.vectors[i] for i in of])
    return graph_ms(lambda: torch.topk(torch.bmm(gathered, half[:, :, None])[:, :, 0], K))
