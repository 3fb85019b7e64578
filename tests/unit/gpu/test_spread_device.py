"""The spread on a device against the fixed point that a dense linear solve gives, and against the host's steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gpu.ops.spread import device
from gpu.ops.spread.device import DeviceGraph, device_graph, spread_on_device
from gpu.ops.spread.op import Graph, graph, spread
from gpu.ops.spread.reference import spread_rows
from tests.fixtures.device_rows import DEVICE


def made(rng: np.random.Generator, n: int, edges: int) -> tuple[Graph, np.ndarray]:
    sources, targets = rng.integers(0, n, (2, edges))
    targets[rng.random(edges) < 0.4] = n // 2  # much leads to one node
    weights = rng.random(edges) * (rng.random(edges) < 0.8)
    dense = np.zeros((n, n))
    np.add.at(dense, (sources, targets), weights)
    return graph(n, sources, targets, weights), dense


def on_device(over: Graph) -> DeviceGraph:
    return device_graph(*(torch.from_numpy(of).to(DEVICE) for of in (over.offsets, over.targets, over.shares)))


@pytest.mark.parametrize(
    ("n", "edges", "piece"),
    [(1, 0, 256), (1, 3, 2), (7, 40, 5), (40, 60, 16), (300, 0, 5)],
)
def test_it_reaches_the_fixed_point(n: int, edges: int, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "PIECE", piece)
    rng = np.random.default_rng(n)
    over, dense = made(rng, n, edges)
    seeds = rng.random((2, n)) + 1e-3
    seeds[1] = 0
    seeds[1, n // 3] = 2.0
    found, _ = spread_on_device(on_device(over), torch.from_numpy(seeds).to(DEVICE), 0.8, tolerance=1e-6, most=12)
    for own, of in zip(found.cpu().numpy(), seeds, strict=True):
        assert own == pytest.approx(spread_rows(dense, of, 0.8), abs=3e-6)
        assert own.sum() == pytest.approx(1.0, abs=1e-5)


def test_it_stops_where_the_host_does_and_each_question_by_itself() -> None:
    rng = np.random.default_rng(3)
    over, _ = made(rng, 40, 70)
    seeds = np.zeros((3, 40))
    seeds[0, :3] = (3, 2, 1)
    seeds[1] = 1.0
    seeds[2, 20] = 1e-6
    found, steps = spread_on_device(on_device(over), torch.from_numpy(seeds).to(DEVICE), 0.7, tolerance=1e-3)
    for row in range(3):
        wanted, count = spread(over, seeds[row], 0.7, tolerance=1e-3)
        assert int(steps[row]) == count
        assert found[row].cpu().numpy() == pytest.approx(wanted, abs=1e-6)
    assert len(set(steps.tolist())) > 1


def test_the_same_question_gives_the_same_answer_to_the_last_digit_and_it_stops_in_any_case() -> None:
    around = np.arange(40)
    ring = on_device(graph(40, around, (around + 1) % 40, np.ones(40)))
    first = torch.from_numpy((around < 3).astype(float))[None].to(DEVICE)
    found, steps = spread_on_device(ring, first, 0.01, most=3)
    assert steps.tolist() == [3]
    assert torch.equal(found, spread_on_device(ring, first, 0.01, most=3)[0])


def test_no_questions_at_all() -> None:
    over, _ = made(np.random.default_rng(4), 5, 9)
    found, steps = spread_on_device(on_device(over), torch.empty((0, 5), device=DEVICE), 0.5)
    assert found.shape == (0, 5)
    assert steps.shape == (0,)


def test_what_does_not_fit_is_refused() -> None:
    over = on_device(graph(1, np.array([0]), np.array([0]), np.ones(1)))
    for seeds, damping in (
        ([[1.0, 1.0]], 0.5), ([1.0], 0.5), ([[0.0]], 0.5), ([[-1.0]], 0.5), ([[np.inf]], 0.5), ([[np.nan]], 0.5),
        ([[1.0]], 0.0), ([[1.0]], 1.1),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"seeds|damping"):
            spread_on_device(over, torch.tensor(seeds, device=DEVICE), damping)
    none = torch.empty(0, dtype=torch.int64, device=DEVICE)
    for offsets, targets in ((none, none), (none.new_zeros(2), none.new_zeros(3))):
        with pytest.raises(ValueError, match="offsets"):
            device_graph(offsets, targets, torch.empty(0, device=DEVICE))
