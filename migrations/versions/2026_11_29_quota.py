"""What quotas, rehearsal and holds need of memories, and what runs say of their whole.

Of uses before this revision only their number and the last one are known: they count as none that is recent.

Revision: 0011
Revises: 0010
Created: 2026-11-29 14:02:41.117305
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_COLUMNS = ("recent_uses", "longest_gap_s", "evicted", "rehearsals", "rehearsed_at")


def upgrade() -> None:
    _limit_waiting()
    op.add_column("memory", sa.Column("recent_uses", sa.Double(), nullable=False, server_default="0"))
    op.add_column("memory", sa.Column("longest_gap_s", sa.Double(), nullable=False, server_default="0"))
    op.add_column("memory", sa.Column("evicted", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("memory", sa.Column("rehearsals", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("memory", sa.Column("rehearsed_at", sa.BigInteger(), nullable=True))
    op.add_column("job_run", sa.Column("report", _JSON, nullable=True))
    op.create_table(
        "legal_hold",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("memory_id", sa.Uuid(), nullable=False),
        sa.Column("held_at", sa.BigInteger(), nullable=False),
        sa.Column("held_by", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.Column("released_by", sa.String(200), nullable=True),
        sa.Column("release_reason", sa.String(1000), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "memory_id"],
            ["memory.tenant_id", "memory.id"],
            name="fk_legal_hold_tenant_id_memory_id_memory",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "memory_id", "held_at", name="pk_legal_hold"),
    )


def downgrade() -> None:
    _limit_waiting()
    op.drop_table("legal_hold")
    op.drop_column("job_run", "report")
    for column in reversed(_COLUMNS):
        op.drop_column("memory", column)


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
