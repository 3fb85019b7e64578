"""Max-sim: many questions, each over the memories that other channels found for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from gpu.bench.namespaces import queries
from gpu.bench.results import Measured
from gpu.bench.timing import graph_ms
from gpu.ops.max_sim.codes import level_table, token_bytes
from gpu.ops.max_sim.device import max_sim_on_device, questions
from gpu.ops.max_sim.reference import max_sim_rows

_CHECKED = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """So many questions of so many tokens, each over memories of its own with so many tokens each."""

    n_questions: int
    n_tokens: int
    memories: int
    memory_tokens: int
    dim: int = 384

    @property
    def name(self) -> str:
        """In words."""
        return (
            f"{self.n_questions} questions of {self.n_tokens} tokens, each over {self.memories} memories of "
            f"{self.memory_tokens}"
        )


SHAPES = (Shape(256, 20, 200, 30), Shape(256, 20, 200, 126), Shape(1, 20, 200, 30))


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
    torch.manual_seed(1)
    asked, count = shape.n_questions * shape.memories, shape.memory_tokens
    codes = torch.randint(0, 256, (asked * count, token_bytes(shape.dim)), dtype=torch.uint8, device=device)
    starts = (torch.arange(asked, device=device) * count)[torch.randperm(asked, device=device)]
    counts = torch.full((asked,), count, dtype=torch.int32, device=device)
    of = torch.arange(shape.n_questions, dtype=torch.int32, device=device).repeat_interleave(shape.memories)
    tokens = queries(shape.n_questions * shape.n_tokens, shape.dim, device).reshape(shape.n_questions, -1, shape.dim)
    prepared = questions(list(tokens))
    found = max_sim_on_device(codes, starts, counts, of, prepared)
    for i in np.linspace(0, asked - 1, _CHECKED).astype(int).tolist():
        own = codes[int(starts[i]) : int(starts[i]) + count].cpu().numpy()
        wanted = max_sim_rows(own, np.array([0, count]), tokens[i // shape.memories].cpu().numpy())
        np.testing.assert_allclose(found[i : i + 1].cpu().numpy(), wanted, atol=1e-5)
    return Measured(
        "max_sim", shape.name, graph_ms(partial(max_sim_on_device, codes, starts, counts, of, prepared)),
        codes.numel() / bytes_per_ms, None, {"torch_ms": _torch(shape, codes, tokens)},
    )  # fmt: skip


def _torch(shape: Shape, codes: torch.Tensor, tokens: torch.Tensor) -> float:
    """What torch takes for the same, in half precision, over codes that lie together; widening them is part of it."""
    table = torch.from_numpy(level_table(shape.dim)).to(codes.device).half()
    half = tokens.half().transpose(1, 2).contiguous()

    def score() -> torch.Tensor:
        wide = table[codes.int()].reshape(shape.n_questions, -1, codes.shape[1] * 4)[:, :, : shape.dim]
        products = torch.bmm(wide, half).reshape(shape.n_questions, shape.memories, shape.memory_tokens, -1)
        return products.amax(dim=2).float().mean(dim=2)

    return graph_ms(score)
