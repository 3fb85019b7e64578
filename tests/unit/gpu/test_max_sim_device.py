"""Max-sim on a device says what its reference says, for many questions at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gpu.bank.errors import DimensionError
from gpu.ops.max_sim.codes import LEVELS, token_bytes
from gpu.ops.max_sim.device import STEP, Questions, max_sim_on_device, questions
from gpu.ops.max_sim.reference import max_sim_rows
from gpu.ops.max_sim.triton_kernel import INNER, OUTER
from tests.fixtures.device_rows import DEVICE


def made(rng: np.random.Generator, lengths: list[int], dim: int) -> tuple[list[np.ndarray], Questions]:
    tokens = [rng.standard_normal((q, dim)).astype(np.float32) for q in lengths]
    tokens = [of / np.linalg.norm(of, axis=1, keepdims=True) for of in tokens]
    return tokens, questions([torch.from_numpy(of).to(DEVICE) for of in tokens])


def on_device(
    codes: np.ndarray, starts: np.ndarray, counts: np.ndarray, asked: np.ndarray, of: Questions
) -> np.ndarray:
    found = max_sim_on_device(
        torch.from_numpy(codes).to(DEVICE),
        torch.from_numpy(starts.astype(np.int64)).to(DEVICE),
        torch.from_numpy(counts.astype(np.int32)).to(DEVICE),
        torch.from_numpy(asked.astype(np.int32)).to(DEVICE),
        of,
    )
    return found.cpu().numpy()


@pytest.mark.parametrize("dim", [1, 7, 132])
def test_it_is_the_reference(dim: int) -> None:
    rng = np.random.default_rng(dim)
    tokens, of = made(rng, [1, 3, 17, 35], dim)
    codes = rng.integers(0, 256, (300, token_bytes(dim))).astype(np.uint8)  # codes behind dim are anything
    counts = np.array([0, 1, 32, 70, 33, 0, 2])
    starts = np.array([0, 299, 7, 200, 40, 300, 7])  # in any order, over each other
    asked = np.array([0, 1, 2, 0, 3, 3, 1])
    found = on_device(codes, starts, counts, asked, of)
    for i in range(counts.size):
        own = codes[starts[i] : starts[i] + counts[i]]
        wanted = max_sim_rows(own, np.array([0, counts[i]]), tokens[asked[i]])[0]
        assert found[i] == pytest.approx(wanted, abs=1e-5, nan_ok=True)


def test_the_levels_are_whole_steps_so_that_half_precision_is_exact() -> None:
    assert pytest.approx(LEVELS[2:], abs=1e-12) == [INNER * STEP, OUTER * STEP]
    assert all(float(np.float16(level)) == level for level in (INNER, OUTER))


def test_a_long_question_of_long_numbers_loses_nothing() -> None:
    rng = np.random.default_rng(2)
    tokens = rng.standard_normal((40, 64)).astype(np.float32) * np.float32(1 / 3)
    codes = rng.integers(0, 256, (64, 16)).astype(np.uint8)
    of = questions([torch.from_numpy(tokens).to(DEVICE)])
    found = on_device(codes, np.zeros(1), np.array([64]), np.zeros(1), of)
    wanted = max_sim_rows(codes, np.array([0, 64]), tokens)
    assert found == pytest.approx(wanted, abs=3e-6), "half precision alone would miss this by a hundred times as much"


def test_no_memories_at_all() -> None:
    _, of = made(np.random.default_rng(3), [2], 8)
    none = np.empty(0)
    assert on_device(np.empty((0, 2), np.uint8), none, none, none, of).shape == (0,)


def test_what_does_not_fit_is_refused() -> None:
    _, of = made(np.random.default_rng(4), [2], 8)
    one = np.zeros(1)
    with pytest.raises(DimensionError):
        on_device(np.zeros((3, 3), np.uint8), one, one, one, of)
    with pytest.raises(ValueError, match="uint8"):
        on_device(np.zeros((3, 2), np.int32), one, one, one, of)
    with pytest.raises(ValueError, match=r"\[m\]"):
        on_device(np.zeros((3, 2), np.uint8), one, np.zeros(2), one, of)
    codes = torch.zeros((3, 2), dtype=torch.uint8, device=DEVICE)
    with pytest.raises(ValueError, match="int64"):
        max_sim_on_device(codes, torch.zeros(1, device=DEVICE), torch.zeros(1), torch.zeros(1), of)
    for wrong in ([], [torch.zeros((0, 8))], [torch.zeros((1, 8)), torch.zeros((1, 7))], [torch.zeros(8)]):
        with pytest.raises(ValueError, match="at least one token"):
            questions(wrong)
    with pytest.raises(ValueError, match="finite"):
        questions([torch.full((1, 8), float("nan"))])
