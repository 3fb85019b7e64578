"""The service finds the nearest memories by comparing all, with an index, or on a device: the same ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import torch

import memsvc.nearest
from gpu.bank.filters import ScanFilter
from gpu.device.bank import DeviceBank
from gpu.device.found import Device
from gpu.device.pool import DevicePool
from gpu.large.namespace import LargeNamespace
from memsvc.core.errors import StartupRefused
from tests.fixtures.storage_service import Service, service_on

TEXTS = [f"{who} {did} the {what} number {n}" for n in range(10) for who in ("Ada", "Bo", "Cy", "Di")
         for did in ("sold", "saw", "broke") for what in ("kayak", "piano", "lamp")]  # fmt: skip
WHOLE = ("Who sold the kayak?", "What did Ada break in Oslo last spring?", "Did Bo or Cy see lamp number 7?")
QUESTIONS = ("Who sold the kayak?", "broke lamp number 7", "piano")


@pytest.fixture
def device() -> Device:
    """One that takes every search, however small; without hardware its kernels are interpreted."""
    on = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Device(DeviceBank(DevicePool(on, 1 << 22)), "a device for tests", 1 << 22)


def semantic(service: Service, question: str) -> list[tuple[UUID, float]]:
    """What the channel of meaning found, best first."""
    recaller = service.container.recaller
    namespace = service.container.bank.namespace(service.container.bank.keys()[0])
    with namespace.view(ScanFilter()) as view:
        best = view.nearest(recaller._embedder.embed_query(question), 10)
        ids = view.memory_id(best.slots)
        return [(UUID(bytes=row.tobytes()), float(score)) for row, score in zip(ids, best.scores, strict=True)]


def told(url: str, folder: Path, **given: Any) -> tuple[list[list[tuple[UUID, float]]], dict[str, Any]]:
    with service_on(url, folder, **given) as service:
        if not service.container.keeper.memories():
            service.remember(TEXTS)
        namespace = service.container.bank.namespace(service.container.bank.keys()[0])
        nearest: Any = namespace.nearest
        if isinstance(nearest, LargeNamespace):
            nearest.refresh()
            assert nearest.wait(30)
        state = {"found by": type(nearest).__name__}
        if isinstance(nearest, LargeNamespace):
            state["covered"] = nearest.state().covered
        answers = [semantic(service, question) for question in QUESTIONS]
        for question in QUESTIONS:
            assert service.found(question)
        state["metrics"] = service.container.metrics.render().decode()
        return answers, state


def test_the_ways_find_the_same(
    sqlite_url: str, tmp_path: Path, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact, by_comparing = told(sqlite_url, tmp_path, large_from=0)
    indexed, by_index = told(sqlite_url, tmp_path, large_from=50)
    monkeypatch.setattr(memsvc.nearest, "open_device", lambda *_: device)
    on_device, by_device = told(sqlite_url, tmp_path, large_from=0, gpu_from=1)

    assert [way["found by"] for way in (by_comparing, by_index, by_device)] == [
        "Exact", "LargeNamespace", "DeviceNearest",
    ]  # fmt: skip
    assert by_index["covered"] >= len(TEXTS)
    assert indexed == exact
    assert on_device == exact
    assert "memsvc_device_namespaces 1.0" in by_device["metrics"]
    assert "memsvc_device_namespaces" not in by_comparing["metrics"]


def recalled(url: str, folder: Path, **given: Any) -> tuple[list[Any], str]:
    """Whole recalls: hits with versions and scores, and the metrics."""
    with service_on(url, folder, **given) as service:
        if not service.container.keeper.memories():
            service.remember([f"{text} in Oslo" if number % 3 else text for number, text in enumerate(TEXTS)])
        answers = [service.recall(question, top_k=7) for question in WHOLE]
        return answers, service.container.metrics.render().decode()


def test_whole_recalls_are_the_same_with_lists_of_a_device(
    sqlite_url: str, tmp_path: Path, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_scanning, before = recalled(sqlite_url, tmp_path, large_from=0)
    monkeypatch.setattr(memsvc.nearest, "open_device", lambda *_: device)
    by_lists, after = recalled(sqlite_url, tmp_path, large_from=0, gpu_from=10_000, gpu_lists_from=1)
    assert all(by_scanning)
    assert by_lists == by_scanning
    assert f'memsvc_device_lists_total{{answered="yes"}} {len(WHOLE)}.0' in after
    assert "memsvc_device_lists_total{" not in before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
def test_a_device_that_is_asked_for_must_be_there(sqlite_url: str, tmp_path: Path) -> None:
    with (
        pytest.raises(StartupRefused, match="MEMSVC_GPU=on, but there is no driver"),
        service_on(sqlite_url, tmp_path, gpu="on"),
    ):
        pass
