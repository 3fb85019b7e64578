"""Plain CSV: a memory in each row, and in each column a field of it or something of its metadata."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from memsvc_client.errors import InvalidArgument
from memsvc_client.importers.records import Item, external, item, when

_DELIMITERS = ",;\t|"
_SAMPLE = 1 << 16  # characters that the delimiter is told by
_CELL_MAX = 16 << 20
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})
_BOMS = (b"\xff\xfe", b"\xfe\xff")


def csv_rows(path: Path, columns: Mapping[str, str] | None = None) -> Iterator[Item]:
    """The rows of a table whose first line names its columns; delimiter and encoding (UTF-8 or 16) are told by looking.

    Args:
        path: Of the file.
        columns: The name of the column for a field, where it is not the field's own.

    Raises:
        InvalidArgument: The file cannot be read, has no column for the content, or breaks off inside of quotes.
    """
    # Of the whole process, and never lower: a memory may be longer than the 128 KiB that a cell has by default.
    csv.field_size_limit(max(csv.field_size_limit(), _CELL_MAX))
    try:
        with path.open(encoding=_encoding(path), newline="") as stream:
            delimiter = _delimiter(stream.read(_SAMPLE))
            stream.seek(0)
            yield from _rows(csv.reader(stream, delimiter=delimiter, strict=True), columns or {})
    except (OSError, UnicodeError) as error:
        raise InvalidArgument(f"cannot read the file: {error}") from error


def _encoding(path: Path) -> str:
    with path.open("rb") as raw:
        return "utf-16" if raw.read(2) in _BOMS else "utf-8-sig"


def _delimiter(sample: str) -> str:
    """The one that parts the names of the columns; where several stand there, the one that parts the rows evenly."""
    header = sample.lstrip("\r\n").partition("\n")[0]
    possible = [one for one in _DELIMITERS if one in header]
    if len(possible) < 2:
        return possible[0] if possible else ","
    try:
        return csv.Sniffer().sniff(sample, "".join(possible)).delimiter
    except csv.Error:
        return max(possible, key=header.count)


def _rows(reader: Any, columns: Mapping[str, str]) -> Iterator[Item]:
    try:
        header = next((row for row in reader if row), None)
        if header is None:
            raise InvalidArgument("the file is empty")
        fields = _fields(header, columns)
        seen: Counter[bytes] = Counter()
        for row in reader:
            if not any(map(str.strip, row)):
                continue
            if len(row) != len(header):
                problem = f"line {reader.line_num}: it has {len(row)} cells, the header {len(header)}"
                yield Item(None, None, problem)
                continue
            digest = hashlib.sha256(json.dumps(row).encode()).digest()
            seen[digest] += 1
            yield _row(dict(zip(fields, row, strict=True)), f"{digest.hex()}/{seen[digest]}", reader.line_num)
    except csv.Error as error:
        raise InvalidArgument(f"line {reader.line_num}: this is no CSV: {error}") from error


def _fields(header: Sequence[str], columns: Mapping[str, str]) -> list[str]:
    """What each column is: the name of a field, or the key that it has in the metadata, behind a colon.

    Raises:
        InvalidArgument: Two columns are the same, or one that is needed is not there.
    """
    names = [name.strip() or f"column_{number}" for number, name in enumerate(header, start=1)]
    unknown = sorted(columns.keys() - _FIELDS.keys())
    if unknown:
        raise InvalidArgument(
            f"there is no field {unknown[0]!r} that a column could be; there are {', '.join(_FIELDS)}"
        )
    missing = sorted(set(columns.values()) - set(names))
    if missing:
        raise InvalidArgument(f"there is no column {missing[0]!r}; there are {', '.join(names)}")
    named = {name: field for field, name in columns.items()}
    fields = [named.get(name) or _own(name, columns) for name in names]
    twice = [field for field, count in Counter(fields).items() if count > 1]
    if twice:
        raise InvalidArgument(f"two columns are {twice[0].lstrip(':')!r}")
    if "content" not in fields:
        raise InvalidArgument(f"no column is the content; name it (--column content=NAME): {', '.join(names)}")
    return fields


def _own(name: str, columns: Mapping[str, str]) -> str:
    """A field by its own name, unless another column was named for it."""
    field = _ALIASES.get(name.casefold(), name.casefold())
    return field if field in _FIELDS and field not in columns else f":{name}"


def _row(cells: Mapping[str, str], digest: str, line: int) -> Item:
    """A row; the one that has no id goes by what it says."""
    own_id = cells.get("external_id", "").strip() or f"sha256:{digest}"
    fields: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for name, cell in cells.items():
        if not cell.strip() or name in ("content", "external_id"):
            continue
        try:
            if name.startswith(":"):
                metadata[name[1:]] = _plain(cell)
            elif name == "metadata":
                metadata |= _FIELDS[name](cell.strip())
            else:
                fields[name] = _FIELDS[name](cell.strip())
        except ValueError as error:
            return Item(None, external("csv", own_id), f"line {line}: {name.lstrip(':')}: {error}")
    made = item("csv", own_id, cells["content"], fields | {"metadata": metadata})
    return made if made.problem is None else Item(None, made.external_id, f"line {line}: {made.problem}")


def _plain(cell: str) -> Any:
    """A number or a truth value that is written just as JSON writes it, else the text: `007` and `1.50` stay texts."""
    text = cell.strip()
    try:
        value = json.loads(text) if len(text) <= 17 else None
    except ValueError:
        return cell
    return value if isinstance(value, bool | int | float) and json.dumps(value) == text else cell


def _time(cell: str) -> str:
    try:
        found = when(float(cell))
    except ValueError:
        found = when(cell)
    if found is None:
        raise ValueError("it is no time such as 2026-01-31T09:00:00Z or seconds since 1970")
    return found


def _number(cell: str) -> float:
    try:
        found = float(cell)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError("it is no number such as 0.5")
    return found


def _whole(cell: str) -> int:
    try:
        return int(cell)
    except ValueError:
        raise ValueError("it is no whole number") from None


def _truth(cell: str) -> bool:
    said = cell.casefold()
    if said not in _TRUE | _FALSE:
        raise ValueError("it is neither true nor false")
    return said in _TRUE


def _list(cell: str) -> list[str]:
    """Tags: parted by `;` or `,`, or a JSON list."""
    if cell.startswith("["):
        try:
            found = json.loads(cell)
        except ValueError:
            raise ValueError("it is no JSON list") from None
        return [str(one) for one in found]
    return [one.strip() for one in cell.replace(";", ",").split(",") if one.strip()]


def _object(cell: str) -> dict[str, Any]:
    try:
        return dict(json.loads(cell).items())
    except (ValueError, AttributeError):
        raise ValueError("it is no JSON object") from None


_FIELDS: Mapping[str, Callable[[str], Any]] = {
    "content": str, "external_id": str, "kind": str.casefold, "user_id": str, "agent_id": str, "session_id": str,
    "speaker": str, "place": str, "tags": _list, "outcome": str.casefold, "language": str, "occurred_at": _time,
    "valid_from": _time, "valid_to": _time, "ttl_s": _whole, "importance": _number, "pinned": _truth,
    "metadata": _object,
}  # fmt: skip
"""The fields that a column may be, and how its cells are read."""
_ALIASES = {"text": "content", "memory": "content", "id": "external_id"}
