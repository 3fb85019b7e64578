"""The part of `memsvc doctor` that looks at keys. Changes nothing, and decrypts no memory."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import Connection, String, and_, func, select, type_coerce

from memsvc.commands.finding import Finding
from memsvc.core.errors import Damaged, StartupRefused
from memsvc.core.settings import Settings
from memsvc.db.tenancy import SERVICE_SETTING, TENANT_SETTING
from memsvc.models.sealed import MARK
from memsvc.models.tables import MEMORY_KEY, TENANT_KEY, VERSION
from memsvc.sealing.keyring import Keyring, load_keyring

_PAGE = 5_000


def examine(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Whether the root key fits, and whether every memory's key is there and opens; in a database of this release."""
    keyring = load_keyring(settings)
    _see(connection, SERVICE_SETTING, "on")
    tenants = connection.execute(select(TENANT_KEY.c.tenant_id, TENANT_KEY.c.wrapped)).all()
    if keyring is None:
        if tenants:
            yield Finding("encryption", "fail", "memories are encrypted, and MEMSVC_ROOT_KEY is not given")
        else:
            yield Finding("encryption", "ok", "off")
        return
    try:
        for tenant_id, wrapped in tenants:
            keyring.tenant_key(tenant_id, wrapped)
    except StartupRefused as refused:
        yield Finding("encryption", "fail", str(refused))
        return
    damaged = sorted(
        {one for tenant_id, wrapped in tenants for one in _damaged(connection, keyring, tenant_id, wrapped)}
    )
    if damaged:
        yield Finding(
            "encryption",
            "fail",
            f"{len(damaged)} memories have no key that opens, the first is {damaged[0]}; restore their rows of "
            "memory_key from a backup, or erase them by their ids",
        )
    else:
        yield Finding("encryption", "ok", "on; the key of every encrypted memory opens")


def _damaged(connection: Connection, keyring: Keyring, tenant_id: UUID, wrapped: str) -> Iterator[UUID]:
    _see(connection, TENANT_SETTING, str(tenant_id))
    rows = select(MEMORY_KEY.c.memory_id, MEMORY_KEY.c.wrapped).where(MEMORY_KEY.c.tenant_id == tenant_id)
    for row in connection.execution_options(yield_per=_PAGE).execute(rows):
        try:
            keyring.data_key(row.wrapped + wrapped + tenant_id.hex + row.memory_id.hex)
        except Damaged:
            yield row.memory_id
    same = and_(MEMORY_KEY.c.tenant_id == VERSION.c.tenant_id, MEMORY_KEY.c.memory_id == VERSION.c.memory_id)
    stored = type_coerce(VERSION.c.content, String)
    lost = (
        select(VERSION.c.memory_id)
        .outerjoin(MEMORY_KEY, same)
        .where(
            VERSION.c.tenant_id == tenant_id,
            func.substr(stored, 1, len(MARK)) == MARK,
            MEMORY_KEY.c.memory_id.is_(None),
        )
    )
    yield from connection.execute(lost).scalars()


def _see(connection: Connection, setting: str, value: str) -> None:
    """Whose rows the transaction sees on PostgreSQL, see `memsvc.db.tenancy`."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.set_config(setting, value, True)))
