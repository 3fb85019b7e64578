"""Scoring memories by their codes where they lie in the arena, compiled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.bank.pages import HEADER_BYTES
from gpu.native import float32_at, int8_at, int64_at, jit, uint8_at, uint32_at
from gpu.ops.dense_scan.chosen_kernel import page_at
from gpu.tiers.kernel import bytes_dot, nibbles_dot

_INT8 = 1  # place in `gpu.bank.layouts.TIERS`
_WORD = 8
_HEAD_BYTES = 8


@jit
def score_slots(
    attributes: NDArray[np.int64],
    prefixes: NDArray[np.int64],
    coded: NDArray[np.int64],
    row_words: NDArray[np.int64],
    query: NDArray[np.float32],
    low: NDArray[np.int16],
    high: NDArray[np.int16],
    step: Any,
    shift: Any,
    square: Any,
    caution: Any,
    slots: NDArray[np.int64],
    erased: int,
    out: NDArray[np.float32],
) -> None:
    """Largest cautious estimate of each memory's rows; a memory that has none, or is erased, is left as it is.

    Args:
        attributes, coded: the pages; who owns them has been looked at.
        prefixes: bytes per element before the columns first_code, n_code, tiers and died.
        row_words: words of a row for each tier.
        query: float32 `[dim]`, rotated.
        low, high, step, shift: the same for int4, see `gpu.tiers.scores.whole_query`.
        square: float32, squared length of the query.
        caution: float32, standard errors that are taken off an estimate.
        slots: int64 `[m]`, in any order.
        erased: what `died` says of an erased memory.
        out: float32 `[m]`, -inf at the start.
    """
    dim = query.shape[0]
    across = np.float32(max(dim - 1, 1))
    own: Any = 0
    page: Any = 0
    for i in range(slots.shape[0]):
        own = page_at(attributes, own, slots[i])
        base, capacity, local = attributes[own, 0] + HEADER_BYTES, attributes[own, 2], slots[i] - attributes[own, 1]
        count = np.int64(uint32_at(base + prefixes[1] * capacity + local * 4, 1)[0])
        if count == 0:
            continue
        first = np.int64(uint32_at(base + prefixes[0] * capacity + local * 4, 1)[0])
        tier = uint8_at(base + prefixes[2] * capacity + local, 1)[0]
        # Looked at after the range: who reads half of an erased memory's attributes sees here that it is erased.
        if int64_at(base + prefixes[3] * capacity + local * 8, 1)[0] == erased or tier == 0:
            continue
        words = row_words[tier]
        page = page_at(coded, page, first)
        address = coded[page, 0] + HEADER_BYTES + (first - coded[page, 1]) * _WORD  # no range crosses a page
        best = out[i]
        for _ in range(count // words):
            head = float32_at(address, 2)
            if tier == _INT8:
                estimate = bytes_dot(int8_at(address + _HEAD_BYTES, dim), query) * head[0]
            else:
                row = uint8_at(address + _HEAD_BYTES, low.shape[0])
                estimate = (2 * step * nibbles_dot(row, low, high) - shift) * head[0]
            rest = max(square - estimate * estimate, np.float32(0)) / across
            best = max(best, estimate - caution * np.float32(math.sqrt(head[1] * rest)))
            address += words * _WORD
        out[i] = best
