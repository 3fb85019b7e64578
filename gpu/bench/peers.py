"""faiss on the same device and data, in the same run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from gpu.bench.timing import wall_ms
from gpu.faiss_library import faiss, graphics_cards

_CHUNK = 1 << 17
"""Rows that are handed to faiss at a time, as float32."""


def faiss_flat_ms(vectors: Sequence[torch.Tensor], asked: torch.Tensor, of: Sequence[int], k: int) -> float | None:
    """Milliseconds of exact search with a flat index for each namespace, one call for each that is asked.

    Queries and answers are in host memory, as faiss has them. None where faiss is not installed or has no device.

    Args:
        vectors: rows of each namespace, half precision, which the indexes keep.
        asked: float32 `[b, dim]`.
        of: the namespace of each query.
        k: how many.
    """
    library = faiss()
    if library is None or not graphics_cards(library):
        return None
    resources = library.StandardGpuResources()
    config = library.GpuIndexFlatConfig()
    config.useFloat16 = True
    queries = asked.cpu().numpy()
    by_namespace: defaultdict[int, list[int]] = defaultdict(list)
    for query, number in enumerate(of):
        by_namespace[number].append(query)
    work = []
    for number, own in by_namespace.items():
        index = library.GpuIndexFlatIP(resources, queries.shape[1], config)
        for at in range(0, len(vectors[number]), _CHUNK):
            index.add(vectors[number][at : at + _CHUNK].float().cpu().numpy())
        work.append((index, np.ascontiguousarray(queries[own])))
    return wall_ms(lambda: [index.search(part, k) for index, part in work])
