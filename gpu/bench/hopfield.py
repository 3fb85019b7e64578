"""Hopfield completion: one step for many cues over their namespaces, and for one over a large one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from gpu.bench.namespaces import Made, make, queries
from gpu.bench.results import Measured
from gpu.bench.timing import events_ms, graph_ms
from gpu.device.pool import DevicePool
from gpu.ops.hopfield.device import complete_on_device, launch
from gpu.ops.hopfield.reference import step_rows
from gpu.ops.paged_search.op import plan

DIM = 384
BETA = 60.0
_TOLERANCE = 1e-4
_CHECKED = 3
"""Cues of a shape that are compared with the reference before anything is timed."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the namespaces, each asked by one cue."""

    name: str
    sizes: Sequence[int]


SHAPES = (
    Shape("1 step, 256 cues, each its own of 256 x 10,000", [10_000] * 256),
    Shape("1 step, 1 cue, one of 1,000,000", [1_000_000]),
)


def run(bytes_per_ms: float) -> Iterator[Measured]:
    """Every shape: checked, then timed.

    Raises:
        AssertionError: an answer differs from the reference's; nothing of that shape is reported.
    """
    for shape in SHAPES:
        yield measured(shape, torch.device("cuda"), bytes_per_ms)
        torch.cuda.empty_cache()


def measured(shape: Shape, device: torch.device, bytes_per_ms: float) -> Measured:
    """One shape: checked, then timed."""
    pool = DevicePool(device, int(sum(shape.sizes) * (DIM * 2 + 8) * 1.4) + (64 << 20))
    made = make(pool, shape.sizes, DIM)
    cues = queries(len(shape.sizes), DIM, device)
    betas = torch.full((len(shape.sizes),), BETA, device=device)
    batch = plan([mirror.rows for mirror in made.mirrors])
    _check(cues, betas, made)
    read = sum(shape.sizes) * (DIM * 2 + 4)
    return Measured(
        "hopfield", shape.name, graph_ms(partial(launch, cues, batch, betas, _TOLERANCE, 1)), read / bytes_per_ms, None,
        {
            "to_the_end_ms": events_ms(partial(complete_on_device, cues, batch, betas, tolerance=_TOLERANCE)),
            "torch_ms": _torch(cues, made),
        },
    )  # fmt: skip


def _check(cues: torch.Tensor, betas: torch.Tensor, made: Made) -> None:
    found = complete_on_device(cues, plan([mirror.rows for mirror in made.mirrors]), betas, most=1)
    for i in np.linspace(0, len(cues) - 1, min(_CHECKED, len(cues))).astype(int).tolist():
        rows, cue = (of.double().cpu().numpy() for of in (made.vectors[i], cues[i]))
        np.testing.assert_allclose(found.states[i].cpu().numpy(), step_rows(rows, cue, BETA), atol=2e-5)


def _torch(cues: torch.Tensor, made: Made) -> float:
    """What torch takes for a step, in half precision, over rows that lie as it likes them."""
    rows, half = torch.stack(made.vectors), cues.half()[:, :, None]

    def step() -> torch.Tensor:
        weights = torch.softmax(BETA * torch.bmm(rows, half)[:, :, 0].float(), dim=1).half()
        return torch.bmm(weights[:, None, :], rows)

    return graph_ms(step)
