"""Conditions that the databases answer from an index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, LargeBinary, and_, bindparam, cast, func, tuple_

from memsvc.models.sealed import plain_bytes
from memsvc.models.tables import VERSION

# The pairs say it all, but SQLite looks them up one by one in an index only if it is told of each column alone; with
# the pairs alone it reads every version of the tenant.
VERSION_AMONG = and_(
    VERSION.c.memory_id.in_(bindparam("memory_ids", expanding=True)),
    VERSION.c.version.in_(bindparam("versions", expanding=True)),
    tuple_(VERSION.c.memory_id, VERSION.c.version).in_(bindparam("memory_versions", expanding=True)),
)
"""Whether a version is one of certain (memory, version), which `among` gives as parameters."""


def among(keys: Sequence[tuple[UUID, int]]) -> dict[str, Any]:
    """The parameters of `VERSION_AMONG`."""
    return {
        "memory_ids": [memory_id for memory_id, _ in keys],
        "versions": sorted({version for _, version in keys}),
        "memory_versions": list(keys),
    }


def byte_length(connection: Connection, column: ColumnElement[Any]) -> ColumnElement[int]:
    """How many bytes a text or binary column holds; of one that is encrypted, once it is opened."""
    if connection.dialect.name == "postgresql":
        return plain_bytes(column, func.octet_length(column))
    return plain_bytes(column, func.length(cast(column, LargeBinary)))
