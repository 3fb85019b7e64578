"""A batch is filled up to a recorded shape, and what it is filled with changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from retrieval.embedders.recorded import Recorded, filled, fitting

DIM = 5


def work(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Something of every token that is there."""
    numbers = ids[:, :, None] * torch.arange(1, DIM + 1, device=ids.device)
    return (numbers * mask[:, :, None]).sum(1).float()


@pytest.mark.parametrize(
    ("n", "length", "shape"),
    [(1, 8, (1, 8)), (2, 8, (4, 8)), (65, 40, (128, 48)), (256, 64, (256, 64)), (257, 8, None), (1, 72, None)],
)
def test_the_smallest_shape_that_it_goes_into(n: int, length: int, shape: tuple[int, int] | None) -> None:
    assert fitting(n, length) == shape


def test_further_rows_have_a_token_and_further_columns_none() -> None:
    mask = filled(np.array([[True, False]]), (4, 8))
    assert mask.tolist() == [[True] + [False] * 7] * 4
    ids = filled(np.array([[7, 9]], np.int64), (4, 8))
    assert ids[0].tolist() == [7, 9, 0, 0, 0, 0, 0, 0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no device that records")
def test_what_is_played_is_what_the_work_makes() -> None:
    recorded = Recorded(torch, work, "cuda")
    rng = np.random.default_rng(1)
    for n, length in ((1, 8), (3, 16), (256, 64), (70, 24), (300, 8), (2, 80)):
        ids = rng.integers(1, 1_000, (n, length))
        mask = np.arange(length) < rng.integers(1, length + 1, (n, 1))
        expected = work(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
        np.testing.assert_array_equal(recorded(ids, mask), expected)
