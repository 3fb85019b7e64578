"""Ways to score 100,000 coded rows against one query on one thread; why each tier has the loop that it has.

Run: OMP_NUM_THREADS=1 python -m benchmarks.bank_tiers

What the service uses is named "tier_scores"; the loops here are those that lost, or won at a price.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from benchmarks._results import save
from benchmarks._timing import milliseconds
from gpu.bank.layouts import Tier
from gpu.native import fast_jit
from gpu.tiers.codecs import Codes, dot, encode, unit
from gpu.tiers.packing import spread
from gpu.tiers.rotation import rotation
from gpu.tiers.scores import tier_scores

N, DIM, SEED = 100_000, 384, 7
Floats = NDArray[np.float32]


def _counting(_context: Any, _bits: Any) -> Any:
    """How many bits of a word are set."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


_ones = cast(Callable[[Any], Any], intrinsic(_counting))


@fast_jit
def _bytes_by_whole(codes: NDArray[np.int8], scales: Floats, query: NDArray[np.int16], step: Any, out: Floats) -> None:
    for i in range(codes.shape[0]):
        row, total = codes[i], np.int32(0)
        for j in range(query.shape[0]):
            total = np.int32(total + np.int32(row[j]) * np.int32(query[j]))
        out[i] = np.float32(total) * scales[i] * step


@fast_jit
def _nibbles_by_floats(codes: NDArray[np.uint8], scales: Floats, planes: Floats, shift: Any, out: Floats) -> None:
    low, high = planes[0], planes[1]
    for i in range(codes.shape[0]):
        row, total = codes[i], np.float32(0)
        for j in range(low.shape[0]):
            total += np.float32(row[j] & np.uint8(15)) * low[j] + np.float32(row[j] >> np.uint8(4)) * high[j]
        out[i] = (2 * total - shift) * scales[i]


@fast_jit
def _by_table(codes: NDArray[np.uint8], scales: Floats, table: Floats, out: Floats) -> None:
    for i in range(codes.shape[0]):
        row, total = codes[i], np.float32(0)
        for j in range(codes.shape[1]):
            total += table[j, row[j]]
        out[i] = total * scales[i]


@fast_jit
def _bits_by_floats(codes: NDArray[np.uint8], scales: Floats, planes: Floats, shift: Any, out: Floats) -> None:
    for i in range(codes.shape[0]):
        row, total = codes[i], np.float32(0)
        for j in range(codes.shape[1]):
            for p in range(8):
                total += np.float32((row[j] >> np.uint8(p)) & np.uint8(1)) * planes[p, j]
        out[i] = (2 * total - shift) * scales[i]


@fast_jit
def _bits_by_counts(
    words: NDArray[np.uint64], scales: Floats, planes: NDArray[np.uint64], step: Any, low: Any, shift: Any, out: Floats
) -> None:
    first, second, third, fourth = planes[0], planes[1], planes[2], planes[3]
    for i in range(words.shape[0]):
        row = words[i]
        n: Any = np.uint64(0)
        a: Any = np.uint64(0)
        b: Any = np.uint64(0)
        c: Any = np.uint64(0)
        d: Any = np.uint64(0)
        for k in range(words.shape[1]):
            n += _ones(row[k])
            a += _ones(row[k] & first[k])
            b += _ones(row[k] & second[k])
            c += _ones(row[k] & third[k])
            d += _ones(row[k] & fourth[k])
        total = a + np.uint64(2) * b + np.uint64(4) * c + np.uint64(8) * d
        out[i] = (2 * (step * np.float32(total) + low * np.float32(n)) - shift) * scales[i]


def main() -> None:
    """Measure and save."""
    rng = np.random.default_rng(SEED)
    rows = rotation(DIM).turn(unit(rng.standard_normal((N, DIM), dtype=np.float32)))
    query = unit(rows[5:6] + np.float32(0.5) * rows[6:7])[0]
    figures: dict[str, Any] = {"rows": N, "dim": DIM}
    for tier in Tier:
        codes = encode(rows, tier)
        exact = dot(query, codes)
        kept: dict[str, Callable[[], Floats]] = {"tier_scores": partial(tier_scores, query, codes)}
        for name, way in {**kept, **_others(codes, query)}.items():
            error = float(np.abs(way() - exact).max())
            figures[f"{tier.value}, {name}"] = {**milliseconds(way), "largest_error": error}
            print(tier.value, name, figures[f"{tier.value}, {name}"], flush=True)
        figures[f"{tier.value}, standard error of the code"] = float(np.sqrt(codes.errors.mean() / (DIM - 1)))
    print(save("bank_tiers", figures, command="OMP_NUM_THREADS=1 python -m benchmarks.bank_tiers", seed=SEED))


def _others(codes: Codes, query: Floats) -> dict[str, Callable[[], Floats]]:
    out = np.empty(len(codes), np.float32)

    def into(loop: Callable[..., None], *more: Any) -> Callable[[], Floats]:
        def run() -> Floats:
            loop(codes.values, codes.scales, *more, out)
            return out

        return run

    if codes.tier is Tier.INT8:
        step = np.float32(np.abs(query).max() / 32767)
        return {"query of 16 bits": into(_bytes_by_whole, np.rint(query / step).astype(np.int16), step)}
    if codes.tier is Tier.INT4:
        planes, shift = spread(query, 4), np.float32(15 * query.sum())
        every = np.arange(256)
        table = np.outer(planes[0], 2 * (every & 15) - 15) + np.outer(planes[1], 2 * (every >> 4) - 15)
        return {
            "query of float32": into(_nibbles_by_floats, planes, shift),
            "table of bytes": into(_by_table, table.astype(np.float32)),
        }
    if codes.tier is Tier.BIT1:
        return {
            "query of float32": into(_bits_by_floats, spread(query, 1), np.float32(query.sum())),
            "counts, query of 4 bits": _counted(codes, query),
        }
    return {}


def _counted(codes: Codes, query: Floats) -> Callable[[], Floats]:
    low = np.float32(query.min())
    step = np.float32((query.max() - low) / 15)
    levels = np.rint((query - low) / step).astype(np.uint8)
    planes = np.stack([np.packbits(levels >> b & 1, bitorder="little").view(np.uint64) for b in range(4)])
    words, out = codes.values.view(np.uint64), np.empty(len(codes), np.float32)

    def run() -> Floats:
        _bits_by_counts(words, codes.scales, planes, step, low, np.float32(query.sum()), out)
        return out

    return run


if __name__ == "__main__":
    main()
