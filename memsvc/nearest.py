"""Chooses how namespaces find memories: by comparing and scanning all, with an index, on a device."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from gpu import faiss_library as library
from gpu.bank.lists import Lists
from gpu.bank.namespace import NamespaceBank
from gpu.bank.nearest import EXACT, Nearest
from gpu.device.asking import Searches
from gpu.device.found import NoDeviceError, open_device
from gpu.device.lists import DeviceLists
from gpu.device.nearest import DeviceNearest
from gpu.device.rules import DeviceRules
from gpu.large.namespace import LargeNamespace
from gpu.large.rules import LargeRules
from memsvc.core.errors import StartupRefused
from memsvc.core.metrics import Metrics
from memsvc.core.settings import Settings
from memsvc.index.names import namespace_name

Say = Callable[[str], None]


def build_searches(settings: Settings, metrics: Metrics, closing: ExitStack, say: Say) -> Searches | None:
    """What searches on a device for this process, if anything does.

    Args:
        settings: whether to use one, and whose.
        metrics: watch the device of this process.
        closing: ends what was opened.
        say: told which device is used, or why none is.

    Raises:
        StartupRefused: there must be a device, and there is none.
    """
    if settings.gpu == "off":
        return None
    if settings.gpu_socket is not None:
        say(f"device: that of the process at {settings.gpu_socket}; {work_of(settings)}")
        return _remote(settings.gpu_socket, closing)
    try:
        device = open_device(settings.gpu_memory_share, settings.gpu_devices, settings.gpu_pinned_bytes)
    except NoDeviceError as error:
        if settings.gpu == "on":
            raise StartupRefused(f"MEMSVC_GPU=on, but {error}") from None
        say(f"device: none, {error}; memories are compared on the processor")
        return None
    say(f"device: {device.name}, {device.memory_bytes / 2**30:.1f} GiB for the bank; {work_of(settings)}")
    metrics.watch_device(lambda: device.bank.residency)
    searches = device.searches()
    closing.callback(searches.close)
    return searches


def work_of(settings: Settings) -> str:
    """Which operations a device does, in words for whoever starts the service."""
    work = [f"nearest memories (paged_search) from {settings.gpu_from} on"]
    if settings.gpu_lists_from:
        work.append(f"words, entities and places (channel_pass) from {settings.gpu_lists_from} on")
    return f"it looks for {'; '.join(work)}"


def _remote(endpoint: str, closing: ExitStack) -> Searches:
    try:
        from gpu.process.client import GpuClient
        from gpu.process.searches import RemoteSearches
    except ImportError as error:
        raise StartupRefused(f"MEMSVC_GPU_SOCKET needs {error.name}: install memsvc[gpu-client]") from None
    client = GpuClient(endpoint)
    closing.callback(client.close)
    return RemoteSearches(client, namespace_name)


def way_to_nearest(settings: Settings, searches: Searches | None, say: Say) -> Callable[[NamespaceBank], Nearest]:
    """Makes, for a namespace, what finds its nearest memories."""
    has_index = settings.large_from > 0 and library.is_installed()
    if settings.large_from and not has_index:
        say("large namespaces: every memory is compared; for an index install faiss (memsvc[cpu])")
    of_index = LargeRules(large_from=settings.large_from)

    def here(bank: NamespaceBank) -> Nearest:
        return LargeNamespace(bank, of_index) if has_index else EXACT

    if searches is None:
        return here
    return lambda bank: DeviceNearest(bank, searches, here(bank), _rules(settings))


def way_to_lists(
    settings: Settings, searches: Searches | None, count: Callable[[bool], None]
) -> Callable[[NamespaceBank], Lists | None]:
    """Makes, for a namespace, what makes the lists of its channels, if anything does beside their scans.

    Args:
        settings: from how many memories on.
        searches: what searches on a device, if anything does.
        count: told of each question whether it was answered.
    """
    if searches is None or not settings.gpu_lists_from:
        return lambda bank: None
    return lambda bank: DeviceLists(bank, searches, _rules(settings), count)


def _rules(settings: Settings) -> DeviceRules:
    return DeviceRules(device_from=settings.gpu_from, lists_from=settings.gpu_lists_from)
