"""Conditions that the databases answer from an index."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, and_, tuple_

from memsvc.models.tables import VERSION


def version_among(keys: Sequence[tuple[UUID, int]]) -> ColumnElement[bool]:
    """Whether a version is one of these (memory, version).

    The pairs say it all, but SQLite looks them up one by one in an index only if it is told of each column alone; with
    the pairs alone it reads every version of the tenant.
    """
    return and_(
        VERSION.c.memory_id.in_([memory_id for memory_id, _ in keys]),
        VERSION.c.version.in_(sorted({version for _, version in keys})),
        tuple_(VERSION.c.memory_id, VERSION.c.version).in_(keys),
    )
