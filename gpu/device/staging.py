"""The way of rows from the host's pages to a device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

_BYTES = 16 << 20
"""Several pages of vectors; whoever fills it waits for the device."""


class Staging:
    """Pinned memory that values are copied to first, so that the processor need not wait for each copy to arrive.

    Without it a copy of a few bytes waits until the device has them. What goes to the host's memory needs none.
    One caller at a time, always on the device's default stream: what is launched afterwards finds the values there.
    """

    def __init__(self, device: torch.device, size: int = _BYTES) -> None:
        self._device = device
        self._room = torch.empty(size if device.type == "cuda" else 0, dtype=torch.uint8, pin_memory=_is_cuda(device))
        self._bytes = self._room.numpy()  # the same memory: a small copy should not cost more than its bytes
        self._used = 0
        self._dirty = 0

    def write(self, target: torch.Tensor, values: Sequence[NDArray[np.generic]]) -> None:
        """Copies values, one after the other.

        Args:
            target: on the device or the host, contiguous, with as many bytes as the values.
            values: in any shape.
        """
        if target.dtype is not torch.uint8 or target.ndim != 1:
            target = target.view(torch.uint8).reshape(-1)
        if not _is_cuda(target.device):
            _fill(target.numpy(), values)
            return
        size = target.numel()
        if size > self._room.numel():  # waits for the device
            target.copy_(torch.from_numpy(np.concatenate([_raw(one) for one in values])))
            return
        if self._used + size > self._room.numel():
            torch.cuda.current_stream(self._device).synchronize()
            self._used = 0
        end = self._used + size
        _fill(self._bytes[self._used : end], values)
        target.copy_(self._room[self._used : end], non_blocking=True)
        self._used += -(-size // 16) * 16
        self._dirty = max(self._dirty, self._used)

    def wipe(self) -> None:
        """Overwrites what is left of earlier values with zeros."""
        if self._dirty:
            torch.cuda.current_stream(self._device).synchronize()
            self._room[: self._dirty].zero_()
            self._used = self._dirty = 0


def _is_cuda(device: torch.device) -> bool:
    return device.type == "cuda"


def _raw(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values).view(np.uint8).reshape(-1)


def _fill(room: NDArray[np.uint8], values: Sequence[NDArray[np.generic]]) -> None:
    at = 0
    for one in values:
        room[at : at + one.nbytes] = _raw(one)
        at += one.nbytes
