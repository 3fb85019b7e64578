"""Near pairs: all memories of a namespace with each other, few of them near, or all of them equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch

from gpu.bench.namespaces import Rows, make, random_rows
from gpu.bench.results import Measured
from gpu.bench.timing import events_ms, half_products_per_ms
from gpu.device.pool import DevicePool
from gpu.ops.near_pairs.device import near_pairs_on_device
from gpu.ops.near_pairs.reference import near_pairs_rows

DIM = 384
THRESHOLD, MOST = 0.9, 8
_CHECKED = 2_000
"""Rows of a namespace that is compared with the reference before anything is timed."""
_BLOCK = 8_192


def copied(n: int, dim: int, device: torch.device) -> torch.Tensor:
    """Random rows, every tenth of which is a near copy of the one before."""
    rows = random_rows(n, dim, device).float()
    later = torch.arange(1, n, 10, device=device)
    near = rows[later - 1] + 0.3 * dim**-0.5 * torch.randn(later.numel(), dim, device=device)
    rows[later] = torch.nn.functional.normalize(near, dim=1)
    return rows.half()


def equal(n: int, dim: int, device: torch.device) -> torch.Tensor:
    """The same row again and again."""
    return torch.full((n, dim), dim**-0.5, device=device).half()


@dataclass(frozen=True, slots=True)
class Shape:
    """So many memories, and what they are like."""

    name: str
    n: int
    rows: Rows


SHAPES = (
    Shape("10,000 memories, a tenth near copies", 10_000, copied),
    Shape("100,000 memories, a tenth near copies", 100_000, copied),
    Shape("300,000 memories, a tenth near copies", 300_000, copied),
    Shape("30,000 equal memories", 30_000, equal),
)


def run(_bytes_per_ms: float) -> Iterator[Measured]:
    """Every shape: checked on a smaller namespace, then timed.

    The floor is the time of the bare products, at the speed of a large matrix product in half precision.

    Raises:
        AssertionError: an answer differs from the reference's; nothing of that shape is reported.
    """
    device = torch.device("cuda")
    products_per_ms = half_products_per_ms()
    for shape in SHAPES:
        yield measured(shape, device, products_per_ms)
        torch.cuda.empty_cache()


def measured(shape: Shape, device: torch.device, products_per_ms: float) -> Measured:
    """One shape: checked, then timed."""
    _check(shape, device)
    pool = DevicePool(device, int(shape.n * (DIM * 2 + 8) * 1.4) + (16 << 20))
    made = make(pool, [shape.n], DIM, rows=shape.rows)
    find = partial(near_pairs_on_device, made.mirrors[0].rows, THRESHOLD, MOST)
    return Measured(
        "near_pairs", shape.name, events_ms(find), shape.n**2 / 2 * DIM / products_per_ms, None,
        {"pairs": float(find().first.numel()), "torch_ms": events_ms(partial(_torch, made.vectors[0]))},
    )  # fmt: skip


def _check(shape: Shape, device: torch.device) -> None:
    n = min(shape.n, _CHECKED)
    made = make(DevicePool(device, 16 << 20), [n], DIM, rows=shape.rows)
    found = near_pairs_on_device(made.mirrors[0].rows, THRESHOLD, MOST)
    slots = torch.arange(n, dtype=torch.int32, device=device)
    first, second, scores = near_pairs_rows(made.vectors[0], slots, THRESHOLD, MOST)
    assert torch.equal(found.first, first), "other pairs than the reference"
    assert torch.equal(found.second, second), "other pairs than the reference"
    torch.testing.assert_close(found.scores.double(), scores, atol=2e-5, rtol=0)


def _torch(rows: torch.Tensor) -> list[torch.Tensor]:
    """How many near ones each row has, in blocks, each pair once: what a caller of torch would begin with."""
    counts = []
    for at in range(0, len(rows), _BLOCK):
        counts.append((rows[at : at + _BLOCK] @ rows[at:].T >= THRESHOLD).sum())
    return counts
