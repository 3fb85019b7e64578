"""Values of a filter: read and checked by the type of the field, and spelled for hashing."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from gpu.bank.records import Kind, State
from lifecycle.trust import Trust
from memsvc.filters.ast import FieldType, Op, Scalar

MAX_STRING_CHARS = 1024
DECIMALS = 6
"""Importance is kept and compared to so many places: enough for it, and exact in the bank's float32."""
_WHOLE = 2**53
_INT64 = range(-(2**63), 2**63)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_ORDER = (Op.GT, Op.GTE, Op.LT, Op.LTE)


class BadValue(Exception):
    """A value of the wrong type; the message says what is wanted and holds nothing of the value."""


def read_value(kind: FieldType, op: Op, value: Any) -> Scalar:
    """The checked value of a comparison.

    Raises:
        BadValue: it does not fit the field or the comparison.
    """
    match kind:
        case FieldType.KIND:
            return _code(Kind, value)
        case FieldType.STATE:
            return _code(State, value)
        case FieldType.STRING | FieldType.TAGS:
            return _string(value)
        case FieldType.TIME:
            return read_time(value)
        case FieldType.NUMBER:
            return _share(value)
        case FieldType.TRUST:
            return _rank(value)
        case FieldType.BOOL:
            if not isinstance(value, bool):
                raise BadValue("give true or false")
            return value
        case FieldType.JSON:
            return _json_scalar(op, value)


def read_time(value: Any) -> datetime:
    """An RFC 3339 time with its zone, in UTC; digits below the microsecond are cut off.

    Raises:
        BadValue: it is something else.
    """
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise BadValue("give a time with its zone, such as 2026-01-31T09:00:00Z")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadValue("there is no such time; give one such as 2026-01-31T09:00:00Z") from None


def spell(value: object) -> str | None:
    """One spelling for each scalar, so that equal values hash alike (1 and 1.0) and others never do (1, true and "1").

    Returns:
        The spelling, or None for what equals nothing (null, lists, objects, nan).
    """
    if isinstance(value, str):
        return "s" + value
    if isinstance(value, bool):
        return "bt" if value else "bf"
    if isinstance(value, int):
        return f"n{value}" if value in _INT64 else None
    if isinstance(value, float) and math.isfinite(value):
        return f"n{_number(value)!r}"
    return None


def _number(value: float) -> int | float:
    """Whole floats become ints, as long as floats can tell whole numbers apart."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _WHOLE:
        return int(value)
    return value


def _code(names: type[IntEnum], value: Any) -> int:
    known = {member.name.lower(): int(member) for member in names}
    if not isinstance(value, str) or value not in known:
        raise BadValue(f"give one of {', '.join(known)}")
    return known[value]


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _WHOLE:
        raise BadValue("give a number between 0 and 1")
    return round(float(value), DECIMALS)


def _rank(value: Any) -> float:
    if not isinstance(value, str) or value not in list(Trust):
        raise BadValue(f"give one of {', '.join(Trust)}")
    return Trust(value).rank


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise BadValue("give a string")
    if len(value) > MAX_STRING_CHARS:
        raise BadValue(f"a string in a filter has at most {MAX_STRING_CHARS} characters")
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise BadValue("a string holds no NUL and no half of a surrogate pair")
    return value


def _json_scalar(op: Op, value: Any) -> Scalar:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        if op in _ORDER:
            raise BadValue("order is for numbers and strings")
        return value
    if isinstance(value, int):
        if value not in _INT64:
            raise BadValue("a whole number has at most 64 bits; keep larger ones as strings")
        return value
    if isinstance(value, float) and math.isfinite(value):
        return _number(value)
    raise BadValue("give a string, a number, true or false; use exists to ask whether there is a value")
