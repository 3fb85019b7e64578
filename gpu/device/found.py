"""The devices of this machine, if there are any that the kernels run on."""

from __future__ import annotations

import ctypes
import logging
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpu.device.bank import DeviceBank
    from gpu.device.rules import CodeRules
    from gpu.device.searches import DeviceSearches

logger = logging.getLogger(__name__)

_DRIVER = "libcuda.so.1"


class NoDeviceError(Exception):
    """Why no device is used, in words."""


@dataclass(frozen=True, slots=True)
class Device:
    """The devices in use.

    Attributes:
        bank: what is on them.
        name: of the hardware.
        memory_bytes: what the bank took of it.
    """

    bank: DeviceBank
    name: str
    memory_bytes: int

    def searches(self) -> DeviceSearches:
        """A thread that searches them for others; to be closed."""
        from gpu.device.searches import DeviceSearches

        return DeviceSearches(self.bank)


def open_device(
    share_of_free: float, most_devices: int = 0, pinned_bytes: int = 0, codes: CodeRules | None = None
) -> Device:
    """Takes memory of the devices for a bank.

    torch is imported only where there is a driver: a machine without a device does not pay seconds for it.

    Args:
        share_of_free: of the memory that is free on each device now, in (0, 1].
        most_devices: how many are used, the first of those that CUDA_VISIBLE_DEVICES leaves; 0: all. One that gives no
            memory is left out.
        pinned_bytes: memory of the host for what makes room on a device; 0: none.
        codes: which namespaces are searched by codes; None: none is.

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

    pools, why = [], "none was asked for"
    for number in range(min(torch.cuda.device_count(), most_devices or torch.cuda.device_count())):
        device = torch.device("cuda", number)
        try:
            free, _ = torch.cuda.mem_get_info(device)
            pools.append(DevicePool(device, int(free * share_of_free)))
        except RuntimeError as error:  # what torch raises for whatever a device refuses
            logger.warning("device %d is not used, it gives no memory: %s", number, error)
            why = f"the device gives no memory: {error}"
    if not pools:
        raise NoDeviceError(why)
    try:
        pinned = DevicePool(torch.device("cpu"), pinned_bytes, in_host_memory=True) if pinned_bytes else None
    except RuntimeError as error:
        raise NoDeviceError(f"there are no {pinned_bytes} bytes to be pinned: {error}") from error
    names = [torch.cuda.get_device_name(pool.device) for pool in pools]
    name = names[0] if len(names) == 1 else f"{len(names)} devices ({', '.join(dict.fromkeys(names))})"
    return Device(DeviceBank(*pools, pinned=pinned, codes=codes), name, sum(pool.bytes.numel() for pool in pools))
