"""Hopfield completion over a device's pages against its reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gpu.bank.errors import DimensionError, PageOwnershipError
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.ops.hopfield import device
from gpu.ops.hopfield.device import MOST_DIM, Completions, complete_on_device
from gpu.ops.hopfield.op import complete
from gpu.ops.hopfield.reference import energy_rows, entropy_rows, step_rows
from gpu.ops.paged_search.op import plan
from tests.fixtures.device_rows import DEVICE, OnDevice, bank_in_steps, poisoned_pool


def cues_of(rng: np.random.Generator, b: int, dim: int) -> torch.Tensor:
    cues = rng.standard_normal((b, dim)).astype(np.float32)
    return torch.from_numpy(cues / np.linalg.norm(cues, axis=1, keepdims=True)).to(DEVICE)


def patterns_of(rows: OnDevice, mask: torch.Tensor | None = None) -> np.ndarray:
    kept = rows.slots >= 0
    if mask is not None:
        kept &= mask[rows.slots.clamp(min=0).long()] != 0
    return rows.vectors[kept].cpu().numpy()


@pytest.mark.parametrize(("dim", "beta"), [(1, 20.0), (24, 0.1), (24, 150.0), (100, 20.0)])
def test_a_step_is_that_of_the_reference(dim: int, beta: float) -> None:
    rng = np.random.default_rng(dim)
    pool = poisoned_pool()
    rows = [OnDevice(pool, bank_in_steps(rng, n, dim)) for n in (33, 1, 60)]
    masks = [None, None, torch.from_numpy(rng.integers(0, 2, 60).astype(np.uint8)).to(DEVICE)]
    cues = cues_of(rng, 3, dim)
    betas = torch.full((3,), beta, device=DEVICE)
    found = complete_on_device(cues, plan([of.device.rows for of in rows], masks), betas, most=1)
    for i, of in enumerate(rows):
        patterns, cue = patterns_of(of, masks[i]).astype(np.float64), cues[i].cpu().numpy().astype(np.float64)
        if not len(patterns):
            assert torch.equal(found.states[i], cues[i])
            assert float(found.attended[i]) == 0
            continue
        constant = np.log(len(patterns)) / beta + (patterns**2).sum(axis=1).max() / 2
        assert found.states[i].cpu().numpy() == pytest.approx(step_rows(patterns, cue, beta), abs=2e-5)
        assert float(found.energies[i, 0]) + constant == pytest.approx(energy_rows(patterns, cue, beta), abs=1e-4)
        assert float(found.attended[i]) == pytest.approx(np.exp(entropy_rows(beta * patterns @ cue)), rel=1e-3)


def test_it_ends_where_the_host_does() -> None:
    rng = np.random.default_rng(1)
    rows = OnDevice(poisoned_pool(), bank_in_steps(rng, 40, 32))
    cues, betas = cues_of(rng, 3, 32), torch.tensor([2.0, 25.0, 60.0], device=DEVICE)
    found = complete_on_device(cues, plan([rows.device.rows] * 3), betas, most=4)
    for i in range(3):
        wanted = complete(patterns_of(rows), cues[i].cpu().numpy(), float(betas[i]), most=4)
        assert found.states[i].cpu().numpy() == pytest.approx(wanted.state, abs=1e-4)
        energies = found.energies[i].cpu().numpy()
        assert np.isnan(energies).tolist() == [step >= wanted.energies.size for step in range(4)]
        assert energies[: wanted.energies.size] == pytest.approx(wanted.energies, abs=1e-4)
        assert float(found.attended[i]) == pytest.approx(wanted.attended, rel=1e-2)
        assert bool(found.settled[i]) == wanted.settled


def test_many_cues_of_one_namespace_beside_empty_ones_come_back_in_order() -> None:
    rng = np.random.default_rng(2)
    pool = poisoned_pool()
    empty, some = OnDevice(pool, bank_in_steps(rng, 0, 16)), OnDevice(pool, bank_in_steps(rng, 20, 16))
    asked = [some, empty, some, some, some, empty]  # the plan puts the shared ones behind
    cues, betas = cues_of(rng, 6, 16), torch.full((6,), 30.0, device=DEVICE)
    found = complete_on_device(cues, plan([of.device.rows for of in asked]), betas, most=1)
    for i, of in enumerate(asked):
        if of is empty:
            assert torch.equal(found.states[i], cues[i])
            assert not bool(found.settled[i])
        else:
            wanted = step_rows(patterns_of(of).astype(np.float64), cues[i].cpu().numpy().astype(np.float64), 30.0)
            assert found.states[i].cpu().numpy() == pytest.approx(wanted, abs=2e-5)


def test_more_chunks_than_are_merged_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_CHUNKS", 2)
    rng = np.random.default_rng(3)
    bank = bank_in_steps(rng, 200, 4)
    rows = OnDevice(poisoned_pool(), bank)
    batch = plan([rows.device.rows])
    assert batch.first_chunks[-1] > 2
    cue = cues_of(rng, 1, 4)
    found = complete_on_device(cue, batch, torch.tensor([40.0], device=DEVICE), most=1)
    wanted = step_rows(patterns_of(rows).astype(np.float64), cue[0].cpu().numpy().astype(np.float64), 40.0)
    assert found.states[0].cpu().numpy() == pytest.approx(wanted, abs=2e-5)


def test_a_page_of_somebody_else_is_refused() -> None:
    rng = np.random.default_rng(4)
    mirror = OnDevice(poisoned_pool(), bank_in_steps(rng, 20, 8, max_views=1)).device
    batch = plan([mirror.rows])
    mirror.release()
    with pytest.raises(PageOwnershipError):
        complete_on_device(cues_of(rng, 1, 8), batch, torch.ones(1, device=DEVICE), most=1)


def test_what_does_not_fit_is_refused() -> None:
    rng = np.random.default_rng(5)
    pool = poisoned_pool()
    batch = plan([OnDevice(pool, bank_in_steps(rng, 5, 8)).device.rows])
    wide = plan([OnDevice(pool, NamespaceBank(PagePool(), MOST_DIM + 1)).device.rows])
    cue, one = cues_of(rng, 1, 8), torch.ones(1, device=DEVICE)

    def ask(cues: torch.Tensor, betas: torch.Tensor, most: int = 1) -> Completions:
        return complete_on_device(cues, wide if cues.shape[-1] > MOST_DIM else batch, betas, most=most)

    for cues, betas, most in (
        (cue.double(), one, 1), (cue[0], one, 1), (cue.repeat(2, 1), one, 1), (cue.repeat(1, 2)[:, ::2], one, 1),
        (cue, one.double(), 1), (cue, one.repeat(2), 1), (cue, one, 0), (cue, one * 0, 1), (cue, one * torch.inf, 1),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"cues|betas"):
            ask(cues, betas, most)
    for cues in (cues_of(rng, 1, 9), cues_of(rng, 1, MOST_DIM + 1)):
        with pytest.raises(DimensionError):
            ask(cues, one)
