"""Texts that were stored while the embedding model did not answer, and wait for their vectors.

Revision: 0022
Revises: 0021
Created: 2026-11-30 00:30:00.000000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_IS_SERVICE = "(SELECT current_setting('memsvc.service', true)) = 'on'"


def upgrade() -> None:
    _limit_waiting()
    op.create_table(
        "pending_embedding",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("memory_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("namespace_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "memory_id", "version"],
            ["memory_version.tenant_id", "memory_version.memory_id", "memory_version.version"],
            name="fk_pending_embedding_tenant_id_memory_id_version_memory_version",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "memory_id", "version", name="pk_pending_embedding"),
    )
    op.create_index("ix_pending_embedding_due_at", "pending_embedding", ["due_at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE POLICY memsvc_service ON pending_embedding FOR SELECT USING ({_IS_SERVICE})")


def downgrade() -> None:
    _limit_waiting()
    op.drop_table("pending_embedding")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
