"""Whose words a memory holds, what was noticed when it was written, how far a key is trusted, and which namespaces
hold anything from outside.

Memories that are there have no origin and no flags; their trust (1.0) is the rank of an agent's, and so is that of
every key.

Revision: 0018
Revises: 0017
Created: 2026-11-29 21:36:04.512907
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_DESCRIBED = ("memory", "memory_version")


def upgrade() -> None:
    _limit_waiting()
    for table in _DESCRIBED:
        op.add_column(table, sa.Column("origin", sa.String(256), nullable=True))
        op.add_column(table, sa.Column("flags", _JSON, nullable=False, server_default=sa.text("'[]'")))
        if op.get_bind().dialect.name == "postgresql":  # no samples of what was found in texts: see revision 0013
            op.execute(f"ALTER TABLE {table} ALTER COLUMN flags SET STATISTICS 0")
    op.add_column("namespace", sa.Column("has_external", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("api_key", sa.Column("trust", sa.String(16), nullable=False, server_default="agent"))


def downgrade() -> None:
    _limit_waiting()
    op.drop_column("api_key", "trust")
    op.drop_column("namespace", "has_external")
    for table in _DESCRIBED:
        op.drop_column(table, "flags")
        op.drop_column(table, "origin")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
