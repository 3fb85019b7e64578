"""Conditions on many ids, as one parameter.

A list in a statement is as many parameters: the statement is written, read and planned anew for each length, which at
some hundred ids takes longer than carrying it out, and SQLite bounds how many there may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Dialect, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import UserDefinedType

# Named like no column: an UPDATE takes what is named like one for its new value.
_TENANT, _IDS = "one_of_tenant", "one_of_ids"


class _Ids(UserDefinedType[list[UUID]]):
    """Ids as text: of an array on PostgreSQL, on SQLite JSON of what it keeps of each."""

    cache_ok = True
    render_bind_cast = True

    def get_col_spec(self, **given: Any) -> str:
        return "UUID[]"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        if dialect.name == "postgresql":  # the driver would look at each id for what has to be escaped
            return lambda ids: "{" + ",".join([one.hex for one in ids]) + "}"
        return lambda ids: '["' + '","'.join([one.hex for one in ids]) + '"]' if ids else "[]"


class _OneOf(FunctionElement[Any]):
    inherit_cache = True


@compiles(_OneOf, "postgresql")
def _on_postgresql(element: _OneOf, compiler: SQLCompiler, **given: Any) -> str:
    of, column, tenant, ids = (compiler.process(clause, **given) for clause in element.clauses)
    return f"({of} = {tenant} AND {column} = ANY ({ids}))"


@compiles(_OneOf, "sqlite")
def _on_sqlite(element: _OneOf, compiler: SQLCompiler, **given: Any) -> str:
    # In pairs: SQLite has no statistics, takes a list for longer than all that a tenant has, and would read that.
    of, column, tenant, ids = (compiler.process(clause, **given) for clause in element.clauses)
    return f"(({of}, {column}) IN (SELECT {tenant}, value FROM json_each({ids})))"  # noqa: S608 - compiled clauses alone


def one_of(column: ColumnElement[Any], tenant_id: UUID, ids: Iterable[UUID]) -> ColumnElement[Any]:
    """Whether a row is a tenant's, and a column of it one of any number of ids.

    Both databases look that up in an index that begins with the tenant and the column, whatever else is asked for.
    """
    of = column.table.c.tenant_id  # a column of a table, or of an alias of one
    return _OneOf(of, column, bindparam(None, tenant_id, type_=of.type), bindparam(None, list(ids), type_=_Ids()))


def one_of_given(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The same of what `given` holds, with which the statement is executed: it is built once, then."""
    of = column.table.c.tenant_id
    return _OneOf(of, column, bindparam(_TENANT, type_=of.type), bindparam(_IDS, type_=_Ids()))


def given(tenant_id: UUID, ids: Iterable[UUID]) -> dict[str, Any]:
    """What a statement with `one_of_given` is executed with."""
    return {_TENANT: tenant_id, _IDS: list(ids)}
