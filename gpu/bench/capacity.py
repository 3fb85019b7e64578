"""How many bytes a memory takes, column by column, and what would fit a device.

Bytes are measured on namespaces that were written through the bank; how many rows would fit 80 GB is extrapolated from
them, and says so in its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from gpu.bank.filters import ScanFilter
from gpu.bank.layouts import Tier, token_bytes
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bench.descriptions import describe
from gpu.bench.namespaces import batch_of, queries
from gpu.bench.results import Measured
from gpu.device.attributes import DeviceAttributes
from gpu.device.bank import DeviceBank
from gpu.device.coded import CodedRows
from gpu.device.mirror import DeviceRows
from gpu.device.page_mirror import Mirror
from gpu.device.pool import DevicePool
from gpu.device.query import Query

DIM = 384
SIZES = (1_000, 10_000, 100_000)
_DEVICE_BYTES = 80e9
_COUNTS = {"terms": 25, "pairs": 4, "entities": 2, "spans": 1, "places": 1, "links": 1, "texts": 150, "tokens": 30}
"""What a memory of 25 words has of each arena."""


def run(_bytes_per_ms: float) -> Iterator[Measured]:
    """One line for each size of a namespace."""
    for size in SIZES:
        yield measured(size, torch.device("cuda"))


def measured(n: int, device: torch.device) -> Measured:
    """Bytes allocated for each memory of a namespace of `n`, with one vector each."""
    bank = NamespaceBank(PagePool(), DIM)
    bank.put(memories(n))
    pool = DevicePool(device, n * 4 * DIM * 2 + (16 << 20))
    there = DeviceBank(pool)
    there.search([Query(bank, ScanFilter(), queries(1, DIM, device)[0].cpu().numpy(), 1)])
    with bank.pinned() as seen:
        segment = seen.current
        names = (name for name in segment.__slots__ if hasattr(getattr(segment, name), "layout"))
        held = {f"{name}_bytes": getattr(segment, name).memory_bytes() / n for name in names}
    on_device = there.residency.device_bytes / n
    there.close()
    everything = sum(held.values())
    there_are = on_device_bytes(n, device)
    attributes = there_are.pop("attributes")
    return Measured(
        "capacity", f"namespaces of {n:,}", None, None, None,
        {
            **held, "host_bytes_per_row": bank.memory_bytes() / n, "device_bytes_per_row": on_device,
            "extrapolated_rows_in_80_gb_as_on_device": _DEVICE_BYTES / on_device,
            "extrapolated_rows_in_80_gb_all_columns": _DEVICE_BYTES / everything,
            "extrapolated_rows_in_80_gb_without_tokens": _DEVICE_BYTES / (everything - held["tokens_bytes"]),
            "device_attributes_bytes": attributes,
            **{f"device_{tier}_bytes": size for tier, size in there_are.items()},
            **{
                f"extrapolated_rows_in_80_gb_with_attributes_at_{tier}": _DEVICE_BYTES / (attributes + size)
                for tier, size in there_are.items()
            },
        },
    )  # fmt: skip


def on_device_bytes(n: int, device: torch.device) -> dict[str, float]:
    """Bytes on a device for each of `n` memories as they are spoken of (`gpu.bench.descriptions`).

    Of their attributes, and of their vectors in each tier; of the coarsest, which proposes what others rank, the exact
    ones lie in pinned memory of the host.
    """
    bank = NamespaceBank(PagePool(), DIM)
    vectors = queries(n, DIM, torch.device("cpu")).numpy().astype(np.float16)
    bank.put(describe(batch_of(vectors, 0), np.random.default_rng(1)))
    pool = DevicePool(device, n * (DIM * 4 + 1_000) + (16 << 20))
    with bank.pinned() as seen:
        mirrors: dict[str, Mirror] = {
            "attributes": DeviceAttributes(pool, seen.current),
            "fp16": DeviceRows(pool, seen.current),
            "int8": CodedRows(pool, seen.current, tier=Tier.INT8),
            "bit1": CodedRows(pool, seen.current, tier=Tier.BIT1),
        }
        for mirror in mirrors.values():
            mirror.follow(seen.current_rows)
    return {name: mirror.memory_bytes / n for name, mirror in mirrors.items()}


def memories(n: int) -> Any:
    """Memories that have something in every column."""
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((n, DIM), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    total = {name: n * count for name, count in _COUNTS.items()}
    offsets = {name: np.arange(n + 1) * count for name, count in _COUNTS.items()}
    starts = rng.integers(0, 1 << 40, total["spans"])
    return replace(
        batch_of(rows.astype(np.float16), 0),
        term_ids=rng.integers(0, 1 << 32, total["terms"], np.uint32), term_freqs=np.ones(total["terms"], np.uint16),
        term_offsets=offsets["terms"],
        pairs=rng.integers(0, 1 << 63, total["pairs"], np.uint64), pair_offsets=offsets["pairs"],
        entity_ids=rng.integers(0, 1 << 63, total["entities"], np.uint64), entity_offsets=offsets["entities"],
        spans=np.stack([starts, starts + 1], axis=1), span_offsets=offsets["spans"],
        place_ids=rng.integers(0, 1 << 63, total["places"], np.uint64), place_offsets=offsets["places"],
        link_targets=rng.integers(0, 256, (total["links"], 16), np.uint8),
        link_relations=np.zeros(total["links"], np.uint8), link_offsets=offsets["links"],
        texts=rng.integers(97, 123, total["texts"], np.uint8), text_offsets=offsets["texts"],
        tokens=rng.integers(0, 256, (total["tokens"], token_bytes(DIM)), np.uint8), token_offsets=offsets["tokens"],
    )  # fmt: skip
