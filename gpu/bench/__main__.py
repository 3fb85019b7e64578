"""`python -m gpu.bench`: see the package."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from gpu.bench import appends, channel_pass, coarse_search, paged_search, residency, results
from gpu.bench.timing import copy_bytes_per_ms

OPS: dict[str, Callable[[float], Iterator[results.Measured]]] = {
    "appends": appends.run,
    "coarse_search": coarse_search.run,
    "paged_search": paged_search.run,
    "channel_pass": channel_pass.run,
    "residency": residency.run,
}


def main() -> None:
    """Check, time and save."""
    parser = argparse.ArgumentParser(prog="python -m gpu.bench", description="Times of the operations on a device.")
    parser.add_argument("--op", choices=sorted(OPS), action="append", help="default: all")
    parser.add_argument("--out", type=Path, default=results.FOLDER)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("there is no CUDA device here; without one the kernels are only interpreted, by the tests")
    bytes_per_ms = copy_bytes_per_ms()
    print(f"copy: {bytes_per_ms / 1e6:.0f} GB/s", flush=True)
    for name in options.op or sorted(OPS):
        lines = []
        for line in OPS[name](bytes_per_ms):
            lines.append(line)
            print(line.row(), flush=True)
            results.save(name, lines, bytes_per_ms, options.out)


if __name__ == "__main__":
    main()
