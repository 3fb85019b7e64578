"""Device memory, or pinned memory of the host, handed out in pages."""

from __future__ import annotations

import itertools
import threading
from bisect import insort
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.device.staging import Staging

_ALIGN = 256
"""Bytes that every page is a multiple of, so that each starts where the device reads best."""
_numbers = itertools.count(1)


class DeviceMemoryFullError(Exception):
    """No page of that size is free; whoever asked makes room and asks again."""


class DevicePool:
    """One block of memory, taken once. Thread-safe, but for writing, which is for one caller at a time.

    The smallest free range that is large enough is cut; what comes back is joined with its free neighbours, and is
    overwritten with zeros before it can be handed out again.

    Attributes:
        device: whose kernels read the memory; the CPU if it is only kept there.
        bytes: the memory, uint8.
    """

    def __init__(self, device: torch.device, size: int, *, in_host_memory: bool = False) -> None:
        """Takes the memory.

        Args:
            device: see the class.
            size: bytes, at least 256.
            in_host_memory: pinned memory of the host in place of the device's own, for what is large and seldom read:
                devices copy from and to it without a detour, and kernels read it through the bus, which is far slower.

        Raises:
            torch.OutOfMemoryError: there is not so much.
        """
        size = size // _ALIGN * _ALIGN
        if in_host_memory:
            self.bytes = torch.zeros(size, dtype=torch.uint8, pin_memory=torch.cuda.is_available())
        else:
            self.bytes = torch.zeros(size, dtype=torch.uint8, device=device)
        # With its number, also where the caller left that out: whether two tensors lie on one device is asked by it.
        self.device = torch.empty(0, device=device).device
        self._staging = Staging(self.device)
        self._lock = threading.Lock()
        self._free: list[tuple[int, int]] = [(0, size)]  # (start, end), ascending, never touching each other

    @property
    def free_bytes(self) -> int:
        """Bytes that are not handed out."""
        with self._lock:
            return sum(end - start for start, end in self._free)

    @property
    def used_bytes(self) -> int:
        """Bytes that are handed out."""
        return self.bytes.numel() - self.free_bytes

    @staticmethod
    def new_number() -> int:
        """A number that was never given before in this process: for owners and generations."""
        return next(_numbers)

    def active(self) -> AbstractContextManager[None]:
        """Makes its device the one that this thread launches on."""
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()

    def take(self, size: int) -> int:
        """Where a zeroed range of `size` bytes begins in the pool.

        Raises:
            DeviceMemoryFullError: no free range is large enough.
        """
        wanted = rounded(size)
        with self._lock:
            fitting = [part for part in self._free if part[1] - part[0] >= wanted]
            if not fitting:
                raise DeviceMemoryFullError(f"no {wanted} bytes in one piece are free")
            start, end = min(fitting, key=lambda part: part[1] - part[0])
            self._free.remove((start, end))
            if end - start > wanted:
                insort(self._free, (start + wanted, end))
            return start

    def take_all(self, sizes: Sequence[int]) -> list[int]:
        """Where zeroed ranges of these sizes begin; one behind the other if there is room for that.

        Raises:
            DeviceMemoryFullError: there is not enough room; none was taken.
        """
        try:
            first = self.take(sum(map(rounded, sizes)))
        except DeviceMemoryFullError:
            return self._take_each(sizes)
        return [first + before for before in itertools.accumulate(map(rounded, sizes[:-1]), initial=0)]

    def _take_each(self, sizes: Sequence[int]) -> list[int]:
        places: list[int] = []
        try:
            for size in sizes:
                places.append(self.take(size))
        except DeviceMemoryFullError:
            for place, size in zip(places, sizes, strict=False):
                self.give_back(place, size)
            raise
        return places

    def give_back(self, start: int, size: int) -> None:
        """Zeroes a range that was taken, and frees it."""
        end = start + rounded(size)
        self.bytes[start:end].zero_()
        with self._lock:
            at = next((i for i, part in enumerate(self._free) if part[0] > start), len(self._free))
            if at < len(self._free) and self._free[at][0] == end:
                end = self._free.pop(at)[1]
            if at and self._free[at - 1][1] == start:
                start = self._free.pop(at - 1)[0]
                at -= 1
            self._free.insert(at, (start, end))

    def write(self, at: int, *values: NDArray[np.generic]) -> None:
        """Copies values to the bytes from `at` on, one after the other."""
        size = sum(one.nbytes for one in values)
        self.write_to(self.bytes[at : at + size], *values)

    def place(self, at: int, values: torch.Tensor) -> None:
        """The same for values that are on the pool's device, in any shape."""
        raw = values.contiguous().view(torch.uint8).reshape(-1)
        self.bytes[at : at + raw.numel()].copy_(raw)

    def write_to(self, target: torch.Tensor, *values: NDArray[np.generic]) -> None:
        """Copies values to a tensor on the pool's device, or to a part of the pool; see `Staging.write`."""
        self._staging.write(target, values)

    def forget_written(self) -> None:
        """Overwrites what is left of the values that were written in memory that they went through."""
        self._staging.wipe()


def rounded(size: int) -> int:
    """Bytes that a range of `size` takes."""
    return -(-size // _ALIGN) * _ALIGN
