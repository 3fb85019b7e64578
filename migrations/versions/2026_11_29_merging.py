"""Which memory stands for one that says the same, and what that one was before.

Revision: 0008
Revises: 0007
Created: 2026-11-29 14:00:00.000000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    _limit_waiting()
    op.add_column("memory", sa.Column("merged_into", sa.Uuid(), nullable=True))
    op.add_column("memory", sa.Column("before_merge", _JSON, nullable=True))
    op.create_index("ix_memory_tenant_id_merged_into", "memory", ["tenant_id", "merged_into"])


def downgrade() -> None:
    """Members are active again; what their pivots took over from them stays with these."""
    _limit_waiting()
    for table in ("memory", "memory_version"):
        op.execute(f"UPDATE {table} SET state = 0 WHERE state = 5")
    op.execute("DELETE FROM embedding WHERE view = -1")
    op.drop_index("ix_memory_tenant_id_merged_into", "memory")
    op.drop_column("memory", "before_merge")
    op.drop_column("memory", "merged_into")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
