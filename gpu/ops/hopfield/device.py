"""Completion of partial or noisy cues by a modern Hopfield network, over the pages of a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from gpu.bank.errors import DimensionError, PageOwnershipError
from gpu.ops.hopfield import triton_kernel
from gpu.ops.paged_search.op import Plan

kernel: Any = triton_kernel  # a launch takes more than the function's own arguments
MOST_DIM = 2048
"""A pattern lies in the registers as a whole."""
_CHUNKS, _BLOCK = 64, 64
_ROWS, _REGISTERS = 32, 128
"""Patterns that a program looks at at a time, and the registers of a thread: see README.md."""
_WIDTH_OF_A_WARP = 96


@dataclass(frozen=True, slots=True)
class Completions:
    """Where cues ended, on the device.

    Attributes:
        states: float32 `[b, dim]`, the completed patterns; the cue itself where no pattern counts.
        energies: float32 `[b, most]`, of the cue and of the state after each further step (up to a constant that
            depends on the patterns alone); NaN from where it settled, and where no pattern counts.
        attended: float32 `[b]`, effective number of patterns in the last step; 0 where none counts.
        settled: bool `[b]`, whether the last step moved the state by less than the tolerance.
    """

    states: torch.Tensor
    energies: torch.Tensor
    attended: torch.Tensor
    settled: torch.Tensor


def complete_on_device(
    cues: torch.Tensor, batch: Plan, betas: torch.Tensor, *, tolerance: float = 1e-4, most: int = 16
) -> Completions:
    """See `gpu.ops.hopfield.op.complete`, for many cues, each over the vectors of its own namespace.

    Every vector of a memory that the plan's mask lets through is a pattern. A step reads each pattern once, and none of
    a cue that has settled.

    Args:
        cues: float32 `[b, dim]`, contiguous, on the device of the pages, finite.
        batch: their namespaces, see `gpu.ops.paged_search.op.plan`.
        betas: float32 `[b]`, inverse temperatures, positive and finite: `inverse_temperature` finds them from the
            products of the nearest memories, which `paged_search` gives.
        tolerance: a cue is settled when a step moves it by less than this (Euclidean).
        most: stop after so many steps in any case, >= 1.

    Raises:
        PageOwnershipError: a page belongs to somebody else by now.
        DimensionError: the cues have another dimension than a namespace.
        ValueError: the cues or betas have another dtype or shape, a beta is out of range, or `most` is less than 1.
    """
    _check(cues, batch, betas, most)
    found, broken = launch(cues, batch, betas, tolerance, most)
    if int(broken):
        raise PageOwnershipError("a page of the batch belongs to somebody else")
    if batch.order is None:
        return found
    back = torch.argsort(batch.order)
    return Completions(found.states[back], found.energies[back], found.attended[back], found.settled[back])


def launch(
    cues: torch.Tensor, batch: Plan, betas: torch.Tensor, tolerance: float, most: int
) -> tuple[Completions, torch.Tensor]:
    """The launches alone: where the cues ended, in the plan's order, and whether pages were lost.

    Nothing waits for the device.
    """
    launched = cues.clone() if batch.order is None else cues[batch.order]
    ordered = betas if batch.order is None else betas[batch.order]
    device, (b, dim) = cues.device, cues.shape
    n_chunks, n_blocks = max(batch.first_chunks[-1], 1), -(-dim // _BLOCK)
    largest, norms, moments = torch.empty((3, n_chunks), device=device)
    sums = torch.empty((n_chunks, dim), device=device)
    moved = torch.zeros((b, n_blocks), device=device)
    log_sums, entropies = torch.zeros((2, b), device=device)
    active = torch.ones(b, dtype=torch.int32, device=device)
    broken = torch.zeros(1, dtype=torch.int32, device=device)
    energies = torch.full((b, most), float("nan"), device=device)
    width, rest = _parts(dim)
    tables, n_groups, first, owners, masks = batch.rows
    for step in range(most):
        lengths = (launched * launched).sum(dim=1)
        if batch.first_chunks[-1]:
            kernel.attend[(batch.first_chunks[-1],)](
                batch.namespaces[0].pool, launched, ordered, active, tables, n_groups, first, owners, masks,
                b, b.bit_length(), batch.per_chunk, largest, norms, moments, sums, broken, dim,
                ROWS=_ROWS, WIDTH=width, REST=rest, num_warps=_warps(width + rest), maxnreg=_REGISTERS,
            )  # fmt: skip
        kernel.merge[(b, n_blocks)](
            first, largest, norms, moments, sums, active, launched, log_sums, entropies, moved, dim, n_blocks,
            CHUNKS=_CHUNKS, BLOCK=_BLOCK, num_warps=4,
        )  # fmt: skip
        has_patterns = log_sums > float("-inf")
        energy = torch.where(has_patterns, lengths / 2 - log_sums / ordered, float("nan"))
        energies[:, step] = torch.where(active != 0, energy, float("nan"))
        active &= (has_patterns & (moved.sum(dim=1) >= tolerance**2)).int()
    has_patterns = log_sums > float("-inf")
    attended = torch.where(has_patterns, entropies.exp(), 0.0)
    return Completions(launched, energies, attended, has_patterns & (active == 0)), broken


def _check(cues: torch.Tensor, batch: Plan, betas: torch.Tensor, most: int) -> None:
    b = len(batch.namespaces)
    if cues.dtype != torch.float32 or cues.ndim != 2 or cues.shape[0] != b or not cues.is_contiguous():
        raise ValueError(f"cues must be float32 [{b}, dim] in one piece")
    if any(of.dim != cues.shape[1] for of in batch.namespaces) or cues.shape[1] > MOST_DIM:
        raise DimensionError(
            f"the cues have dimension {cues.shape[1]}, a namespace has another, or it is over {MOST_DIM}"
        )
    if betas.dtype != torch.float32 or betas.shape != (b,) or most < 1:
        raise ValueError(f"betas must be float32 [{b}], most at least 1")
    if not bool(((betas > 0) & betas.isfinite()).all()):
        raise ValueError("betas must be positive and finite")


def _parts(dim: int) -> tuple[int, int]:
    """Two powers of two that hold a pattern: the largest that fits, and the least for the rest; 0 if there is none."""
    width = max(16, 1 << (dim.bit_length() - 1))
    return width, 0 if dim <= width else max(16, 1 << (dim - width - 1).bit_length())


def _warps(width: int) -> int:
    """Enough for a tile to lie in registers: a power of two from 4 to 16."""
    return min(16, max(4, 1 << (width // _WIDTH_OF_A_WARP).bit_length()))
