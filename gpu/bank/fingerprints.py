"""What a memory version holds, short enough to compare the bank with the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import NamedTuple

import numpy as np
import xxhash

from gpu.bank.layouts import ARENAS
from gpu.bank.records import RecordBatch

_RANGES = frozenset(name for arena in ARENAS.values() for name in (arena.offsets, *arena.columns.values()))
# Named here or of no account: how a memory decays moves without a new version.
_ELSEWHERE = frozenset({"memory_ids", "versions", "states", "recorded_to_us", "stabilities", "last_recalled_us"})
_PLAIN = tuple(f.name for f in fields(RecordBatch) if f.name not in _RANGES | _ELSEWHERE)


class Fingerprint(NamedTuple):
    """What is held of one memory version.

    `digest` is the 16-byte XXH3 of everything else that the row holds: its other columns (but for the decay) and its
    vectors, terms, pairs, mentions, times, places, links, text and token codes, each led by its number of bytes.
    """

    memory_id: bytes
    version: int
    state: int
    recorded_to_us: int
    digest: bytes


def fingerprints(batch: RecordBatch) -> Iterator[Fingerprint]:
    """What identifies each version of a batch."""
    plain = [_bytes_of(getattr(batch, name), len(batch)) for name in _PLAIN]
    ranges = []
    for arena in ARENAS.values():
        offsets = getattr(batch, arena.offsets)
        for name in arena.columns.values():
            values, width = _bytes_of(getattr(batch, name), int(offsets[-1]))
            ranges.append((values, (offsets * width).tolist()))
    for i in range(len(batch)):
        parts = [values[i * width : (i + 1) * width] for values, width in plain]
        for values, ends in ranges:
            parts += (ends[i + 1] - ends[i]).to_bytes(8, "little"), values[ends[i] : ends[i + 1]]
        yield Fingerprint(
            batch.memory_ids[i].tobytes(),
            int(batch.versions[i]),
            int(batch.states[i]),
            int(batch.recorded_to_us[i]),
            xxhash.xxh3_128_digest(b"".join(parts)),
        )


def _bytes_of(values: np.ndarray, n: int) -> tuple[memoryview, int]:
    """The bytes of `n` entries, and how many one entry has."""
    data = memoryview(np.ascontiguousarray(values).tobytes())
    return data, len(data) // n if n else 0
