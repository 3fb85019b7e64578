"""From JSON to a checked filter. Every refusal names the place (a JSON pointer) and what to write, never the value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memsvc.core.errors import InvalidInput
from memsvc.filters.ast import (
    FIELD_TYPES,
    ONLY_ACTIVE,
    And,
    Clause,
    Field,
    FieldType,
    Node,
    Not,
    Op,
    Or,
    conjoin,
    names,
)
from memsvc.filters.values import BadValue, read_value

MAX_DEPTH = 3
MAX_CLAUSES = 20
MAX_LIST = 1000
MAX_NAME_CHARS = 512
MAX_PATH_KEYS = 8

_ORDER = frozenset({Op.GT, Op.GTE, Op.LT, Op.LTE})
_EQUAL = frozenset({Op.EQ, Op.NE, Op.IN, Op.NIN, Op.EXISTS})
OPS: dict[FieldType, frozenset[Op]] = {
    FieldType.KIND: _EQUAL,
    FieldType.STATE: _EQUAL,
    FieldType.STRING: _EQUAL | {Op.CONTAINS},
    FieldType.TAGS: _EQUAL | {Op.CONTAINS},
    FieldType.TIME: _EQUAL | _ORDER,
    FieldType.NUMBER: _EQUAL | _ORDER,
    FieldType.TRUST: _EQUAL | _ORDER,
    FieldType.BOOL: _EQUAL,
    FieldType.JSON: _EQUAL | _ORDER | {Op.CONTAINS},
}
_GROUPS = {"and": "and", "or": "or", "not": "not", "AND": "and", "OR": "or", "NOT": "not"}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_PATH_KEY = re.compile(r"((?:[^.\\]|\\[.\\])+)(\.|\Z)", re.DOTALL)


def parse(value: Any, pointer: str = "/filter", *, every_state: bool = False) -> Node:
    """The filter that a request carries, with "only active memories" added if it names no state.

    Args:
        value: decoded JSON, or None for no filter.
        pointer: JSON pointer of the filter inside the request, for errors.
        every_state: leave the states open where the filter names none.

    Raises:
        InvalidInput: the filter breaks the grammar or a limit.
    """
    node = conjoin() if value is None else _Parser().object(value, pointer, depth=0)
    return node if every_state or names(node, "state") else conjoin(node, ONLY_ACTIVE)


@dataclass(slots=True)
class _Parser:
    """Walks the JSON; counts clauses over the whole filter."""

    clauses: int = 0

    def object(self, value: Any, pointer: str, depth: int) -> Node:
        if not isinstance(value, Mapping):
            raise _bad(pointer, "type", 'a filter is an object such as {"user_id": "ada"}')
        parts: list[Node] = []
        for key, inner in value.items():
            if key in _GROUPS:
                parts.append(self.group(_GROUPS[key], inner, f"{pointer}/{key}", depth + 1))
            else:
                parts.extend(self.comparisons(_field(key, pointer), inner, _child(pointer, key)))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def group(self, word: str, value: Any, pointer: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise _bad(pointer, "too_deep", f"and, or and not nest at most {MAX_DEPTH} deep")
        if word == "not" and isinstance(value, Mapping):
            return Not(self.object(value, pointer, depth))
        if not isinstance(value, list) or not value:
            raise _bad(pointer, "type", "give a list of at least one filter" + (", or one filter" * (word == "not")))
        if len(value) > MAX_CLAUSES:
            raise _too_many(pointer)
        parts = tuple(self.object(item, f"{pointer}/{index}", depth) for index, item in enumerate(value))
        match word:
            case "and":
                return And(parts)
            case "or":
                return Or(parts)
            case _:
                return Not(Or(parts))

    def comparisons(self, field: Field, value: Any, pointer: str) -> list[Node]:
        if not isinstance(value, Mapping):
            return [self.clause(field, Op.EQ, value, pointer)]
        if not value:
            raise _bad(pointer, "type", f"give a value, or one of {_list(OPS[field.type])} with a value")
        found: list[Node] = []
        for name, operand in value.items():
            if name not in OPS[field.type]:
                raise _bad(pointer, "operator", f"this field can be compared by {_list(OPS[field.type])}")
            found.append(self.clause(field, Op(name), operand, f"{pointer}/{name}"))
        return found

    def clause(self, field: Field, op: Op, operand: Any, pointer: str) -> Clause:
        self.clauses += 1
        if self.clauses > MAX_CLAUSES:
            raise _too_many(pointer)
        if op is Op.EXISTS:
            if not isinstance(operand, bool):
                raise _bad(pointer, "type", "exists takes true or false")
            return Clause(field, op, operand)
        if op not in (Op.IN, Op.NIN):
            return Clause(field, op, _value(field, op, operand, pointer))
        if not isinstance(operand, list):
            raise _bad(pointer, "type", "give a list of values")
        if len(operand) > MAX_LIST:
            raise _bad(pointer, "too_long", f"a list holds at most {MAX_LIST} values")
        return Clause(field, op, tuple(_value(field, op, item, f"{pointer}/{i}") for i, item in enumerate(operand)))


def _value(field: Field, op: Op, operand: Any, pointer: str) -> Any:
    try:
        return read_value(field.type, op, operand)
    except BadValue as bad:
        raise _bad(pointer, "type", str(bad)) from None


def _field(name: str, pointer: str) -> Field:
    r"""Reads `place`, `metadata.a.b` or `metadata.a\.b` (one key "a.b")."""
    head, dot, rest = name.partition(".")
    if len(name) > MAX_NAME_CHARS:
        raise _bad(pointer, "too_long", f"a field name has at most {MAX_NAME_CHARS} characters")
    if head not in FIELD_TYPES:
        raise _bad(_child(pointer, name), "unknown_field", f"unknown field; known are {_list(FIELD_TYPES)}")
    if FIELD_TYPES[head] is not FieldType.JSON:
        if dot:
            raise _bad(_child(pointer, name), "unknown_field", "this field has nothing inside")
        return Field(head)
    path = _path(rest)
    if not path or len(path) > MAX_PATH_KEYS:
        raise _bad(
            _child(pointer, name),
            "path",
            f"name 1 to {MAX_PATH_KEYS} keys, as in {head}.key or {head}.key.inner; write \\. for a dot inside a key",
        )
    return Field(head, path)


def _path(text: str) -> tuple[str, ...]:
    """Keys of a dotted path, or nothing if it is not one."""
    keys: list[str] = []
    end, more = 0, True
    while more:
        found = _PATH_KEY.match(text, end)
        if found is None:
            return ()
        keys.append(re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL))
        end, more = found.end(), bool(found[2])
    return tuple(keys) if all(_is_storable(key) for key in keys) else ()


def _is_storable(key: str) -> bool:
    return "\0" not in key and not any("\ud800" <= char <= "\udfff" for char in key)


def _child(pointer: str, name: str) -> str:
    """Pointer to a member. A name that is not plain is left out: it may be anything, and errors echo nothing."""
    return f"{pointer}/{name}" if _PLAIN_NAME.fullmatch(name) else pointer


def _list(words: Any) -> str:
    return ", ".join(sorted(words))


def _bad(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput.field(pointer, f"filter_{code}", message)


def _too_many(pointer: str) -> InvalidInput:
    return _bad(pointer, "too_many", f"a filter holds at most {MAX_CLAUSES} comparisons; use in for many values")
