"""Conditions on many ids, as one parameter.

A list in a statement is as many parameters: the statement is written, read and planned anew for each length, which at
some hundred ids takes longer than carrying it out, and SQLite bounds how many there may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Dialect, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import UserDefinedType


class _Ids(UserDefinedType[list[UUID]]):
    """Ids as text: of an array on PostgreSQL, on SQLite JSON of what it keeps of each."""

    cache_ok = True
    render_bind_cast = True

    def get_col_spec(self, **given: Any) -> str:
        return "UUID[]"

    def bind_processor(self, dialect: Dialect) -> Callable[[list[UUID]], str]:
        if dialect.name == "postgresql":  # the driver would look at each id for what has to be escaped
            return lambda ids: "{" + ",".join([one.hex for one in ids]) + "}"
        return lambda ids: '["' + '","'.join([one.hex for one in ids]) + '"]' if ids else "[]"


class _OneOf(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True


@compiles(_OneOf, "postgresql")
def _on_postgresql(element: _OneOf, compiler: SQLCompiler, **given: Any) -> str:
    column, ids = (compiler.process(clause, **given) for clause in element.clauses)
    return f"({column} = ANY ({ids}))"


@compiles(_OneOf, "sqlite")
def _on_sqlite(element: _OneOf, compiler: SQLCompiler, **given: Any) -> str:
    column, ids = (compiler.process(clause, **given) for clause in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({ids})))"  # noqa: S608 - compiled clauses, no text of anybody's


def one_of(column: ColumnElement[Any], ids: Iterable[UUID]) -> ColumnElement[bool]:
    """Whether a column is one of any number of ids. Both databases look them up in an index."""
    return _OneOf(column, bindparam(None, list(ids), type_=_Ids()))
