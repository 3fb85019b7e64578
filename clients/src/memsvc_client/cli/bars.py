"""Bars on stderr while much is sent or fetched; none where nobody watches: in a pipe, and with `--json`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from memsvc_client.cli.output import errors_console
from memsvc_client.cli.session import Session

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from memsvc_client.batching import OnProgress


def is_watched(session: Session) -> bool:
    """Whether somebody looks at stderr."""
    return not session.as_json and errors_console().is_terminal


@contextmanager
def counting(session: Session, text: str, total: int | None = None) -> Iterator[OnProgress | None]:
    """A bar that counts items; yields what moves it, or None where nobody watches."""
    from memsvc_client.progress import progress_bar

    if not is_watched(session):
        yield None
        return
    with progress_bar(text, total=total, console=errors_console()) as move:
        yield move


@contextmanager
def reading(session: Session, text: str, file: BinaryIO, total: int | None) -> Iterator[BinaryIO]:
    """The file, with a bar that goes along as it is read; `total` is its size in bytes."""
    if not is_watched(session):
        yield file
        return
    with _bytes_bar() as bar:
        yield bar.wrap_file(file, total=total, description=text)


@contextmanager
def writing(session: Session, text: str, file: BinaryIO) -> Iterator[BinaryIO]:
    """The file, with a bar that goes along as it is written: how large it will be is not known before."""
    if not is_watched(session):
        yield file
        return
    with _bytes_bar() as bar:
        task = bar.add_task(text, total=None)
        yield cast("BinaryIO", _Counted(file, lambda size: bar.advance(task, size)))


class _Counted(io.RawIOBase):
    """A file that says how much is written to it."""

    def __init__(self, file: BinaryIO, on_written: Any) -> None:
        super().__init__()
        self._file, self._on_written = file, on_written

    def writable(self) -> bool:
        """It is for writing alone."""
        return True

    def write(self, piece: Any) -> int:
        """Writes a piece."""
        size = self._file.write(piece)
        self._on_written(size)
        return size


def _bytes_bar() -> Bar:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    return Progress(*columns, console=errors_console())
