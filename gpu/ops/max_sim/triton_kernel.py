"""Max-sim over two-bit token codes, in Triton.

The four levels are whole multiples (283 and 944) of one number, exactly: in half precision they are exact, and the
question is the sum of two half-precision vectors, so that the matrix units lose nothing.
"""

from __future__ import annotations

import triton
import triton.language as tl

INNER, OUTER = 283, 944
"""What the inner and the outer levels are multiples by; see `gpu.ops.max_sim.codes.LEVELS`."""
SHIFT = 2048
"""A question is `high + low / SHIFT`."""

_INNER = tl.constexpr(INNER)
_OUTER = tl.constexpr(OUTER)
_SHIFT = tl.constexpr(SHIFT)


@triton.jit
def score(
    codes,
    starts,
    counts,
    questions,
    first_tokens,
    high,
    low,
    n_tokens,
    scale,
    out,
    n_bytes,
    TOKENS: tl.constexpr,
    QUERIES: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Score one memory for one question.

    Args:
        codes: uint8 `[t, n_bytes]`, the arena.
        starts, counts: int64 and int32 `[m]`, which codes are the memory's.
        questions: int32 `[m]`, which question is asked of it.
        first_tokens: int32 `[b + 1]`, where the tokens of each question begin.
        high, low: float16 `[4, n_tokens, n_bytes]`: plane p has dimensions p, p + 4, ... of all questions' tokens.
        scale: float32, what one step of a level is worth.
        out: float32 `[m]`; NaN for a memory without codes.
        TOKENS, QUERIES: codes, and tokens of the question, that are compared at a time: at least 16.
        BLOCK, BLOCKS: `BLOCK * BLOCKS >= n_bytes`; BLOCK at least 16.
    """
    memory = tl.program_id(0)
    start = tl.load(starts + memory)
    count = tl.load(counts + memory)
    question = tl.load(questions + memory)
    first = tl.load(first_tokens + question)
    n_query = tl.load(first_tokens + question + 1) - first
    token = tl.arange(0, TOKENS)
    member = tl.arange(0, QUERIES)
    column = tl.arange(0, BLOCK)
    sum_of_best = 0.0
    for asked in range(0, n_query, QUERIES):
        is_asked = asked + member < n_query
        row = (first + asked + member).to(tl.int64)
        best = tl.full([QUERIES], float("-inf"), tl.float32)
        for at in range(0, count, TOKENS):
            here = at + token < count
            base = codes + (start + at + token.to(tl.int64)) * n_bytes
            total = tl.zeros([TOKENS, QUERIES], tl.float32)
            rest = tl.zeros([TOKENS, QUERIES], tl.float32)
            for block in range(BLOCKS):
                byte = block * BLOCK + column
                inside = byte < n_bytes
                packed = tl.load(base[:, None] + byte[None, :], here[:, None] & inside[None, :], 0).to(tl.int32)
                for plane in tl.static_range(4):
                    level = (packed >> (2 * plane)) & 3
                    size = tl.where((level == 0) | (level == 3), _OUTER, _INNER)
                    value = tl.where(level < 2, -size, size).to(tl.float16)
                    of = (plane * n_tokens + row)[None, :] * n_bytes + byte[:, None]
                    wanted = inside[:, None] & is_asked[None, :]
                    total = tl.dot(value, tl.load(high + of, wanted, 0.0), total)
                    rest = tl.dot(value, tl.load(low + of, wanted, 0.0), rest)
            product = tl.where(here[:, None], total + rest / _SHIFT, float("-inf"))
            best = tl.maximum(best, tl.max(product, axis=0))
        sum_of_best += tl.sum(tl.where(is_asked, best, 0.0))
    tl.store(out + memory, tl.where(count > 0, sum_of_best * scale / n_query, float("nan")))
