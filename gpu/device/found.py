"""The device of this machine, if there is one that the kernels run on."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpu.device.bank import DeviceBank
    from gpu.device.searches import DeviceSearches


_DRIVER = "libcuda.so.1"


class NoDeviceError(Exception):
    """Why no device is used, in words."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device in use.

    Attributes:
        bank: what is on it.
        name: of the hardware.
        memory_bytes: what the bank took of it.
    """

    bank: DeviceBank
    name: str
    memory_bytes: int

    def searches(self) -> DeviceSearches:
        """A thread that searches it for others; to be closed."""
        from gpu.device.searches import DeviceSearches

        return DeviceSearches(self.bank)


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

    device = torch.device("cuda", 0)
    try:
        free, _ = torch.cuda.mem_get_info(device)
        size = int(free * share_of_free)
        bank = DeviceBank(DevicePool(device, size))
    except RuntimeError as error:  # what torch raises for whatever a device refuses
        raise NoDeviceError(f"the device gives no memory: {error}") from error
    return Device(bank, torch.cuda.get_device_name(device), size)
