"""Searches through the process that has the device: questions as text in, ids and scores out, from several processes.

    python -m benchmarks.gpu_process [--namespaces 1000] [--rows 10000] [--clients 8] [--threads 24] [--seconds 10]
        [--devices 1]

One process holds random unit rows in many namespaces, embeds the questions with the packaged model on the device, and
answers at a socket. Each client process has threads that ask one question after the other, of 8 to 16 words, each in a
namespace drawn at random. Without a device the kernels are interpreted: a few small namespaces then show that it works,
and no figure of that is saved.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks import _results
from benchmarks.quality.words import DEEDS, HOBBIES, WOMEN
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bench.namespaces import filled
from gpu.device.bank import DeviceBank
from gpu.device.pool import DevicePool
from gpu.process.client import GpuClient
from gpu.process.server import GpuServer
from retrieval.embedders import packaged
from retrieval.embedders.batched_questions import BatchedQuestions

NAME = "gpu_process"
COMMAND = "python -m benchmarks.gpu_process"
DIM = 384
TOP_K = 10
AIM_PER_S, AIM_P99_MS = 10_000, 30.0


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


def main(argv: Sequence[str] | None = None) -> None:
    """Fill, serve, ask, save."""
    options = _options(argv)  # threads hand the interpreter on when Python has them do so, as those of `memsvc gpu` do
    is_cuda = torch.cuda.is_available()
    devices = [torch.device("cuda", number) for number in range(options.devices)] if is_cuda else [torch.device("cpu")]
    begun = time.perf_counter()
    with ThreadPoolExecutor() as filling:
        made = filling.map(lambda number: filled(options.rows, DIM, seed=number), range(options.namespaces))
        banks = {_name(number): bank for number, bank in enumerate(made)}
    print(
        f"{options.namespaces} namespaces of {options.rows} filled in {time.perf_counter() - begun:.0f} s", flush=True
    )
    room = int(options.namespaces * options.rows * DIM * 2 * 1.25 / len(devices)) + (1 << 24)
    bank = DeviceBank(*(DevicePool(device, room) for device in devices))
    bank.warm_up([DIM], [TOP_K])
    server = GpuServer(bank, Held(banks), BatchedQuestions(packaged.locate(), device=devices[0].type))
    with tempfile.TemporaryDirectory() as folder:
        endpoint = f"ipc://{folder}/gpu"
        listening = threading.Event()
        thread = threading.Thread(target=server.run, args=(endpoint, listening.set))
        thread.start()
        listening.wait()
        _touch(endpoint, options.namespaces)
        waits_ms, asked_s = _asked(endpoint, options)
        server.stop()
        thread.join()
    figures = {
        "devices": len(devices),
        "namespaces": options.namespaces,
        "rows_each": options.rows,
        "client_processes": options.clients,
        "threads_each": options.threads,
        "answers": len(waits_ms),
        "per_s": round(len(waits_ms) / asked_s, 1),
        "p50_ms": round(float(np.percentile(waits_ms, 50)), 3),
        "p99_ms": round(float(np.percentile(waits_ms, 99)), 3),
        "aim_per_s": AIM_PER_S,
        "aim_p99_ms": AIM_P99_MS,
    }
    print(figures, flush=True)
    if is_cuda:
        print(_results.save(NAME, {**figures, "device": torch.cuda.get_device_name()}, command=COMMAND))


def _touch(endpoint: str, n: int) -> None:
    """Asks every namespace once, so that all are on the device."""
    client = GpuClient(endpoint, timeout_s=600.0)
    begun = time.perf_counter()
    for number in range(n):
        client.search(_name(number), 0, ScanFilter(), TOP_K, text="where is it?")
    print(f"asked each once in {time.perf_counter() - begun:.1f} s", flush=True)
    client.close()


def _asked(endpoint: str, options: argparse.Namespace) -> tuple[list[float], float]:
    """What every answer took, in milliseconds, and for how many seconds was asked."""
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    go = context.Barrier(options.clients)
    given = (options.namespaces, options.threads, options.seconds, go, results)
    clients = [context.Process(target=_client, args=(endpoint, number, *given)) for number in range(options.clients)]
    for client in clients:
        client.start()
    told = [results.get() for _ in clients]
    for client in clients:
        client.join()
    return [ms for waits, _ in told for ms in waits], float(np.mean([spent for _, spent in told]))


def _client(endpoint: str, seed: int, n: int, threads: int, seconds: float, go: Any, results: Any) -> None:
    client = GpuClient(endpoint, timeout_s=60.0)
    waits: list[float] = []
    go.wait()
    begun = time.perf_counter()

    def ask(number: int) -> None:
        rng = random.Random(f"{seed} {number}")
        while time.perf_counter() - begun < seconds:
            question = f"What did {rng.choice(WOMEN)} do after she {rng.choice(DEEDS)} and went {rng.choice(HOBBIES)}?"
            name = _name(rng.randrange(n))
            asked = time.perf_counter()
            found = client.search(name, 0, ScanFilter(), TOP_K, text=question)
            waits.append((time.perf_counter() - asked) * 1e3)
            if found.scores.size != TOP_K:
                raise RuntimeError("an answer was not whole")

    asking = [threading.Thread(target=ask, args=(number,)) for number in range(threads)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    spent = time.perf_counter() - begun
    client.close()
    results.put((waits, spent))


def _name(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--namespaces", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--threads", type=int, default=24, help="of each client process")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--devices", type=int, default=1, help="that the namespaces spread over")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
