"""Reading exports record by record: lists and lines are never held whole, however large the file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from memsvc_client.errors import InvalidArgument

_CHUNK = 1 << 20
_RECORD_MAX = 256 << 20
"""Characters that one record of a list may have; a conversation with years of turns has some million."""
_SPACE = " \t\r\n"


def records(path: Path) -> Iterator[Any]:
    """The records of a file: of a JSON list, of JSON lines, or the one JSON object that it is.

    A ZIP file stands for the `conversations*.json` in it, as chat programs export them. A line that is no JSON comes as
    None.

    Raises:
        InvalidArgument: The file cannot be read, or breaks off.
    """
    try:
        with ExitStack() as stack:
            if zipfile.is_zipfile(path):
                archive = stack.enter_context(zipfile.ZipFile(path))
                names = sorted(name for name in archive.namelist() if _is_conversations(name))
                if not names:
                    raise InvalidArgument("there is no conversations.json in this ZIP file")
                for name in names:
                    with archive.open(name) as raw:
                        yield from _of(raw)
            else:
                yield from _of(stack.enter_context(path.open("rb")))
    except (OSError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise InvalidArgument(f"cannot read the file: {error}") from error


def is_sqlite(path: Path) -> bool:
    """Whether a file is a database of SQLite."""
    try:
        with path.open("rb") as raw:
            return raw.read(16) == b"SQLite format 3\0"
    except OSError as error:
        raise InvalidArgument(f"cannot read the file: {error.strerror}") from error


def _is_conversations(name: str) -> bool:
    last = name.rpartition("/")[2]
    return last.startswith("conversations") and last.endswith(".json")


def _of(raw: IO[bytes]) -> Iterator[Any]:
    with io.TextIOWrapper(raw, encoding="utf-8-sig") as stream:
        head = stream.read(_CHUNK)
        while head and not head.strip(_SPACE):
            head = stream.read(_CHUNK)
        if head.lstrip(_SPACE).startswith("["):
            yield from _list(stream, head.lstrip(_SPACE)[1:])
        elif head:
            yield from _lines(stream, head)


def _list(stream: IO[str], buffer: str) -> Iterator[Any]:
    """The items of a list, whose opening bracket has been read."""
    decoder = json.JSONDecoder()
    while True:
        buffer = buffer.lstrip(_SPACE + ",")
        if buffer.startswith("]"):
            return
        try:
            value, end = decoder.raw_decode(buffer)
            # A number at the end of what was read may go on.
            is_whole = end < len(buffer) or buffer[:1] in '{["'
        except (ValueError, RecursionError):
            is_whole = False
        if is_whole:
            yield value
            buffer = buffer[end:]
            continue
        if len(buffer) > _RECORD_MAX:
            raise InvalidArgument("a record of the list is too large, or the file is not JSON")
        more = stream.read(max(_CHUNK, len(buffer)))  # doubling: a large record is not parsed again for every piece
        if not more:
            raise InvalidArgument("the file breaks off, or is not JSON")
        buffer += more


def _lines(stream: IO[str], head: str) -> Iterator[Any]:
    """JSON lines; or, where the first line is no whole object, one object over many lines."""
    while "\n" not in head and (more := stream.read(_CHUNK)):
        head += more
    first = head.lstrip(_SPACE).split("\n", 1)[0]
    try:
        is_lines = isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        is_lines = False
    if not is_lines:
        try:
            yield json.loads(head + stream.read())
        except (ValueError, RecursionError) as error:
            raise InvalidArgument("the file is neither JSON nor JSON lines") from error
        return
    *whole, rest = head.split("\n")
    yield from map(_line, filter(str.strip, whole))
    rest += stream.readline()
    while rest:
        if rest.strip():
            yield _line(rest)
        rest = stream.readline()


def _line(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
