"""Conditions inside JSON columns, for both databases.

SQLite walks objects with `json_each`, where a key is an ordinary compared value: its path syntax can neither spell
every key nor be trusted with one. PostgreSQL has operators on `jsonb`; their text operand only names keys of objects.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from operator import ge, gt, le, lt
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    FromClause,
    ScalarSelect,
    Text,
    and_,
    cast,
    collate,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType

from memsvc.filters.ast import Clause, Op

_ORDER: dict[Op, Callable[[Any, Any], ColumnElement[bool]]] = {Op.GT: gt, Op.GTE: ge, Op.LT: lt, Op.LTE: le}
_NUMERIC = ("integer", "real")
_SCALARS = ("string", "number", "boolean")


class _Either(FunctionElement[bool]):
    """Two spellings of one condition; the dialect picks one when the statement is compiled."""

    name = "either"
    type = Boolean()
    inherit_cache = True


@compiles(_Either, "sqlite")
def _on_sqlite(element: _Either, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.clauses.clauses[0], **options)})"


@compiles(_Either, "postgresql")
def _on_postgresql(element: _Either, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.clauses.clauses[1], **options)})"


def either(on_sqlite: ColumnElement[bool], on_postgresql: ColumnElement[bool]) -> ColumnElement[bool]:
    """A condition that each database is asked in its own words."""
    return _Either(on_sqlite, on_postgresql)


def has_tag(tags: ColumnElement[Any], clause: Clause) -> ColumnElement[bool]:
    """A comparison of the list of tags: one of them equals one of the values, or there is a tag at all."""
    each = _each(tags)
    array = type_coerce(tags, JSONB)
    if clause.op is Op.EXISTS:
        some = either(_exists(each), func.jsonb_array_length(array) > 0)
        return some if clause.value else not_(some)
    wanted = [str(value) for value in clause.values]
    if not wanted:
        return false()
    return either(_exists(each, each.c.value.in_(wanted)), array.has_any(cast(wanted, ARRAY(Text))))


def holds(column: ColumnElement[Any], clause: Clause) -> ColumnElement[bool]:
    """A comparison of what lies at a path inside an object; false if nothing, or another type, lies there."""
    member = _each(_descend(column, clause.field.path[:-1]))
    here = member.c.key == clause.field.path[-1]
    at_path: ColumnElement[Any] = type_coerce(column, JSONB)
    for key in clause.field.path:
        at_path = at_path.op("->", return_type=JSONB())(literal(key, Text))
    kind = func.jsonb_typeof(at_path)
    match clause.op:
        case Op.EXISTS:
            some = either(_exists(member, here, member.c.type != "null"), func.coalesce(kind, "null") != "null")
            return some if clause.value else not_(some)
        case Op.EQ | Op.IN:
            return either(
                _exists(member, here, _equals_one(member, clause.values)),
                func.coalesce(and_(kind.in_(_SCALARS), _jsonb(clause.values).op("@>")(at_path)), false()),
            )
        case Op.CONTAINS:
            elements = _each(_only(member, here, member.c.type == "array"))
            return either(
                _exists(elements, _equals_one(elements, clause.values)),
                func.coalesce(and_(kind == "array", at_path.op("@>")(_jsonb(clause.value))), false()),
            )
        case _:
            return either(
                _exists(
                    member, here, _has_type_of(member, clause.value), _ORDER[clause.op](_raw(member), clause.value)
                ),
                func.coalesce(_ordered(at_path, kind, clause), false()),
            )


def _ordered(at_path: ColumnElement[Any], kind: ColumnElement[Any], clause: Clause) -> ColumnElement[bool]:
    """Numbers by size, strings by code points (as SQLite and Python order them), whatever the database's collation."""
    compare = _ORDER[clause.op]
    if isinstance(clause.value, str):
        text = at_path.op("#>>", return_type=Text())(cast([], ARRAY(Text)))
        return and_(kind == "string", compare(collate(text, "C"), literal(clause.value, Text)))
    return and_(kind == "number", compare(at_path, _jsonb(clause.value)))


def _jsonb(value: object) -> ColumnElement[Any]:
    return cast(literal(json.dumps(value), Text), JSONB)


def _each(container: ColumnElement[Any]) -> FromClause:
    """The members of an object, or the elements of a list, as rows (SQLite)."""
    return func.json_each(container).table_valued("key", "value", "type")


def _descend(container: ColumnElement[Any], keys: Iterable[str]) -> ColumnElement[Any]:
    """The object at the end of a path, or NULL, which has no members."""
    for key in keys:
        members = _each(container)
        container = _only(members, members.c.key == key, members.c.type == "object")
    return container


def _only(rows: FromClause, *conditions: ColumnElement[bool]) -> ScalarSelect[Any]:
    return select(rows.c.value).select_from(rows).where(*conditions).scalar_subquery()


def _exists(rows: FromClause, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(1).select_from(rows).where(*conditions).exists()


def _raw(rows: FromClause) -> ColumnElement[Any]:
    """The value as it lies there, so that numbers and strings are bound as they are."""
    return type_coerce(rows.c.value, NullType())


def _has_type_of(rows: FromClause, value: object) -> ColumnElement[bool]:
    return rows.c.type == "text" if isinstance(value, str) else rows.c.type.in_(_NUMERIC)


def _equals_one(rows: FromClause, values: tuple[Any, ...]) -> ColumnElement[bool]:
    """Type and value both: SQLite reads true as 1, and an object as its text."""
    strings = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if not isinstance(value, str | bool)]
    truths = [str(value).lower() for value in values if isinstance(value, bool)]
    return or_(
        and_(rows.c.type == "text", rows.c.value.in_(strings)),
        and_(rows.c.type.in_(_NUMERIC), _raw(rows).in_(numbers)),
        rows.c.type.in_(truths),
    )
