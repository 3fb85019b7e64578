"""Which memories a job made out of others.

Revision: 0009
Revises: 0008
Created: 2026-11-29 13:56:02.518330
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _limit_waiting()
    for table in ("memory", "memory_version"):
        op.add_column(table, sa.Column("derived", sa.String(16), nullable=True))
    op.add_column("namespace", sa.Column("has_derived", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    _limit_waiting()
    op.drop_column("namespace", "has_derived")
    for table in ("memory_version", "memory"):
        op.drop_column(table, "derived")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
