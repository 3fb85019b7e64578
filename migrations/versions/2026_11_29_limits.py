"""What is limited for a tenant or a key, and what a namespace holds, counted once for those that are there.

Revision: 0016
Revises: 0015
Created: 2026-11-29 20:50:11.402817
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_COUNTS = ("n_memories", "n_bytes")


def upgrade() -> None:
    _limit_waiting()
    op.add_column("tenant", sa.Column("limits", _JSON, nullable=True))
    op.add_column("api_key", sa.Column("limits", _JSON, nullable=True))
    for name in _COUNTS:
        op.add_column("namespace", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    # One pass over each table, which takes longer than other steps: nobody writes meanwhile, as always here.
    is_postgres = op.get_bind().dialect.name == "postgresql"
    if is_postgres:
        op.execute("SET LOCAL statement_timeout = '30min'")
    size = "octet_length(content)" if is_postgres else "length(CAST(content AS BLOB))"
    _count("memory", "n_memories", "count(*)")
    _count("memory_version", "n_bytes", f"sum({size})")


def downgrade() -> None:
    _limit_waiting()
    for name in reversed(_COUNTS):
        op.drop_column("namespace", name)
    op.drop_column("api_key", "limits")
    op.drop_column("tenant", "limits")


def _count(table: str, column: str, what: str) -> None:
    op.execute(
        f"UPDATE namespace SET {column} = COALESCE(held.n, 0) FROM (SELECT tenant_id, namespace_id, {what} AS n"
        f" FROM {table} GROUP BY tenant_id, namespace_id) AS held"
        " WHERE held.tenant_id = namespace.tenant_id AND held.namespace_id = namespace.id"
    )


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
