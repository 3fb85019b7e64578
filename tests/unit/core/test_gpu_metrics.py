"""The process of the device gives its figures over HTTP where a port is set."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import asdict

import httpx
import pytest

from gpu.device.residency import Residency
from gpu.process.served import Served
from memsvc.commands.gpu import serve_metrics
from memsvc.core.errors import StartupRefused
from memsvc.core.metrics import Metrics
from memsvc.core.settings import Settings

HELD = Residency(
    resident=3, device_bytes=4, evicted=5, returned=6, pinned=7, pinned_bytes=8, searched_on_host=9, lost=10
)


def watched() -> Metrics:
    metrics = Metrics()
    metrics.watch_device(lambda: HELD)
    metrics.watch_server(Served(searches=11, launches=12, refused=13))
    return metrics


def test_figures_are_given_at_the_port_until_it_closes() -> None:
    said: list[str] = []
    with ExitStack() as closing:
        serve_metrics(Settings(gpu_metrics_port=0), watched(), closing, said.append)
        url = said[0].removeprefix("metrics: ")
        text = httpx.get(url).text
    values = {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if line.startswith("memsvc_")}
    assert sorted(v for k, v in values.items() if k.startswith("memsvc_device_")) == sorted(
        map(float, asdict(HELD).values())
    )
    assert values["memsvc_device_pinned_bytes"] == 8
    assert values["memsvc_gpu_searches"] == 11
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_without_a_port_there_are_none_and_one_in_use_is_refused() -> None:
    with ExitStack() as closing:
        serve_metrics(Settings(), Metrics(), closing, pytest.fail)
        taken = closing.enter_context(socket.create_server(("127.0.0.1", 0)))
        settings = Settings(gpu_metrics_port=taken.getsockname()[1])
        with pytest.raises(StartupRefused, match="cannot give metrics at"):
            serve_metrics(settings, Metrics(), closing, pytest.fail)
