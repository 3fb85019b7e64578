"""`python -m gpu.bench`: see the package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

import torch

from gpu.bench import plot, results, verify
from gpu.bench.timing import copy_bytes_per_ms

OPS: dict[str, tuple[str, ...]] = {
    "appends": ("unit/gpu/test_bench_of_the_bank.py", "unit/gpu/test_device_copies.py"),
    "capacity": ("unit/gpu/test_device_bank.py",),
    "channel_pass": ("unit/gpu/test_channel_pass.py", "unit/gpu/test_device_attributes.py"),
    "coarse_search": ("unit/gpu/test_coarse_search.py",),
    "hopfield": ("unit/gpu/test_hopfield.py", "unit/gpu/test_hopfield_device.py"),
    "large_index": ("unit/gpu/test_faiss_ivf.py", "unit/gpu/test_paged_search.py"),
    "max_sim": ("property/gpu/test_max_sim.py", "unit/gpu/test_max_sim_device.py"),
    "near_pairs": ("unit/gpu/test_near_pairs.py",),
    "paged_search": ("unit/gpu/test_paged_search.py",),
    "residency": ("unit/gpu/test_bench_of_the_bank.py", "unit/gpu/test_device_spread.py"),
    "spread": ("unit/gpu/test_spread.py", "unit/gpu/test_spread_device.py"),
}
"""Modules of this package that measure, each with the tests that must pass before it does."""


class Module(Protocol):
    """What a module named in `OPS` has."""

    run: Callable[[float], Iterator[results.Measured]]
    """Yields what it measured, given the bytes that a copy moves in a millisecond."""


def main() -> None:
    """Test, check, time and save; ends with 1 if tests failed."""
    parser = argparse.ArgumentParser(prog="python -m gpu.bench", description="Times of the operations on a device.")
    parser.add_argument("--op", choices=sorted(OPS), action="append", help="default: all")
    parser.add_argument("--out", type=Path, default=results.FOLDER)
    parser.add_argument("--no-tests", action="store_true", help="time operations whose tests have just passed")
    parser.add_argument("--no-plot", action="store_true", help="write tables alone")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("there is no CUDA device here; without one the kernels are only interpreted, by the tests")
    bytes_per_ms = copy_bytes_per_ms()
    print(f"copy: {bytes_per_ms / 1e6:.0f} GB/s", flush=True)
    refused = []
    for name in options.op or sorted(OPS):
        if not options.no_tests and not verify.passes(OPS[name]):
            refused.append(name)
            continue
        measure(name, bytes_per_ms, options.out)
    if not options.no_plot:
        print(plot.draw(options.out) if find_spec("matplotlib") else "no picture: matplotlib is not installed")
    if refused:
        sys.exit(f"tests failed, nothing is reported of: {', '.join(refused)}")


def measure(name: str, bytes_per_ms: float, folder: Path) -> None:
    """Runs one module; its table is written after each line, so that what was measured stays if the next one fails."""
    module = cast(Module, import_module(f"gpu.bench.{name}"))
    lines = []
    for line in module.run(bytes_per_ms):
        lines.append(line)
        print(line.row(), flush=True)
        results.save(name, lines, bytes_per_ms, folder)


if __name__ == "__main__":
    main()
