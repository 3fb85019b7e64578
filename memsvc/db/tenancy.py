"""Whose rows a transaction sees.

PostgreSQL keeps tenants apart by itself (row-level security, docs/decisions/0028): a transaction that names a tenant
sees and writes the rows of that one, whatever its statements ask for; one that names none sees nothing. What has to
find its work among all tenants names `SERVICE`, to which only those tables are open that say where there is something
to do, for reading. On SQLite the tenant is in every condition, and nothing stands behind it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final
from uuid import UUID


class Reach(Enum):
    """More than one tenant's rows."""

    SERVICE = "service"


SERVICE: Final = Reach.SERVICE
"""Finds keys by their digests, tenants by their names, and what is due in which namespace; no memory of anybody."""

Whose = UUID | Reach
"""A tenant, or `SERVICE`."""

TENANT_SETTING = "memsvc.tenant"
SERVICE_SETTING = "memsvc.service"
MAINTENANCE_SETTING = "memsvc.maintenance"
"""Lets the owner of the tables see all rows, for a revision that changes some and for a dump; nobody else."""


def begin(whose: Whose | None, *, is_read: bool) -> str:
    """The statements that begin a transaction on PostgreSQL: one message, so that the tenant costs no round trip.

    The setting ends with the transaction: a connection goes back to the pool without a tenant.

    Args:
        whose: None sees no row of any tenant.
        is_read: all statements see the same moment, as they do on SQLite, and write nothing.
    """
    start = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if is_read else "BEGIN ISOLATION LEVEL READ COMMITTED"
    match whose:
        case None:
            return start
        case UUID():
            return f"{start}; SET LOCAL {TENANT_SETTING} = '{whose}'"
        case Reach.SERVICE:
            return f"{start}; SET LOCAL {SERVICE_SETTING} = 'on'"
