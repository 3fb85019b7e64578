"""Tombstones on their way from one copy of a database to another: a backup knows nothing of later erasures.

One JSON object a line, with the digest of an id and nothing that it could be read from. Loaded into what a backup
brought back, they have the next start erase again what was erased since (`Erasures.reapply`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, insert, select

from memsvc.core.errors import InvalidInput
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE
from memsvc.db.writer import Unit
from memsvc.models import Tenant
from memsvc.models.tables import TOMBSTONE

_CHUNK = 1_000
_DIGEST_BYTES = 32


def saved(database: Database) -> Iterator[bytes]:
    """Every tombstone of every tenant, as lines."""
    with database.read(SERVICE) as connection:
        query = select(TOMBSTONE).order_by(TOMBSTONE.c.tenant_id, TOMBSTONE.c.digest)
        for row in connection.execute(query.execution_options(yield_per=_CHUNK)):
            line = {
                "tenant": str(row.tenant_id),
                "digest": row.digest.hex(),
                "erased_at": row.erased_at.isoformat(),
                "erasure": None if row.erasure_id is None else str(row.erasure_id),
            }
            yield orjson.dumps(line) + b"\n"


def load(database: Database, lines: Iterable[bytes]) -> int:
    """Adds tombstones, those that are not there yet; those of tenants that this database does not know are let go.

    Returns:
        How many were new.

    Raises:
        InvalidInput: a line is none of `saved`; what came before it is in the database.
    """
    with database.read(SERVICE) as connection:
        known = set(connection.execute(select(Tenant.id)).scalars())
    new = 0
    rows = (_row(number, line) for number, line in enumerate(lines, 1) if line.strip())
    for tenant_id, of_tenant in groupby(rows, key=itemgetter("tenant_id")):
        if tenant_id in known:
            new += sum(database.write(tenant_id, _adding(part)) for part in _chunks(of_tenant))
        else:
            for _ in of_tenant:
                pass
    return new


def _adding(rows: list[dict[str, Any]]) -> Unit[int]:
    def unit(connection: Connection) -> int:
        tenant, digests = rows[0]["tenant_id"], [row["digest"] for row in rows]
        there = set(
            connection.execute(
                select(TOMBSTONE.c.digest).where(TOMBSTONE.c.tenant_id == tenant, TOMBSTONE.c.digest.in_(digests))
            ).scalars()
        )
        fresh = [row for row in rows if row["digest"] not in there]
        if fresh:
            connection.execute(insert(TOMBSTONE), fresh)
        return len(fresh)

    return unit


def _row(number: int, line: bytes) -> dict[str, Any]:
    try:
        given = orjson.loads(line)
        digest = bytes.fromhex(given["digest"])
        erased_at = datetime.fromisoformat(given["erased_at"])
        tenant, erasure = UUID(given["tenant"]), given["erasure"]
        row = {
            "tenant_id": tenant,
            "digest": digest,
            "erased_at": erased_at,
            "erasure_id": None if erasure is None else UUID(erasure),
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidInput(f"line {number} is no tombstone") from None
    if len(digest) != _DIGEST_BYTES or erased_at.tzinfo is None:
        raise InvalidInput(f"line {number} is no tombstone: it needs {_DIGEST_BYTES} bytes and a time with a zone")
    return row


def _chunks(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    for row in rows:
        part.append(row)
        if len(part) == _CHUNK:
            yield part
            part = []
    if part:
        yield part
