"""Device memory, handed out in pages."""

from __future__ import annotations

import threading
from bisect import insort

import torch

_ALIGN = 256
"""Bytes that every page is a multiple of, so that each starts where the device reads best."""


class DeviceMemoryFullError(Exception):
    """No page of that size is free; whoever asked makes room and asks again."""


class DevicePool:
    """One block of memory that a device reads, taken once. Thread-safe.

    The smallest free range that is large enough is cut; what comes back is joined with its free neighbours, and is
    overwritten with zeros before it can be handed out again.

    Attributes:
        device: who reads the memory.
        bytes: the memory, uint8.
    """

    def __init__(self, device: torch.device, size: int, *, in_host_memory: bool = False) -> None:
        """Takes the memory.

        Args:
            device: where.
            size: bytes, at least 256.
            in_host_memory: take pinned memory of the host in place of the device's own: kernels read it through the
                bus, at a hundredth of the bandwidth, for what is large and seldom read.

        Raises:
            torch.OutOfMemoryError: there is not so much.
        """
        size = size // _ALIGN * _ALIGN
        self.device = device
        if in_host_memory:
            self.bytes = torch.zeros(size, dtype=torch.uint8, pin_memory=device.type == "cuda")
        else:
            self.bytes = torch.zeros(size, dtype=torch.uint8, device=device)
        self._lock = threading.Lock()
        self._free: list[tuple[int, int]] = [(0, size)]  # (start, end), ascending, never touching each other
        self._generations = 0

    @property
    def free_bytes(self) -> int:
        """Bytes that are not handed out."""
        with self._lock:
            return sum(end - start for start, end in self._free)

    def new_number(self) -> int:
        """A number that was never given before: for owners and generations."""
        with self._lock:
            self._generations += 1
            return self._generations

    def take(self, size: int) -> int:
        """Where a zeroed range of `size` bytes begins in the pool.

        Raises:
            DeviceMemoryFullError: no free range is large enough.
        """
        wanted = _rounded(size)
        with self._lock:
            fitting = [part for part in self._free if part[1] - part[0] >= wanted]
            if not fitting:
                raise DeviceMemoryFullError(f"no {wanted} bytes in one piece are free")
            start, end = min(fitting, key=lambda part: part[1] - part[0])
            self._free.remove((start, end))
            if end - start > wanted:
                insort(self._free, (start + wanted, end))
            return start

    def give_back(self, start: int, size: int) -> None:
        """Zeroes a range that was taken, and frees it."""
        end = start + _rounded(size)
        self.bytes[start:end].zero_()
        with self._lock:
            at = next((i for i, part in enumerate(self._free) if part[0] > start), len(self._free))
            if at < len(self._free) and self._free[at][0] == end:
                end = self._free.pop(at)[1]
            if at and self._free[at - 1][1] == start:
                start = self._free.pop(at - 1)[0]
                at -= 1
            self._free.insert(at, (start, end))


def _rounded(size: int) -> int:
    return -(-size // _ALIGN) * _ALIGN
