"""A second process follows the namespaces by itself and answers for the first: what was just written is in it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from gpu.device.bank import DeviceBank
from gpu.device.pool import DevicePool
from gpu.process.server import GpuServer
from memsvc.commands.gpu import KeptNamespaces, run_gpu
from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings
from memsvc.wiring import Follower
from tests.fixtures.storage_service import service_on

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def test_a_write_is_found_through_the_process(postgres_url: str, tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/gpu"
    follower = Follower(Settings(database_url=postgres_url, data_dir=tmp_path))
    follower.start()
    server = GpuServer(DeviceBank(DevicePool(DEVICE, 1 << 20)), KeptNamespaces(follower.keeper))
    listening = threading.Event()
    thread = threading.Thread(target=server.run, args=(endpoint, listening.set))
    thread.start()
    assert listening.wait(30)
    try:
        with service_on(
            postgres_url, tmp_path, gpu_socket=endpoint, gpu_from=1, gpu_lists_from=1, large_from=0
        ) as serving:
            searches: Any = serving.container.searches
            asked: list[str] = []
            through = searches.search

            def counted(namespace: Any, *rest: Any) -> Any:
                best = through(namespace, *rest)
                asked.append(f"{namespace.key[1]} {best.scores.size}")
                return best

            def counted_lists(namespace: Any, *rest: Any) -> Any:
                found = lists(namespace, *rest)
                listed.append(len(found))
                return found

            lists, listed = searches.lists, list[int]()
            searches.search, searches.lists = counted, counted_lists
            searches._client._timeout_ms = 30_000
            for number in range(6):
                memory = serving.add(f"unique{number} token", f"user/u{number % 3}")
                assert memory in serving.found(f"unique{number}", f"user/u{number % 3}")
            assert len(asked) == 6
            assert len(listed) == 6
            assert all(listed)
            assert b"memsvc_bank_memories 6.0" in follower.metrics.render()
            server.stop()
            thread.join(30)
            searches._client._timeout_ms = 100
            assert memory in serving.found("unique5", "user/u2")  # without the process, by comparing all
            assert (len(asked), len(listed)) == (6, 6)
            assert b'memsvc_device_lists_total{answered="no"} 1.0' in serving.container.metrics.render()
    finally:
        server.stop()
        thread.join(30)
        follower.close()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "needs MEMSVC_GPU_SOCKET"),
        ({"gpu_socket": "ipc:///tmp/x"}, "needs PostgreSQL"),
        pytest.param(
            {"gpu_socket": "ipc:///tmp/x", "database_url": "postgresql://nowhere/x"},
            "there is no driver",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device"),
        ),
    ],
)
def test_what_the_process_lacks_is_said(tmp_path: Path, given: dict[str, Any], why: str) -> None:
    with pytest.raises(StartupRefused, match=why):
        run_gpu(Settings(data_dir=tmp_path, **given), print)
