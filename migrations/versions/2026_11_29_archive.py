"""Archived and forgotten memories are found without a look at all others.

Revision: 0015
Revises: 0014
Created: 2026-11-29 20:40:00.000000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_PART = sa.text("state IN (1, 4)")


def upgrade() -> None:
    _limit_waiting()
    op.create_index(
        "ix_memory_archive",
        "memory",
        ["tenant_id", "namespace_id", "recorded_at", "id"],
        sqlite_where=_PART,
        postgresql_where=_PART,
    )


def downgrade() -> None:
    _limit_waiting()
    op.drop_index("ix_memory_archive", "memory")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
