"""What the surprise of a memory follows from: how far it was from the nearest memory before it, and which that is.

Revision: 0010
Revises: 0009
Created: 2026-11-29 14:20:51.731905
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _limit_waiting()
    op.add_column("memory", sa.Column("novelty", sa.Double(), nullable=True))
    op.add_column("memory", sa.Column("nearest_id", sa.Uuid(), nullable=True))
    op.create_index("ix_memory_tenant_id_nearest_id", "memory", ["tenant_id", "nearest_id"])


def downgrade() -> None:
    _limit_waiting()
    op.drop_index("ix_memory_tenant_id_nearest_id", "memory")
    op.drop_column("memory", "nearest_id")
    op.drop_column("memory", "novelty")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
