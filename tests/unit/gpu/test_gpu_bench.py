"""The benchmark refuses what it must, measures every operation at a tiny size, and writes and draws the figures."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import torch

from gpu.bench import (
    __main__ as command,
)
from gpu.bench import (
    capacity,
    channel_pass,
    hopfield,
    large_index,
    max_sim,
    near_pairs,
    paged_search,
    peers,
    plot,
    results,
    spread,
    verify,
)
from gpu.bench.results import Measured
from tests.fixtures.device_rows import DEVICE


def once(run: Callable[[], object]) -> float:
    run()
    return 1.0


@pytest.fixture(autouse=True)
def _nothing_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (channel_pass, hopfield, large_index, max_sim, near_pairs, paged_search, spread):
        for name in ("graph_ms", "events_ms", "wall_ms"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, once)
    for module in (channel_pass, hopfield, near_pairs, paged_search, large_index, capacity):
        monkeypatch.setattr(module, "DIM", 16)
    for module in (channel_pass, paged_search, large_index):
        monkeypatch.setattr(module, "K", 2)


ELSEWHERE = {"appends", "channel_pass", "coarse_search", "large_index", "residency"}
"""Played by tests of their own."""


TINY: dict[str, Callable[[], Measured]] = {
    "capacity": lambda: capacity.measured(50, DEVICE),
    "hopfield": lambda: hopfield.measured(hopfield.Shape("tiny", [9]), DEVICE, 1e6),
    "max_sim": lambda: max_sim.measured(max_sim.Shape(1, 3, 2, 4, dim=16), DEVICE, 1e6),
    "near_pairs": lambda: near_pairs.measured(near_pairs.Shape("tiny", 40, near_pairs.copied), DEVICE, 1e6),
    "paged_search": lambda: paged_search.measured(paged_search.Shape("tiny", [6, 6], [0, 1]), DEVICE, 1e6),
    "spread": lambda: spread.measured(spread.Shape(1, 12, 3, 1), DEVICE, 1e6),
}


def test_every_operation_is_played() -> None:
    assert set(TINY) | ELSEWHERE == set(command.OPS)


@pytest.mark.filterwarnings("ignore:Sparse")  # torch says so of its own matrices, with which ours are compared
@pytest.mark.parametrize("op", sorted(TINY))
def test_an_operation_is_measured(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "_STEPS", 2)
    monkeypatch.setattr(max_sim, "_CHECKED", 1)
    line = TINY[op]()
    assert line.op == op
    if op == "capacity":
        assert line.ms is None
        assert float(line.more["tokens_bytes"] or 0) >= 30 * 4
        fitting = [
            line.more[f"extrapolated_rows_in_80_gb_with_attributes_at_{tier}"] for tier in ("fp16", "int8", "bit1")
        ]
        assert all(fitting)
    else:
        assert line.ms == 1.0
        assert line.floor_ms
    if op == "near_pairs":
        assert line.more["pairs"] == 4.0


def test_what_was_measured_is_saved_and_drawn(tmp_path: Path) -> None:
    timed = Measured("one", "tiny", 1.0, 0.25, 1.5, {"torch_ms": 2.0})
    counted = Measured("other", "tiny", None, None, None, {"tokens_bytes": 120.0})
    results.save("some", [timed, counted], 1e6, tmp_path)
    first, last = results.load(tmp_path)
    assert first["torch"] == torch.__version__
    assert (first["of_floor"], first["torch_ms"], first["tokens_bytes"]) == ("4.000", "2", "")
    assert last["ms"] == last["of_floor"] == ""
    assert last["tokens_bytes"] == "120"
    pytest.importorskip("matplotlib")
    assert plot.draw(tmp_path).stat().st_size > 1000


def test_the_index_is_compared_with_the_exact_search(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr(large_index, "QUERIES", 3)
    exact, index = large_index.measured(120, DEVICE, 1e6)
    assert exact.shape == "exact, 1 query, one of 120"
    assert index.more["recall_at_10"] == 1.0, "so few rows are all compared"


def test_the_pass_is_measured_whole_and_in_parts() -> None:
    whole, *parts = channel_pass.measured((5,), DEVICE, 1e6)
    assert whole.more["times_vectors_alone"] == 1.0
    assert len({whole.shape, *(part.shape for part in parts)}) == 7


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="no times"):
        plot.draw(tmp_path)


def test_tests_that_fail_or_are_not_there_are_no_pass(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tests").mkdir()
    good, bad = (tmp_path / "tests" / name for name in ("test_good.py", "test_bad.py"))
    good.write_text("def test_it():\n    pass\n")
    bad.write_text("def test_it():\n    assert 1 == 2\n")
    assert verify.passes([good.name], good.parent)
    assert not verify.passes([good.name, bad.name], good.parent)
    assert "assert 1 == 2" in capfd.readouterr().out
    assert not verify.passes(["test_missing.py"], good.parent)
    assert not verify.passes([], good.parent)


def test_every_operation_of_the_registry_has_tests_and_a_module() -> None:
    for name, tests in command.OPS.items():
        assert callable(import_module(f"gpu.bench.{name}").run)
        assert tests
        assert all((verify.TESTS / test).is_file() for test in tests)


def test_no_figures_where_tests_fail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(command, "copy_bytes_per_ms", lambda: 1e6)
    monkeypatch.setattr(command.verify, "passes", lambda tests: tests == command.OPS["spread"])
    measured = []
    monkeypatch.setattr(command, "measure", lambda name, *_: measured.append(name))
    arguments = ["bench", "--op", "spread", "--op", "max_sim", "--out", str(tmp_path), "--no-plot"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit, match="nothing is reported of: max_sim"):
        command.main()
    assert measured == ["spread"]
    monkeypatch.setattr("sys.argv", [*arguments, "--no-tests"])
    command.main()
    assert measured == ["spread", "spread", "max_sim"]


def test_a_faiss_without_a_device_is_no_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "graphics_cards", lambda _: 0)
    assert peers.faiss_flat_ms([torch.zeros(1, 4)], torch.zeros(1, 4), [0], 1) is None
