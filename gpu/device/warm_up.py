"""Kernels compiled before the first search waits for them.

Triton compiles a kernel for each combination of its constants when it is first launched, for about half a second. They
are kept on disk, so a second start finds them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gpu.ops.paged_search import op as paged_search


def warm_up(device: torch.device, dim: int, limits: Sequence[int]) -> None:
    """Compiles what a search needs; returns at once where kernels are interpreted.

    Args:
        device: that will be asked.
        dim: of the vectors.
        limits: how many memories will be asked for.
    """
    if device.type == "cuda":
        with torch.cuda.device(device):
            for limit in limits:
                paged_search.compiled(device, dim, limit)
