"""SQLite databases of other memory services, read as they lie there and never written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from memsvc_client.errors import InvalidArgument
from memsvc_client.importers.files import is_sqlite
from memsvc_client.importers.records import Item, item, text, when

Row = Mapping[str, Any]

_KINDS = {"episodic": "episodic", "semantic": "semantic"}
_INTERNAL = frozenset({"ingestion_operation_id", "session_id"})
"""Metadata that SuperLocalMemory adds for itself, or keeps in a column as well."""


def select(path: Path, query: str, whose: str) -> Iterator[Row]:
    """The rows of a query, each by the names of its columns.

    Args:
        path: Of the database.
        query: What to read.
        whose: What it is a database of, for the message.

    Raises:
        InvalidArgument: It is none, or has other tables.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            for row in connection.execute(query):
                yield {name: row[name] for name in row.keys()}  # noqa: SIM118 (a row is no mapping)
    except sqlite3.Error as error:
        raise InvalidArgument(f"this is no {whose}: {error}") from error


def superlocalmemory(path: Path) -> Iterator[Item]:
    """`memory.db` of SuperLocalMemory 3 or 4: its facts, which are what it recalls, with what their memory says.

    A fact that was deleted leaves the memory that it was taken from behind: memories without facts do not come back.
    """
    if not is_sqlite(path):
        raise InvalidArgument("this is no database of SuperLocalMemory; give its memory.db")
    query = (
        "SELECT f.*, m.speaker AS told_by, m.session_id AS told_in, m.metadata_json AS told_with "
        "FROM atomic_facts AS f LEFT JOIN memories AS m ON m.memory_id = f.memory_id ORDER BY f.rowid"
    )
    for row in select(path, query, "database of SuperLocalMemory 3 or 4"):
        left_out = _left_out(row)
        if left_out is not None:
            yield Item(None, f"superlocalmemory:{row['fact_id']}", left_out)
            continue
        yield item("superlocalmemory", row["fact_id"], row["content"], _fact(row))


def _left_out(row: Row) -> str | None:
    """Why a fact is not taken; older versions lack some of the columns."""
    if row.get("quarantined"):
        return "it is in quarantine there"
    status = row.get("archive_status") or "live"
    return None if status == "live" else f"it is {status} there"


def _fact(row: Row) -> dict[str, Any]:
    kind = str(row["fact_type"])
    created, day = str(row["created_at"]), text(row["observation_date"])
    # A day that nobody named is that of the call, whose time is known.
    moment = when(created) if day is None or created.startswith(day) else when(day)
    valid_from, valid_to = when(row.get("valid_from")), when(row.get("valid_until"))
    told = _object(row["told_with"])
    own = {
        "memory_id": row["memory_id"],
        "profile": row["profile_id"],
        "fact_type": kind,
        "confidence": row["confidence"],
        "referenced_date": text(row["referenced_date"]),
    }
    own = {name: value for name, value in own.items() if value is not None}
    return {
        "kind": _KINDS.get(kind, "semantic"),
        "tags": [] if kind in _KINDS else [kind],
        "speaker": text(row["told_by"]),
        "session_id": text(row["session_id"]) or text(row["told_in"]),
        "occurred_at": moment,
        "valid_from": valid_from,
        "valid_to": None if valid_to == valid_from else valid_to,
        "importance": row["importance"],
        "pinned": True if row.get("pinned") else None,
        "metadata": {name: value for name, value in told.items() if name not in _INTERNAL} | {"superlocalmemory": own},
    }


def _object(value: Any) -> dict[str, Any]:
    try:
        found = json.loads(value or "{}")
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
