"""Erasures as work that is kept until it is done, with what can be said of it afterwards.

Tombstones that are there already belong to none.

Revision: 0012
Revises: 0011
Created: 2026-11-29 14:02:51.830114
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# What people say and are called by. PostgreSQL keeps samples of columns in its statistics, which no erasure reaches.
_SAID = ("user_id", "agent_id", "session_id", "speaker", "place", "tags", "source", "metadata")
_WITHOUT_STATISTICS = {
    "memory": ("external_id", *_SAID),
    "memory_version": ("content", *_SAID),
    "analysis": ("mentions", "told"),
}
_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    _limit_waiting()
    op.add_column("namespace", sa.Column("epoch", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("tombstone", sa.Column("erasure_id", sa.Uuid(), nullable=True))
    op.create_index("ix_tombstone_tenant_id_erasure_id", "tombstone", ["tenant_id", "erasure_id"])
    op.create_table(
        "erasure",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("namespaces", _JSON, nullable=False),
        sa.Column("selection", _JSON, nullable=True),
        sa.Column("request_digest", sa.LargeBinary(32), nullable=True),
        sa.Column("asked_by", sa.String(200), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("overwritten_at", sa.BigInteger(), nullable=True),
        sa.Column("overwriting", sa.String(16), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("held_until", sa.BigInteger(), nullable=True),
        sa.Column("counts", _JSON, nullable=False),
        sa.Column("problem", sa.String(200), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_erasure"),
    )
    op.create_index("ix_erasure_overwritten_at", "erasure", ["overwritten_at"])
    _set_statistics(0)


def downgrade() -> None:
    _limit_waiting()
    _set_statistics(-1)
    op.drop_table("erasure")
    op.drop_index("ix_tombstone_tenant_id_erasure_id", "tombstone")
    op.drop_column("tombstone", "erasure_id")
    op.drop_column("namespace", "epoch")


def _set_statistics(target: int) -> None:
    """How many samples PostgreSQL keeps of each of those columns: none, or -1 for as many as of others."""
    if op.get_bind().dialect.name == "postgresql":
        for table, columns in _WITHOUT_STATISTICS.items():
            for column in columns:
                op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS {target}")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
