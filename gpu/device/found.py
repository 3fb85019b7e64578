"""The device of this machine, if there is one that the kernels run on."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gpu.device.rules import DeviceRules

if TYPE_CHECKING:
    from gpu.bank.namespace import NamespaceBank
    from gpu.bank.nearest import Nearest
    from gpu.device.searches import DeviceSearches


_DRIVER = "libcuda.so.1"


class NoDeviceError(Exception):
    """Why no device is used, in words."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device in use.

    Attributes:
        searches: what asks it.
        name: of the hardware.
        memory_bytes: what the bank took of it.
        rules: when it is asked.
    """

    searches: DeviceSearches
    name: str
    memory_bytes: int
    rules: DeviceRules = field(default_factory=DeviceRules)

    def nearest(self, bank: NamespaceBank, otherwise: Nearest) -> Nearest:
        """A way of finding a namespace's nearest memories that asks the device, and another where it cannot answer."""
        from gpu.device.nearest import DeviceNearest

        return DeviceNearest(bank, self.searches, otherwise, self.rules)


def open_device(share_of_free: float) -> Device:
    """Takes memory of the first device for a bank.

    torch is imported only where there is a driver: a machine without a device does not pay seconds for it.

    Args:
        share_of_free: of the device memory that is free now, in (0, 1].

    Raises:
        NoDeviceError: there is no driver or no device, torch or triton is not installed, or no memory is to be had.
    """
    try:
        ctypes.CDLL(_DRIVER)
    except OSError:
        raise NoDeviceError("there is no driver for one") from None
    for module in ("torch", "triton"):
        if find_spec(module) is None:
            raise NoDeviceError(f"{module} is not installed (memsvc[gpu])")
    import torch

    if not torch.cuda.is_available():
        raise NoDeviceError("torch finds no device")
    from gpu.device.bank import DeviceBank
    from gpu.device.pool import DevicePool
    from gpu.device.searches import DeviceSearches

    device = torch.device("cuda", 0)
    try:
        free, _ = torch.cuda.mem_get_info(device)
        size = int(free * share_of_free)
        searches = DeviceSearches(DeviceBank(DevicePool(device, size)))
    except RuntimeError as error:  # what torch raises for whatever a device refuses
        raise NoDeviceError(f"the device gives no memory: {error}") from error
    return Device(searches, torch.cuda.get_device_name(device), size)
