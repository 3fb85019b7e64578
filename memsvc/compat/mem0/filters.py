"""Filters of mem0 in the words of docs/filters.md.

`AND`, `OR`, `NOT` and comparisons are the same in both. Names differ: `run_id` is a session, an app is kept in
`source`, categories are tags, and `created_at` is when a memory happened, or when it was recorded if nobody said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from memsvc.core.errors import InvalidInput
from memsvc.filters.grammar import MAX_CLAUSES, MAX_DEPTH
from memsvc.http.schemas import format_instant

SCOPE: Mapping[str, str] = {
    "user_id": "user_id",
    "agent_id": "agent_id",
    "run_id": "session_id",
    "app_id": "source.app_id",
}
"""What mem0 calls entities, and the field of each."""

ANY = "*"
_GROUPS = frozenset({"AND", "OR", "NOT"})
_OPS = frozenset({"eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "contains"})
_KNOWN = "AND, OR, NOT, user_id, agent_id, run_id, app_id, created_at, categories, metadata"

Filter = dict[str, Any]


def translated(value: Any, pointer: str = "/filters", depth: int = 0) -> Filter:
    """The filter as `memsvc.filters.grammar` reads it, which also judges values and depth.

    Raises:
        InvalidInput: it is no object, names what cannot be filtered by, or is larger than any filter may be.
    """
    if depth > MAX_DEPTH:
        raise _bad(pointer, f"AND, OR and NOT nest at most {MAX_DEPTH} deep")
    if not isinstance(value, Mapping):
        raise _bad(pointer, 'a filter is an object such as {"user_id": "ada"}')
    _check_count(value, pointer)
    parts: list[Filter] = []
    for key, inner in value.items():
        if key.upper() in _GROUPS:
            items = inner if isinstance(inner, list) else [inner]
            inside = f"{pointer}/{key.upper()}"
            _check_count(items, inside)
            below = [translated(item, f"{inside}/{index}", depth + 1) for index, item in enumerate(items)]
            parts.append({key.lower(): below})
        else:
            parts.extend(_clauses(key, inner, pointer))
    return joined(parts)


def joined(parts: list[Filter]) -> Filter:
    """All of them; side by side where no two say the same name, which spares a level of depth."""
    whole: Filter = {}
    for part in parts:
        if whole.keys() & part.keys():
            return {"and": parts}
        whole |= part
    return whole


def names_scope(value: Any) -> bool:
    """Whether a filter of mem0 says anywhere whose memories are meant."""
    if isinstance(value, Mapping):
        return any(key in SCOPE or names_scope(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(names_scope, value))


def created(comparison: Mapping[str, Any]) -> Filter:
    """Memories by their moment: when it happened, else when it was recorded."""
    return {"or": [{"occurred_at": comparison}, {"occurred_at": {"exists": False}, "recorded_at": comparison}]}


def moment(value: Any, pointer: str, *, is_end: bool = False) -> datetime:
    """A day, a time with or without zone (UTC), or seconds since 1970, as mem0 takes them all.

    Args:
        is_end: of a day, its end is meant.

    Raises:
        InvalidInput: it is none of these.
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str) and len(value) == len("2026-01-31"):
            day = datetime.combine(date.fromisoformat(value), time(), UTC)
            return day + timedelta(days=1) if is_end else day
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise _bad(pointer, "give a day (2026-01-31), an ISO 8601 time, or seconds since 1970")


def _clauses(key: str, value: Any, pointer: str) -> list[Filter]:
    if key in SCOPE:
        return [{SCOPE[key]: _comparison(value, f"{pointer}/{key}")}]
    if key == "created_at":
        given = _comparison(value, f"{pointer}/created_at")
        given = given if isinstance(given, Mapping) else {"eq": given}
        if any(isinstance(one, list) for one in given.values()):
            raise _bad(f"{pointer}/created_at", "compare times by gt, gte, lt, lte, eq or ne")
        times = {op: format_instant(moment(one, f"{pointer}/created_at/{op}")) for op, one in given.items()}
        return [created(times)]
    if key == "categories":
        return [_categories(value, f"{pointer}/categories")]
    if key == "metadata" and isinstance(value, Mapping):
        _check_count(value, f"{pointer}/metadata")
        return [{f"metadata.{_escaped(name)}": _comparison(of, f"{pointer}/metadata")} for name, of in value.items()]
    raise _bad(pointer, f"there is no such filter here; known are {_KNOWN}")


def _categories(value: Any, pointer: str) -> Filter:
    """A category, or any of several: `x`, `["x"]`, `{"in": ["x"]}` or `{"contains": "x"}`."""
    if isinstance(value, Mapping):
        if len(value) != 1 or not value.keys() <= {"in", "contains", "eq"}:
            raise _bad(pointer, "compare categories by in or contains")
        (value,) = value.values()
    wanted = value if isinstance(value, list) else [value]
    if not wanted:
        raise _bad(pointer, "name at least one category")
    _check_count(wanted, pointer)
    tags = [{"tags": {"contains": one}} for one in wanted]
    return tags[0] if len(tags) == 1 else {"or": tags}


def _comparison(value: Any, pointer: str) -> Any:
    """What stands behind a name: a value, `*` for any, or operators with their values."""
    if value == ANY:
        return {"exists": True}
    if isinstance(value, Mapping) and (not value or not value.keys() <= _OPS):
        raise _bad(pointer, f"compare by {', '.join(sorted(_OPS))}")
    return value


def _check_count(parts: Sized, pointer: str) -> None:
    """Refuses early what the grammar would refuse in the end: the work on it would be for nothing."""
    if len(parts) > MAX_CLAUSES:
        raise _bad(pointer, f"a filter holds at most {MAX_CLAUSES} comparisons; use in for many values")


def _escaped(key: str) -> str:
    return key.replace("\\", "\\\\").replace(".", "\\.")


def _bad(pointer: str, message: str) -> InvalidInput:
    return InvalidInput.field(pointer, "filter", message)
