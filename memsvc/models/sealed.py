"""Types of columns that are encrypted where their memory has a key, and opened by whatever statement reads them.

Opening is part of the type, so that no statement can forget it: selected, such a column brings the wrapped keys of its
memory along, from the same moment, and the result is opened with them. Sealing needs to know the row, and is done where
rows are written (`memsvc.sealing.rows`). Conditions and functions of SQL see what is stored; `memsvc.filters.rows`
answers filters that ask for what only the opened value tells.

The engine of a server with a root key has a keyring. On one without, statements are what they always were, and what
another server has sealed is refused instead of shown.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import JSON, ColumnElement, Dialect, Engine, Label, LargeBinary, String, Text, TypeDecorator, case, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from memsvc.core.errors import Damaged, Unavailable
from memsvc.sealing.keyring import HEADER, ID, OVERHEAD_BYTES, DataKey, Keyring

MARK = "\ufdd0sealed:"
"""Begins what is sealed, before the base64 of it; no text may come in that begins so."""
MARK_BYTES = MARK.encode()
_keyrings: WeakKeyDictionary[Dialect, Keyring] = WeakKeyDictionary()


def give_keyring(engine: Engine, keyring: Keyring) -> None:
    """Lets what is read by an engine be opened; before its first statement."""
    _keyrings[engine.dialect] = keyring


def keyring_of(dialect: Dialect) -> Keyring | None:
    """What was given; None where nothing is encrypted."""
    return _keyrings.get(dialect)


class Sealed(TypeDecorator[Any]):
    """A column that may be encrypted.

    Args:
        place: what it holds, part of what a value is bound to; never changed once there are values.
        rows: columns that tell the memory's rows in this table apart, bound to as well. All of them change with the
            value or not at all.
    """

    cache_ok = True
    mark: ClassVar[Any]

    def __init__(self, place: str, rows: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.place = place
        self.rows = rows

    def sealed(self, key: DataKey, row: Mapping[str, Any], value: Any) -> Any:
        """A value of a row as it is stored."""
        return None if value is None else self._stored(key.seal(self._place(self._told(row)), self._to_bytes(value)))

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """See `_Opened`."""
        return _OpenedText(column, self.rows)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """Opens what was selected."""
        plain = super().result_processor(dialect, coltype)
        keyring = keyring_of(dialect)
        return self._refusing(plain) if keyring is None else self._opening(keyring)

    def _refusing(self, plain: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
        kind, mark = type(self.mark), self.mark

        def process(value: Any) -> Any:
            value = value if plain is None else plain(value)
            if isinstance(value, kind) and value.startswith(mark):
                raise Unavailable("this is encrypted, and this server has no MEMSVC_ROOT_KEY")
            return value

        return process

    def _opening(self, keyring: Keyring) -> Callable[[Any], Any]:
        def process(value: Any) -> Any:
            if value is None:
                return None
            tagged = self._tagged(value)
            if tagged[:1] == self._PLAIN:
                return self._plain(tagged[1 + ID :], tagged[1 : 1 + ID])
            header = tagged[1 : 1 + HEADER]
            key = keyring.data_key(header if isinstance(header, str) else header.decode())
            rows, _, stored = tagged[1 + HEADER :].partition(self._END)
            sealed = self._unstored(stored)
            if sealed is None:
                raise Damaged(key.memory_id)
            return self._from_bytes(key.open(self._place(rows if isinstance(rows, str) else rows.decode()), sealed))

        return process

    _PLAIN: ClassVar[str | bytes] = "P"
    _END: ClassVar[Any] = ";"

    def _place(self, rows: str) -> str:
        return f"{self.place}|{rows}"

    def _told(self, row: Mapping[str, Any]) -> str:
        return ",".join(str(row[name]) for name in self.rows)

    def _tagged(self, value: Any) -> Any:
        return value

    def _plain(self, value: Any, memory_id: str | bytes) -> Any:
        """What is stored of a memory without a key.

        Raises:
            Damaged: it is sealed all the same: the key is lost.
        """
        if value.startswith(self.mark):
            raise Damaged(UUID(memory_id if isinstance(memory_id, str) else memory_id.decode()))
        return value

    def _stored(self, sealed: bytes) -> Any:
        return MARK + b64encode(sealed).decode().rstrip("=")

    def _unstored(self, stored: Any) -> bytes | None:
        """What is sealed; None if that is not what it is."""
        if not stored.startswith(MARK):
            return None
        text = stored[len(MARK) :]
        try:
            return b64decode(text + "=" * (-len(text) % 4), validate=True)
        except ValueError:
            return None

    def _to_bytes(self, value: Any) -> bytes:
        raise NotImplementedError

    def _from_bytes(self, value: bytes) -> Any:
        raise NotImplementedError


class _Opened(FunctionElement[Any]):
    """A column with the keys of its memory before it, all that is needed to open it.

    `P`, the memory's id and the value where it has no key; otherwise `K`, a header (`memsvc.sealing.keyring.HEADER`),
    what tells the row apart, `;` and the value. Without a keyring the column alone.
    """

    inherit_cache = True
    name = "opened"

    def __init__(self, column: ColumnElement[Any], rows: tuple[str, ...]) -> None:
        while isinstance(column, Label):
            column = column.element
        table: Any = column.table  # a column of a table, or of an alias of one
        own = table.c
        super().__init__(
            column, own.tenant_id, own.memory_id if "memory_id" in own else own.id, *(own[r] for r in rows)
        )
        self.type: TypeEngine[Any] = column.type


class _OpenedText(_Opened):
    inherit_cache = True


class _OpenedName(_Opened):
    """The same, of a column that another stands beside where the memory has a key."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], rows: tuple[str, ...]) -> None:
        super().__init__(column, rows)
        plain: Any = self.clauses.clauses[0]
        self.clauses.clauses.append(plain.table.c[f"sealed_{plain.name}"])


class _OpenedBytes(_Opened):
    inherit_cache = True


class SealedText(Sealed):
    """A text."""

    impl: Any = Text
    cache_ok = True
    mark = MARK

    def _to_bytes(self, value: str) -> bytes:
        return value.encode()

    def _from_bytes(self, value: bytes) -> str:
        return value.decode()


class SealedLabel(SealedText):
    """A short text. Encrypted it is longer than SQLite's column says, which bounds none."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Unbounded on PostgreSQL."""
        return Text() if dialect.name == "postgresql" else String(256)


class SealedName(SealedText):
    """A text that is looked up: stored is a keyed digest of it, and beside it, in `sealed_<name>`, the sealed text."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """As long as a name may be: a digest is shorter."""
        return String(512)

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """See `_OpenedName`."""
        return _OpenedName(column, self.rows)


class SealedJson(Sealed):
    """JSON, never a text by itself; None is NULL. Sealed, it is a JSON text."""

    impl = JSON
    cache_ok = True
    mark = MARK

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """JSONB on PostgreSQL."""
        kind = JSONB if dialect.name == "postgresql" else JSON
        return kind(none_as_null=True)

    def _plain(self, value: str, memory_id: str | bytes) -> Any:
        found = json.loads(value)
        return super()._plain(found, memory_id) if isinstance(found, str) else found

    def _unstored(self, stored: str) -> bytes | None:
        found = json.loads(stored)
        return super()._unstored(found) if isinstance(found, str) else None

    def _to_bytes(self, value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False).encode()

    def _from_bytes(self, value: bytes) -> Any:
        return json.loads(value)


class SealedBytes(Sealed):
    """Bytes."""

    impl = LargeBinary
    cache_ok = True
    mark = MARK_BYTES
    _PLAIN = b"P"
    _END = b";"

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """See `_Opened`."""
        return _OpenedBytes(column, self.rows)

    def _tagged(self, value: Any) -> bytes:
        return bytes(value)

    def _stored(self, sealed: bytes) -> bytes:
        return MARK_BYTES + sealed

    def _unstored(self, stored: bytes) -> bytes | None:
        return stored[len(MARK_BYTES) :] if stored.startswith(MARK_BYTES) else None

    def _to_bytes(self, value: bytes) -> bytes:
        return value

    def _from_bytes(self, value: bytes) -> bytes:
        return value


def plain_bytes(column: ColumnElement[Any], length: ColumnElement[int]) -> ColumnElement[int]:
    """How many bytes a text or binary column holds once it is opened.

    Args:
        length: how many it holds as it is stored.
    """
    if isinstance(column.type, SealedBytes):
        is_sealed = func.substr(column, 1, len(MARK_BYTES)) == MARK_BYTES
        return case((is_sealed, length - len(MARK_BYTES) - OVERHEAD_BYTES), else_=length)
    is_sealed = func.substr(column, 1, len(MARK)) == MARK
    return case((is_sealed, (length - len(MARK_BYTES)) * 3 // 4 - OVERHEAD_BYTES), else_=length)


@compiles(_OpenedText)
def _text(element: _Opened, compiler: SQLCompiler, **given: Any) -> str:
    value, prefix = _parts(element.clauses, compiler)
    return value if prefix is None else f"({prefix} || CAST({value} AS TEXT))"


@compiles(_OpenedName)
def _name(element: _Opened, compiler: SQLCompiler, **given: Any) -> str:
    *clauses, beside = element.clauses
    value, prefix = _parts(clauses, compiler)
    return value if prefix is None else f"({prefix} || COALESCE({compiler.process(beside)}, {value}))"


@compiles(_OpenedBytes)
def _bytes(element: _Opened, compiler: SQLCompiler, **given: Any) -> str:
    value, prefix = _parts(element.clauses, compiler)
    if prefix is None:
        return value
    if compiler.dialect.name == "postgresql":
        return f"(convert_to({prefix}, 'UTF8') || {value})"
    return f"CAST({prefix} || {value} AS BLOB)"


def _parts(clauses: Iterable[ColumnElement[Any]], compiler: SQLCompiler) -> tuple[str, str | None]:
    """The column, and what stands before it; None without a keyring."""
    value, tenant, memory, *rows = (compiler.process(clause) for clause in clauses)
    if keyring_of(compiler.dialect) is None:
        return value, None
    ids = [tenant, memory]
    if compiler.dialect.name == "postgresql":
        ids = [f"replace(CAST({one} AS TEXT), '-', '')" for one in ids]
    told = " || ',' || ".join(f"CAST({row} AS TEXT)" for row in rows) or "''"
    header = " || ".join(("'K'", "mk.wrapped", "tk.wrapped", *ids, told, "';'"))
    found = (
        f"SELECT {header} FROM memory_key AS mk JOIN tenant_key AS tk ON tk.tenant_id = mk.tenant_id "  # noqa: S608
        f"WHERE mk.tenant_id = {tenant} AND mk.memory_id = {memory}"
    )
    return value, f"COALESCE(({found}), 'P' || {ids[1]})"
