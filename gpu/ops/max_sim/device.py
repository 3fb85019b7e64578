"""How well the tokens of memories answer the tokens of questions, on a device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from gpu.bank.errors import DimensionError
from gpu.ops.max_sim import triton_kernel
from gpu.ops.max_sim.codes import LEVELS, PER_BYTE, token_bytes

kernel: Any = triton_kernel  # a launch takes more than the function's own arguments
_TOKENS, _WARPS = 32, 4
_FEWEST, _MOST = 16, 32
"""Tokens of a question that are compared at a time: the matrix units want 16 at least."""
_FEWEST_BYTES, _MOST_BYTES = 16, 32
STEP = LEVELS[-1] / triton_kernel.OUTER
"""What one step of a level is worth, in standard deviations."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Tokens of several questions as the kernel wants them; see `questions`.

    Attributes:
        high, low: float16 `[4, n, token_bytes]`.
        first_tokens: int32 `[b + 1]`.
        dim: dimension of the tokens.
        most: tokens of the longest question.
    """

    high: torch.Tensor
    low: torch.Tensor
    first_tokens: torch.Tensor
    dim: int
    most: int


def questions(tokens: list[torch.Tensor]) -> Questions:
    """Puts questions into the form of the kernel, once for all launches.

    Args:
        tokens: for each question float32 `[q, dim]` on the device, in the rotated space of the codes, finite, q >= 1.

    Raises:
        ValueError: there is no question, or one without a token, of another dimension, or with a number that is not
            finite.
    """
    if not tokens or any(of.ndim != 2 or not of.shape[0] or of.shape[1] != tokens[0].shape[1] for of in tokens):
        raise ValueError("every question needs at least one token, all of one dimension")
    flat = torch.cat(tokens).float()
    if not bool(flat.isfinite().all()):
        raise ValueError("the numbers of a question must be finite")
    dim = flat.shape[1]
    padded = torch.nn.functional.pad(flat, (0, token_bytes(dim) * PER_BYTE - dim))
    planes = padded.reshape(flat.shape[0], -1, PER_BYTE).permute(2, 0, 1).contiguous()
    high = planes.half()
    low = ((planes - high.float()) * triton_kernel.SHIFT).half()
    counts = [of.shape[0] for of in tokens]
    first = torch.tensor([0, *counts], dtype=torch.int32).cumsum(0, dtype=torch.int32).to(flat.device)
    return Questions(high, low, first, dim, max(counts))


def max_sim_on_device(
    codes: torch.Tensor, starts: torch.Tensor, counts: torch.Tensor, asked: torch.Tensor, of: Questions
) -> torch.Tensor:
    """See `gpu.ops.max_sim.op.max_sim`, for many questions in one launch, each asked of memories of its own.

    Args:
        codes: uint8 `[t, token_bytes]`, contiguous, the arena.
        starts: int64 `[m]`, where each memory's codes begin, in any order, repeated ones too.
        counts: int32 `[m]`, how many there are. Ranges must lie in the arena: that is not checked.
        asked: int32 `[m]`, which question is asked of each memory.
        of: the questions.

    Returns:
        float32 `[m]`; NaN for a memory without tokens.

    Raises:
        DimensionError: the codes have another dimension than the questions.
        ValueError: a wrong dtype, not contiguous, or not of one length.
    """
    if codes.ndim != 2 or codes.shape[1] != token_bytes(of.dim):
        raise DimensionError(f"token codes have shape {tuple(codes.shape)}, the questions have dimension {of.dim}")
    if codes.dtype != torch.uint8 or not codes.is_contiguous():
        raise ValueError("codes must be uint8 in one piece")
    if (starts.dtype, counts.dtype, asked.dtype) != (torch.int64, torch.int32, torch.int32):
        raise ValueError("starts must be int64, counts and questions int32")
    if not starts.shape == counts.shape == asked.shape or starts.ndim != 1:
        raise ValueError("starts, counts and questions must be [m]")
    out = torch.empty(starts.shape[0], device=codes.device)
    if not starts.shape[0]:
        return out
    at_once = min(_MOST, max(_FEWEST, _power(of.most)))
    block = min(_MOST_BYTES, max(_FEWEST_BYTES, _power(codes.shape[1])))
    kernel.score[(starts.shape[0],)](
        codes, starts, counts, asked, of.first_tokens, of.high, of.low, of.high.shape[1], STEP / math.sqrt(of.dim),
        out, codes.shape[1],
        TOKENS=_TOKENS, QUERIES=at_once, BLOCK=block, BLOCKS=-(-codes.shape[1] // block), num_warps=_WARPS,
    )  # fmt: skip
    return out


def _power(count: int) -> int:
    """The least power of two that is no less."""
    return 1 << (count - 1).bit_length()
