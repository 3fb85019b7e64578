"""Many rows that lie as real embeddings do: what a search that may overlook something must be judged on.

Random vectors say nothing about recall: none is near another. A row that is made is

    unit(sum_k w_k neighbour_k + residual),   w uniform on the simplex, over a real row's 8 nearest neighbours

The residual is that of a real row near by (the row less such a mixture of *its* neighbours), with its principal
coordinates under random signs. Mixtures alone would lie between real rows and nearer to each other than real ones, in
clusters that any code finds; residuals give back the distances between neighbours, their directions (few of the
dimensions hold most of it) and the mean that all vectors of a model share. The same as in `benchmarks.models_tiers`,
which reports how alike made and real rows are, here in torch: ten million rows take seconds on a device. Questions are
real ones and never made.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

VARIABLE = "MEMSVC_BENCH_EMBEDDINGS"
"""Environment variable with the path of a file that `python -m benchmarks.bank_embeddings` wrote."""
_NEIGHBOURS = 8
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Real:
    """Real embeddings, float32 of unit length: `rows` `[n, dim]` and `questions` `[q, dim]`."""

    rows: torch.Tensor
    questions: torch.Tensor


def real(device: torch.device) -> Real | None:
    """The file that the environment names, on a device; None if it names none."""
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    with np.load(Path(path), allow_pickle=False) as found:
        rows, questions = (torch.from_numpy(found[name]).to(device).float() for name in ("rows", "questions"))
    return Real(torch.nn.functional.normalize(rows, dim=1), torch.nn.functional.normalize(questions, dim=1))


def enlarged(rows: torch.Tensor, n: int, seed: int = 3) -> torch.Tensor:
    """`n` rows, half precision `[n, dim]`, where `rows` lie: the real ones first, then made ones."""
    at = torch.Generator(rows.device).manual_seed(seed)
    cosines = rows @ rows.T
    cosines.fill_diagonal_(-torch.inf)
    near = cosines.topk(_NEIGHBOURS, dim=1).indices
    del cosines

    def mixtures(of: torch.Tensor) -> torch.Tensor:
        weights = -torch.log1p(-torch.rand((len(of), _NEIGHBOURS), generator=at, device=rows.device))
        weights /= weights.sum(dim=1, keepdim=True)
        return torch.einsum("nk,nkd->nd", weights, rows[near[of]])

    residuals = rows - mixtures(torch.arange(len(rows), device=rows.device))
    axes = torch.linalg.eigh(residuals.T @ residuals).eigenvectors
    principal = residuals @ axes
    out = torch.empty((n, rows.shape[1]), dtype=torch.float16, device=rows.device)
    out[: len(rows)] = rows[:n].half()
    for start in range(len(rows), n, _CHUNK):
        count = min(_CHUNK, n - start)
        of = torch.randint(0, len(rows), (count,), generator=at, device=rows.device)
        pick = torch.randint(0, _NEIGHBOURS, (count,), generator=at, device=rows.device)
        signs = torch.randint(0, 2, (count, rows.shape[1]), generator=at, device=rows.device) * 2 - 1
        made = mixtures(of) + (principal[near[of, pick]] * signs) @ axes.T
        out[start : start + count] = torch.nn.functional.normalize(made, dim=1).half()
    return out
