"""What operators see of recalls: figures for all, a line for those that took long."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from memsvc.recall.watching import RecallWatch
from tests.fixtures.service import Caller


def slow_lines(caller: Caller, monkeypatch: pytest.MonkeyPatch, slow_ms: float, **asked: Any) -> list[Any]:
    container = caller.service.container
    watch = RecallWatch(container.metrics, container.recaller.channels, slow_ms)
    monkeypatch.setattr(container, "recall_watch", watch)
    with capture_logs() as logs:
        caller.recall("how hot is rosebud tea", **asked)
    return [line for line in logs if line["event"] == "slow_recall"]


def test_a_slow_recall_is_told_of_in_ids_and_figures(ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    ada.remember("rosebud tea is brewed at 80 degrees")
    (line,) = slow_lines(ada, monkeypatch, 0.001, top_k=3)

    assert line["hits"] == line["eligible"] == 1
    assert line["top_k"] == 3
    assert line["query_bytes"] == len("how hot is rosebud tea")
    assert len(line["namespace_ids"]) == 1
    assert {"semantic", "keyword", "embed", "fuse", "total"} <= line["timings_ms"].keys()
    assert "rosebud" not in repr(line)
    assert ada.namespace not in repr(line)


@pytest.mark.parametrize("slow_ms", [0.0, 60_000.0])
def test_others_are_not(ada: Caller, monkeypatch: pytest.MonkeyPatch, slow_ms: float) -> None:
    assert not slow_lines(ada, monkeypatch, slow_ms)


def test_figures_tell_channels_from_phases(ada: Caller) -> None:
    def figures() -> dict[str, float]:
        text = ada.ask("GET", "/metrics").text
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[0] != "#"}

    ada.remember("tea is brewed at 80 degrees")
    before = figures()
    ada.recall("how hot is tea", profile="fast")
    after = figures()

    def grew(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert grew('memsvc_recalls_total{profile="fast"}') == 1
    assert grew('memsvc_recall_seconds_count{profile="fast"}') == 1
    assert grew('memsvc_recall_channel_seconds_count{channel="keyword"}') == 1
    assert grew('memsvc_recall_phase_seconds_count{phase="fuse"}') == 1
    assert 'memsvc_recall_phase_seconds_count{phase="keyword"}' not in after
    assert grew('memsvc_database_seconds_count{what="read"}') > 0
    assert grew('memsvc_embedder_texts_total{lane="questions"}') == 1
    assert after["memsvc_http_waiting"] == 0
