"""Spreading activation over a graph of memories and the names that they mention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from gpu.bench.results import Measured
from gpu.bench.timing import events_ms, graph_ms
from gpu.ops.spread.device import device_graph, launch
from gpu.ops.spread.op import Graph, graph, spread

_DAMPING, _TOLERANCE, _STEPS = 0.5, 0.0, 15
"""No step is saved: what is timed is the steps that the stated bound asks for."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Questions over memories that mention some of the names each, frequent ones more often."""

    n_questions: int
    memories: int
    names: int
    mentions: int = 3

    @property
    def name(self) -> str:
        """In words."""
        return (
            f"{self.n_questions} questions, {_STEPS} steps, {self.memories:,} memories, {self.mentions} mentions each"
        )


SHAPES = (Shape(1, 100_000, 20_000), Shape(64, 100_000, 20_000), Shape(1, 1_000_000, 100_000))


def run(bytes_per_ms: float) -> Iterator[Measured]:
    """Every shape: checked, then timed.

    Raises:
        AssertionError: an answer differs from the host's; nothing of that shape is reported.
    """
    for shape in SHAPES:
        yield measured(shape, torch.device("cuda"), bytes_per_ms)
        torch.cuda.empty_cache()


def measured(shape: Shape, device: torch.device, bytes_per_ms: float) -> Measured:
    """One shape: checked, then timed."""
    over = mentions(shape)
    n, n_edges = len(over), over.targets.shape[0]
    there = device_graph(*(torch.from_numpy(of).to(device) for of in (over.offsets, over.targets, over.shares)))
    seeds = np.zeros((shape.n_questions, n))
    rng = np.random.default_rng(2)
    for row in seeds:
        row[rng.integers(0, n, 10)] = 0.1
    seeds /= seeds.sum(axis=1, keepdims=True)
    scaled = torch.from_numpy(seeds).float().to(device)
    found, _ = launch(there, scaled, _DAMPING, _TOLERANCE, _STEPS)
    wanted, _ = spread(over, seeds[0], _DAMPING, tolerance=_TOLERANCE, most=_STEPS)
    np.testing.assert_allclose(found[0].cpu().numpy(), wanted, atol=3e-6)
    # Each edge's source and share once for a question, the activation of both ends of a step, and the seeds.
    read = _STEPS * shape.n_questions * (n_edges * 8 + n * 12)
    return Measured(
        "spread", shape.name, graph_ms(partial(launch, there, scaled, _DAMPING, _TOLERANCE, _STEPS)),
        read / bytes_per_ms, None,
        {
            "whole_call_ms": events_ms(partial(launch, there, scaled, _DAMPING, _TOLERANCE, _STEPS)),
            "torch_ms": _torch(over, scaled),
        },
    )  # fmt: skip


def mentions(shape: Shape) -> Graph:
    """Edges both ways between memories and names, which are mentioned by Zipf's law."""
    rng = np.random.default_rng(1)
    memories = np.repeat(np.arange(shape.memories), shape.mentions)
    names = shape.memories + (rng.zipf(1.3, memories.shape[0]) - 1) % shape.names
    ends = np.concatenate([memories, names]), np.concatenate([names, memories])
    return graph(shape.memories + shape.names, *ends, np.ones(2 * memories.shape[0]))


def _torch(over: Graph, scaled: torch.Tensor) -> float:
    """What torch takes for the same steps with a sparse matrix, launches included; nothing of dead ends comes back."""
    n = len(over)
    sources = torch.repeat_interleave(torch.arange(n), torch.from_numpy(np.diff(over.offsets)))
    places = torch.stack([torch.from_numpy(over.targets), sources])
    matrix = torch.sparse_coo_tensor(places, torch.from_numpy(over.shares).float(), (n, n)).coalesce().to_sparse_csr()
    matrix, back = matrix.to(scaled.device), scaled.T.contiguous()

    def steps() -> torch.Tensor:
        activation = back
        for _ in range(_STEPS):
            activation = _DAMPING * back + (1 - _DAMPING) * (matrix @ activation)
        return activation

    return events_ms(steps)
