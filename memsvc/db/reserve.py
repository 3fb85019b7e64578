"""Room that is kept beside an SQLite file, for erasing when the disk is full: a delete is written to the log first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LEAST = 1 << 16
"""Less room is not worth a call."""
_ZEROS = bytes(1 << 20)


class Reserve:
    """A file of nothing that takes up room. Used by one thread at a time.

    Args:
        path: where.
        size: bytes that are kept if there is room for twice as many.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._owed = 0

    def take(self) -> None:
        """Take what is missing, but at most half of the room there is: the other half is for writes."""
        held = self._held()
        self._grow(held, min(self._size - held, self._room() // 2))

    def take_back(self) -> None:
        """Take again what was given up, as much of it as there is: it is for the next erasure."""
        if self._owed:
            held = self._held()
            self._grow(held, self._owed - held)
            if self._held() >= self._owed:
                self._owed = 0

    def give_up(self) -> bool:
        """Let go of the room; False if none was held."""
        held = self._held()
        if held:
            os.truncate(self._path, 0)
            self._owed = max(self._owed, held)
        return held > 0

    def _held(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def _room(self) -> int:
        found = os.statvfs(self._path.parent)
        return found.f_bavail * found.f_frsize

    def _grow(self, at: int, wanted: int) -> None:
        if wanted < _LEAST:
            return
        with self._opened() as file:
            piece = wanted
            while wanted >= _LEAST and piece >= _LEAST:
                try:
                    _allocate(file, at, piece)
                except OSError:  # less room than that, if any
                    os.ftruncate(file, at)
                    piece //= 2
                    continue
                at, wanted = at + piece, wanted - piece
                piece = min(piece, wanted)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield file
        finally:
            os.close(file)


def _allocate(file: int, at: int, size: int) -> None:
    """Have the file system set room aside; raises `OSError` without it."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, at, size)
        return
    for start in range(at, at + size, len(_ZEROS)):
        os.pwrite(file, _ZEROS[: at + size - start], start)
