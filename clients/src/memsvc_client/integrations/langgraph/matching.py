"""LangGraph's filters: as filters of the service where its grammar has the words, and judged here where it has not.

A filter compares what stands under the first keys of a value: `{"kind": "tea"}`, `{"rating": {"$gte": 3}}`,
`{"place": {"city": "Oslo"}}`. Operators: $eq $ne $gt $gte $lt $lte.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_OPERATORS = {"$eq", "$ne", *_ORDERED}


def to_filter(wanted: Mapping[str, Any] | None, within: str = "metadata") -> tuple[dict[str, Any], bool]:
    """The filter in the service's grammar, and whether it says everything; else `matches` has the last word.

    Raises:
        ValueError: An operator is none of LangGraph's.
    """
    said: dict[str, Any] = {}
    is_all = True
    for key, value in (wanted or {}).items():
        field = f"{within}.{_escaped(key)}"
        if isinstance(value, Mapping) and not _is_comparison(value):
            said |= to_filter(value, field)[0]
            is_all = False  # nobody said yet that there is an object under this key
            continue
        comparisons = dict(value) if isinstance(value, Mapping) else {"$eq": value}
        for name, operand in comparisons.items():
            comparison = _comparison(name, operand)
            if comparison is None or comparison[0] in said.get(field, {}):
                is_all = False
            else:
                said.setdefault(field, {})[comparison[0]] = comparison[1]
    return said, is_all


def matches(value: Any, wanted: Mapping[str, Any] | None) -> bool:
    """Whether a value passes the filter, as LangGraph's own store has it."""
    return all(_equals(value.get(key), to) for key, to in (wanted or {}).items())


def _is_comparison(value: Mapping[str, Any]) -> bool:
    return any(name.startswith("$") for name in value)


def _comparison(name: str, operand: Any) -> tuple[str, Any] | None:
    if name not in _OPERATORS:
        raise ValueError(f"unsupported operator: {name}")
    if operand is None and name in ("$eq", "$ne"):
        return "exists", name == "$ne"  # to the service null is no value
    if isinstance(operand, str | int | float):
        return name[1:], operand
    return None  # lists and objects are compared as a whole, which the grammar has no words for


def _equals(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        if _is_comparison(wanted):
            return all(_compares(value, name, operand) for name, operand in wanted.items())
        return isinstance(value, Mapping) and matches(value, wanted)
    if isinstance(wanted, list | tuple):
        return isinstance(value, list | tuple) and len(value) == len(wanted) and all(map(_equals, value, wanted))
    return bool(value == wanted)


def _compares(value: Any, name: str, operand: Any) -> bool:
    if name in ("$eq", "$ne"):
        return bool(value == operand) == (name == "$eq")
    try:
        return value is not None and bool(_ORDERED[name](value, operand))
    except TypeError:
        return False  # a text is neither more nor less than a number


def _escaped(key: str) -> str:
    return key.replace("\\", "\\\\").replace(".", "\\.")
