"""What callers said about the hits of recalls.

Revision: 0004
Revises: 0003
Created: 2026-11-22 03:15:40.118203
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_BY_TIME = "ix_recall_feedback_tenant_id_namespace_id_recorded_at"
_BY_MEMORY = "ix_recall_feedback_tenant_id_memory_id"


def upgrade() -> None:
    _limit_waiting()
    op.create_table(
        "recall_feedback",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("recall_id", sa.Uuid(), nullable=False),
        sa.Column("memory_id", sa.Uuid(), nullable=False),
        sa.Column("namespace_id", sa.Uuid(), nullable=False),
        sa.Column("verdict", sa.SmallInteger(), nullable=False),
        sa.Column("apart", _JSON, nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "memory_id"],
            ["memory.tenant_id", "memory.id"],
            name="fk_recall_feedback_tenant_id_memory_id_memory",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "namespace_id"],
            ["namespace.tenant_id", "namespace.id"],
            name="fk_recall_feedback_tenant_id_namespace_id_namespace",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "recall_id", "memory_id", name="pk_recall_feedback"),
    )
    op.create_index(_BY_TIME, "recall_feedback", ["tenant_id", "namespace_id", "recorded_at"])
    op.create_index(_BY_MEMORY, "recall_feedback", ["tenant_id", "memory_id"])


def downgrade() -> None:
    _limit_waiting()
    op.drop_index(_BY_MEMORY, table_name="recall_feedback")
    op.drop_index(_BY_TIME, table_name="recall_feedback")
    op.drop_table("recall_feedback")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
