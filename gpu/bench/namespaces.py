"""Made-up namespaces, written through the host's bank and mirrored, so that their pages lie as they would in use."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import NEVER_US, UNKNOWN_US, RecordBatch, empty_columns
from gpu.bench.descriptions import describe
from gpu.device.attributes import DeviceAttributes
from gpu.device.mirror import DeviceRows
from gpu.device.pool import DevicePool

_ROUNDS = 4
"""Namespaces are written in turns, so that the pages of one do not lie together."""


@dataclass(frozen=True, slots=True)
class Made:
    """Namespaces on a device: their mirrors, their rows as plain tensors in the same order, and what mirroring took.

    Also the namespaces in host memory, and the mirrors of their attributes if these were asked for.
    """

    mirrors: list[DeviceRows]
    vectors: list[torch.Tensor]
    rows_per_s: float
    banks: list[NamespaceBank]
    attributes: list[DeviceAttributes]


def make(pool: DevicePool, sizes: Sequence[int], dim: int, seed: int = 1, *, described: bool = False) -> Made:
    """Namespaces of so many random unit vectors, one for each memory, half precision.

    Args:
        pool: for the mirrors.
        sizes: memories of each.
        dim: of the vectors.
        seed: of everything.
        described: whether memories have words, mentions, times and so on (see `gpu.bench.descriptions`), and their
            attributes are mirrored too.
    """
    torch.manual_seed(seed)
    device = pool.device
    vectors = [_unit(n, dim, device) for n in sizes]
    host = PagePool()
    banks = [NamespaceBank(host, dim) for _ in sizes]
    rng = np.random.default_rng(seed)
    mirrors: list[DeviceRows] = []
    attributes: list[DeviceAttributes] = []
    spent = 0.0
    for turn in range(_ROUNDS):
        for number, (bank, rows) in enumerate(zip(banks, vectors, strict=True)):
            start, end = (len(rows) * part // _ROUNDS for part in (turn, turn + 1))
            if end > start:
                batch = batch_of(rows[start:end].cpu().numpy(), start)
                bank.put(describe(batch, rng) if described else batch)
            with bank.pinned() as seen:
                if turn == 0:
                    mirrors.append(DeviceRows(pool, seen.current))
                    attributes += [DeviceAttributes(pool, seen.current)] if described else []
                torch.cuda.synchronize()
                begun = time.perf_counter()
                mirrors[number].follow(seen.current_rows)
                if described:
                    attributes[number].follow(seen.current_rows)
                torch.cuda.synchronize()
                spent += time.perf_counter() - begun
    return Made(mirrors, vectors, sum(sizes) / spent, banks, attributes)


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


def _unit(n: int, dim: int, device: torch.device) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(n, dim, device=device), dim=1).half()


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
