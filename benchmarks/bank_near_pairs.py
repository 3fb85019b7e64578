"""What it takes to compare all memories of a namespace with each other, and what an index misses of it.

Run: OMP_NUM_THREADS=1 python -m benchmarks.bank_near_pairs --data FOLDER (about 2 minutes; faiss must be installed)

Rows are real embeddings and more of their like (`_enlarged`); a tenth of them are near copies of an earlier one. One
run of each, with a thread for each core. `block_rows` is one thread over 10,000 rows, with blocks of other sizes;
`torch_s` the bare products of all rows with all (`torch.mm`, one thread), which is twice the work.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import faiss
import numpy as np
import torch

from benchmarks._bank_data import memories
from benchmarks._enlarged import enlarged, real
from benchmarks._results import save
from benchmarks.quality.sets import add_options, folders
from gpu.bank.bank import Bank
from gpu.bank.filters import ScanFilter
from gpu.large.near_pairs import near_pairs_in_lists
from gpu.large.position_lists import PositionLists
from gpu.ops.near_pairs import op
from gpu.ops.near_pairs.partners import NearPairs

SIZES = (1_000, 10_000, 30_000)
BLOCKS_AT = 10_000
BLOCKS = (256, 512, 1_024, 2_048, 4_096)
THRESHOLD, MOST, SEED = 0.9, 8, 7


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    parser.add_argument("--size", action="append", type=int, help=f"rows; default: {SIZES}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = real(folders(options)).rows
    _measured(_copied(enlarged(rows, 500, SEED)))  # compiles
    figures: dict[str, Any] = {"threshold": THRESHOLD, "most": MOST}
    for size in options.size or SIZES:
        figures[str(size)] = _measured(_copied(enlarged(rows, size, SEED)))
    print(save("bank_near_pairs", figures, command="OMP_NUM_THREADS=1 python -m benchmarks.bank_near_pairs", seed=SEED))


def _copied(rows: np.ndarray) -> np.ndarray:
    """Every tenth row put in the place of one a little beside an earlier one."""
    rng = np.random.default_rng(SEED)
    later = np.arange(10, rows.shape[0], 10)
    beside = rows[rng.integers(0, later)].astype(np.float32)
    beside += rng.standard_normal(beside.shape, np.float32) * np.float32(0.3 / np.sqrt(rows.shape[1]))
    out = rows.copy()
    out[later] = beside / np.linalg.norm(beside, axis=1, keepdims=True)
    return out


def _measured(rows: np.ndarray) -> dict[str, Any]:
    n, dim = rows.shape
    bank = Bank().open("bench", dim)
    bank.put(replace(memories(n, dim, SEED), vectors=rows))
    with bank.view(ScanFilter()) as view:
        (segment, _, mask), *_ = view.segments()
        exact, seconds = _timed(lambda: op.near_pairs(segment, THRESHOLD, MOST, mask))
        figures: dict[str, Any] = {"exact_s": seconds, "pairs": len(exact), "eligible": view.eligible}
        plain = torch.from_numpy(rows.astype(np.float32))
        figures["torch_s"] = _timed(lambda: [torch.mm(plain[at : at + 1_024], plain.T) for at in range(0, n, 1_024)])[1]
        index, figures["index_s"] = _timed(lambda: PositionLists.built(faiss, segment, lambda: True))
        for near in (4, 16, 64):
            found, seconds = _timed(lambda near=near: near_pairs_in_lists(index, segment, THRESHOLD, MOST, mask, near))
            figures[f"near_lists_{near}"] = {"s": seconds, "found": round(_share(found, exact), 4)}
        if n == BLOCKS_AT:
            figures["block_rows"] = {str(size): _with_blocks(size, segment, mask) for size in BLOCKS}
    return figures


def _with_blocks(size: int, segment: Any, mask: np.ndarray) -> float:
    kept, threads = op.BLOCK_ROWS, op.parts_for
    op.BLOCK_ROWS, op.parts_for = size, lambda *_: 1
    try:
        return _timed(lambda: op.near_pairs(segment, THRESHOLD, MOST, mask))[1]
    finally:
        op.BLOCK_ROWS, op.parts_for = kept, threads


def _share(found: NearPairs, exact: NearPairs) -> float:
    """Share of the exact pairs that were found."""
    wanted = set(zip(exact.first.tolist(), exact.second.tolist(), strict=True))
    have = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    return len(wanted & have) / max(1, len(wanted))


def _timed(run: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    found = run()
    return found, round(time.perf_counter() - begun, 4)


if __name__ == "__main__":
    main()
