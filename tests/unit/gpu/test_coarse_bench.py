"""What the benchmark of coarse search is made of: rows as real ones lie, and an honest count of what was found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gpu.bank.layouts import Tier
from gpu.bench import coarse_search, enlarged
from gpu.bench.coarse_search import Made, Shape, recall

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def real_rows(n: int = 40, dim: int = 16) -> torch.Tensor:
    rows = torch.randn((n, dim), generator=torch.Generator().manual_seed(1)) + 0.5
    return torch.nn.functional.normalize(rows, dim=1).to(DEVICE)


def test_rows_are_enlarged_without_near_duplicates() -> None:
    real = real_rows()
    rows = enlarged.enlarged(real, 200)
    assert rows.shape == (200, 16)
    assert rows.dtype == torch.float16
    torch.testing.assert_close(rows[:40], real.half())
    torch.testing.assert_close(rows.float().norm(dim=1), torch.ones(200, device=DEVICE), atol=2e-3, rtol=0)
    cosines = rows.float() @ rows.float().T
    cosines.fill_diagonal_(-1)
    assert cosines.max() < 0.999
    assert torch.equal(enlarged.enlarged(real, 30), real[:30].half())


def test_the_file_is_found_by_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(enlarged.VARIABLE, raising=False)
    assert enlarged.real(DEVICE) is None
    np.savez(tmp_path / "e.npz", rows=np.full((3, 4), 2, np.float16), questions=np.ones((2, 4), np.float16))
    monkeypatch.setenv(enlarged.VARIABLE, str(tmp_path / "e.npz"))
    found = enlarged.real(DEVICE)
    assert found is not None
    torch.testing.assert_close(found.rows, torch.full((3, 4), 0.5, device=DEVICE))
    assert found.questions.shape == (2, 4)


def test_what_was_not_found_is_counted_and_a_false_claim_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coarse_search, "K", 3)
    made, shape = Made(enlarged.enlarged(real_rows(), 50)), Shape("", Tier.INT8, 50)
    question = real_rows(1)
    whole = recall(question, made, shape)
    assert (whole.recall, whole.complete) == (1.0, 1.0)
    made.vectors = torch.cat([made.vectors, question.half()])  # which the mirrors do not hold
    with pytest.raises(AssertionError, match="called complete"):
        recall(question, made, shape)
