"""Chooses how namespaces find memories: by comparing and scanning all, with an index, on a device."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from gpu import faiss_library as library
from gpu.bank.layouts import Tier
from gpu.bank.lists import Lists
from gpu.bank.namespace import NamespaceBank
from gpu.bank.nearest import EXACT, Nearest
from gpu.device.asking import Searches
from gpu.device.found import Device, NoDeviceError, open_device
from gpu.device.lists import DeviceLists
from gpu.device.nearest import DeviceNearest
from gpu.device.rules import CodeRules, DeviceRules
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
        say(f"device: that of the process at {settings.gpu_socket}, {_asked_for(settings)}")
        return _remote(settings.gpu_socket, closing)
    try:
        device = device_of(settings)
    except NoDeviceError as error:
        if settings.gpu == "on":
            raise StartupRefused(f"MEMSVC_GPU=on, but {error}") from None
        say(f"device: none, {error}; memories are compared on the processor")
        return None
    say(f"device: {device.name}, {device.memory_bytes / 2**30:.1f} GiB for the bank; {operations(settings)}")
    say(f"device: {_asked_for(settings)}")
    metrics.watch_device(lambda: device.bank.residency)
    searches = device.searches()
    closing.callback(searches.close)
    return searches


def device_of(settings: Settings) -> Device:
    """Takes memory of the devices as the settings say.

    Raises:
        NoDeviceError: there is none to be had.
    """
    codes = CodeRules(Tier(settings.gpu_codes), settings.gpu_codes_from) if settings.gpu_codes_from else None
    return open_device(settings.gpu_memory_share, settings.gpu_devices, settings.gpu_pinned_bytes, codes)


def operations(settings: Settings) -> str:
    """Which operations run on a device of this process, for whoever starts it."""
    by_codes = f", coarse_search ({settings.gpu_codes}) from {settings.gpu_codes_from} vectors on"
    return f"on it run paged_search, channel_pass{by_codes if settings.gpu_codes_from else ''}"


def _asked_for(settings: Settings) -> str:
    """What recalls ask a device for."""
    lists = f"; words, entities and places from {settings.gpu_lists_from} on" if settings.gpu_lists_from else ""
    return f"asked for the nearest of {settings.gpu_from} memories and more{lists}"


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
