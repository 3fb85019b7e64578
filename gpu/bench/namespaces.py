"""Made-up namespaces, written through the host's bank and mirrored, so that their pages lie as they would in use."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import NEVER_US, UNKNOWN_US, RecordBatch, empty_columns
from gpu.bench.descriptions import describe
from gpu.bench.timing import wait_for
from gpu.device.attributes import DeviceAttributes
from gpu.device.mirror import DeviceRows
from gpu.device.pool import DevicePool

_ROUNDS = 4
"""Namespaces are written in turns, so that the pages of one do not lie together."""
_BATCH = 1 << 20
"""Rows that are written at a time."""
Rows = Callable[[int, int, torch.device], torch.Tensor]
"""Makes unit rows, half precision `[n, dim]`."""


@dataclass(frozen=True, slots=True)
class Made:
    """Namespaces on a device.

    Attributes:
        banks: the namespaces in host memory.
        mirrors: copies of their vectors.
        attributes: the same of their attributes, if these were asked for.
        vectors: their rows as plain tensors in the same order.
        rows_per_s: rows that were copied in a second.
    """

    banks: list[NamespaceBank]
    mirrors: list[DeviceRows]
    attributes: list[DeviceAttributes]
    vectors: list[torch.Tensor]
    rows_per_s: float


def random_rows(n: int, dim: int, device: torch.device) -> torch.Tensor:
    """Unit rows of no particular direction: none is near another."""
    return torch.nn.functional.normalize(torch.randn(n, dim, device=device), dim=1).half()


def make(
    pool: DevicePool,
    sizes: Sequence[int],
    dim: int,
    seed: int = 1,
    rows: Rows = random_rows,
    *,
    described: bool = False,
) -> Made:
    """Namespaces of so many memories with one vector each.

    Args:
        pool: for the mirrors.
        sizes: memories of each.
        dim: of the vectors.
        seed: of everything.
        rows: makes the vectors.
        described: whether memories have words, mentions, times and so on (see `gpu.bench.descriptions`), and their
            attributes are mirrored too.
    """
    torch.manual_seed(seed)
    device = pool.device
    vectors = [rows(n, dim, device) for n in sizes]
    host = PagePool()
    banks = [NamespaceBank(host, dim) for _ in sizes]
    rng = np.random.default_rng(seed)
    mirrors: list[DeviceRows] = []
    attributes: list[DeviceAttributes] = []
    spent = 0.0
    for turn in range(_ROUNDS):
        for number, (bank, own) in enumerate(zip(banks, vectors, strict=True)):
            start, end = (len(own) * part // _ROUNDS for part in (turn, turn + 1))
            for at in range(start, end, _BATCH):
                batch = batch_of(own[at : min(end, at + _BATCH)].cpu().numpy(), at)
                bank.put(describe(batch, rng) if described else batch)
            with bank.pinned() as seen:
                if turn == 0:
                    mirrors.append(DeviceRows(pool, seen.current))
                    attributes += [DeviceAttributes(pool, seen.current)] if described else []
                wait_for(device)
                begun = time.perf_counter()
                mirrors[number].follow(seen.current_rows)
                if described:
                    attributes[number].follow(seen.current_rows)
                wait_for(device)
                spent += time.perf_counter() - begun
    return Made(banks, mirrors, attributes, vectors, sum(sizes) / spent)


def filled(n: int, dim: int, seed: int) -> NamespaceBank:
    """A namespace in host memory of so many random unit vectors, one for each memory."""
    rows = np.random.default_rng(seed).standard_normal((n, dim), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    bank = NamespaceBank(PagePool(), dim)
    bank.put(batch_of(rows.astype(np.float16), 0))
    return bank


def queries(n: int, dim: int, device: torch.device, seed: int = 2) -> torch.Tensor:
    """Random unit queries, float32 `[n, dim]`."""
    torch.manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(n, dim, device=device), dim=1)


def batch_of(vectors: np.ndarray[tuple[int, int], np.dtype[np.float16]], first: int) -> RecordBatch:
    """New memories with one vector and nothing else."""
    n = len(vectors)
    ids = np.zeros((n, 16), np.uint8)
    ids[:, 8:] = (
        (np.arange(first, first + n, dtype=np.uint64) + np.uint64(1)).astype(">u8").view(np.uint8).reshape(n, 8)
    )
    none, offsets, unknown, never = (
        np.zeros(n + 1, np.int64),
        np.arange(n + 1),
        np.full(n, UNKNOWN_US),
        np.full(n, NEVER_US),
    )
    halves = np.full(n, 0.5, np.float32)
    return RecordBatch(
        memory_ids=ids, versions=np.ones(n, np.int32), kinds=np.zeros(n, np.uint8), states=np.zeros(n, np.uint8),
        occurred_us=unknown, valid_from_us=unknown, valid_to_us=never, recorded_from_us=np.zeros(n, np.int64),
        recorded_to_us=never, expires_us=never, importances=halves, stabilities=halves, trusts=halves,
        last_recalled_us=unknown, lengths=np.zeros(n, np.uint32), pairs=np.empty(0, np.uint64), pair_offsets=none,
        term_ids=np.empty(0, np.uint32), term_freqs=np.empty(0, np.uint16), term_offsets=none,
        entity_ids=np.empty(0, np.uint64), entity_offsets=none, vectors=vectors, view_offsets=offsets,
        **empty_columns(n),
    )  # fmt: skip
