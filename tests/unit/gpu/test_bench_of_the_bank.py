"""The benchmarks of what devices hold run and check themselves; their figures mean nothing without a device."""

from __future__ import annotations

import pytest
import torch

from gpu.bench.appends import batched, single
from gpu.bench.namespaces import filled
from gpu.bench.residency import returned, spread
from tests.fixtures.plain_paged_search import plain_searched

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def test_a_single_append_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    if DEVICE.type == "cpu":
        monkeypatch.setattr("gpu.device.copies.searched", plain_searched)
    line = single(DEVICE, 200, 16, appends=40)
    assert line.ms > 0
    assert set(line.more) == {"aim_ms", "p99_ms"}


def test_batches_reach_the_pages() -> None:
    line = batched(DEVICE, 50, 16, bytes_per_ms=1e9, batches=6)
    assert line.more["rows_per_s"]
    assert line.more["both_rows_per_s"] < line.more["rows_per_s"]


def test_a_namespace_comes_back() -> None:
    line = returned(DEVICE, filled(300, 16, seed=1), bytes_per_ms=1e9)
    assert set(line.more) == {"anew_ms", "leaves_ms", "gb_per_s"}
    assert line.shape.startswith("300 rows")


@pytest.mark.parametrize("count", [1, 3])
def test_a_huge_one_is_searched_in_parts(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if DEVICE.type == "cpu":
        monkeypatch.setattr("gpu.device.copies.searched", plain_searched)
    line = spread([DEVICE] * count, filled(3_000, 16, seed=1), bytes_per_ms=1e9)
    assert line.ms > 0
