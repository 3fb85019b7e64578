"""What the processor does for each search in the process of the device: everything but the kernels.

    python -m benchmarks.gpu_process_host [--namespaces 64] [--rows 10000] [--dim 64] [--searches 5120]

All searches lie at the socket before the process starts, so that launches are full (256). The kernels are replaced by a
function that answers at once; the figure is the processor time of the thread that serves, divided by the searches.
Every search has its own "now", as those of a service have. It needs no device and measures none.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import multiprocessing
import pstats
import random
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import zmq

from benchmarks import _results
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bench.namespaces import filled
from gpu.device.bank import DeviceBank
from gpu.device.pool import DevicePool
from gpu.ops.paged_search.op import Found
from gpu.process.messages import Asked, Scan, written
from gpu.process.server import GpuServer

NAME = "gpu_process_host"
COMMAND = "python -m benchmarks.gpu_process_host"
LAUNCH = "gpu.device.copies.paged_search"
TOP_K = 10
AIM_US = 50.0


@dataclass(frozen=True, slots=True)
class Held:
    """Namespaces that are always up to date."""

    banks: dict[bytes, NamespaceBank]

    def held(self, name: bytes, seq: int) -> NamespaceBank | None:
        """See `gpu.process.server.Namespaces`."""
        return self.banks.get(name)

    def brought_up(self, name: bytes, seq: int) -> NamespaceBank:
        """See `gpu.process.server.Namespaces`."""
        return self.banks[name]


def at_once(queries: torch.Tensor, batch: Any, k: int) -> Found:
    """An answer of the right shape: the first k slots."""
    slots = torch.arange(k, dtype=torch.int32).repeat(queries.shape[0], 1)
    return Found(slots, torch.linspace(1, 0, k).repeat(queries.shape[0], 1))


def main(argv: Sequence[str] | None = None) -> None:
    """Fill, ask twice (the first time copies the namespaces), save the second."""
    options = _options(argv)
    banks = {_name(number): filled(options.rows, options.dim, seed=number) for number in range(options.namespaces)}
    room = int(options.namespaces * options.rows * (options.dim * 2 + 4) * 1.5) + (1 << 24)
    bank = DeviceBank(DevicePool(torch.device("cpu"), room))
    with patch(LAUNCH, at_once):
        _served(bank, banks, options.namespaces, options)
        gc.freeze()  # as the process does
        profile = cProfile.Profile() if options.profile else None
        spent_s, waited_s = _served(bank, banks, options.searches, options, profile)
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(30).sort_stats("cumtime").print_stats(30)
        return
    figures = {
        "namespaces": options.namespaces,
        "rows_each": options.rows,
        "searches": options.searches,
        "host_us_per_search": round(spent_s / options.searches * 1e6, 1),
        "wall_us_per_search": round(waited_s / options.searches * 1e6, 1),
        "aim_us": AIM_US,
    }
    print(figures)
    print(_results.save(NAME, figures, command=COMMAND))


def _served(
    bank: DeviceBank,
    banks: dict[bytes, NamespaceBank],
    searches: int,
    options: argparse.Namespace,
    profile: cProfile.Profile | None = None,
) -> tuple[float, float]:
    """Seconds that the serving thread took for searches of namespaces in turn: of the processor, and of the clock."""
    server = GpuServer(bank, Held(banks))
    spent: list[float] = []
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        endpoint = f"ipc://{folder}/gpu"
        is_sent = context.Event()
        client = context.Process(target=_ask, args=(endpoint, searches, options.namespaces, options.dim, is_sent))
        client.start()
        is_sent.wait()

        def serve() -> None:
            if profile is not None:
                profile.enable()
            begun, before = time.perf_counter(), time.thread_time()
            server.run(endpoint)
            spent.extend((time.thread_time() - before, time.perf_counter() - begun))
            if profile is not None:
                profile.disable()

        thread = threading.Thread(target=serve)
        thread.start()
        client.join()
        server.stop()
        thread.join()
    return spent[0], spent[1]


def _ask(endpoint: str, searches: int, namespaces: int, dim: int, is_sent: Any) -> None:
    """Sends everything before anybody listens, and waits for as many answers."""
    rng = random.Random(1)
    vector = np.full(dim, dim**-0.5, np.float32).tobytes()
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.set_hwm(0)
        socket.linger = 0
        socket.connect(endpoint)
        for number in range(searches):
            name = _name(number if searches <= namespaces else rng.randrange(namespaces))
            socket.send(written(Asked(number, name, 0, TOP_K, Scan.of(ScanFilter(now_us=number)), vector)))
        is_sent.set()
        for _ in range(searches):
            socket.recv()


def _name(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--namespaces", type=int, default=64)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--searches", type=int, default=5_120)
    parser.add_argument("--profile", action="store_true", help="print what takes the time instead")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
