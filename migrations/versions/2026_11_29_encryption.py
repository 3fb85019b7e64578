"""Keys of tenants and memories, for encryption at rest.

Names of speakers and places grow when they are encrypted, so that PostgreSQL no longer bounds them (SQLite never did);
no row is written for that. PostgreSQL keeps no samples of keys.

Revision: 0017
Revises: 0016
Created: 2026-11-29 21:40:12.301775
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_NAMES = [(table, column) for table in ("memory", "memory_version") for column in ("speaker", "place")]
_IS_SERVICE = "(SELECT current_setting('memsvc.service', true)) = 'on'"


def upgrade() -> None:
    _limit_waiting()
    op.add_column("memory", sa.Column("sealed_external_id", sa.Text(), nullable=True))
    op.create_table(
        "tenant_key",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("wrapped", sa.String(128), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_tenant_key_tenant_id_tenant"),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_tenant_key"),
    )
    op.create_table(
        "memory_key",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("memory_id", sa.Uuid(), nullable=False),
        sa.Column("wrapped", sa.String(80), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "memory_id"], ["memory.tenant_id", "memory.id"], name="fk_memory_key_tenant_id_memory_id_memory"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "memory_id", name="pk_memory_key"),
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(f"CREATE POLICY memsvc_service ON tenant_key FOR SELECT USING ({_IS_SERVICE})")
    for table, column in _NAMES:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE text")
    for table, column in (*_NAMES, ("memory", "sealed_external_id"), ("memory_key", "wrapped"), ("tenant_key", "wrapped")):
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0")


def downgrade() -> None:
    """Refuses nothing: what is encrypted is lost with its keys, see docs/encryption.md."""
    _limit_waiting()
    op.drop_table("memory_key")
    op.drop_table("tenant_key")
    op.drop_column("memory", "sealed_external_id")
    if op.get_bind().dialect.name == "postgresql":
        for table, column in _NAMES:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE varchar(256)")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
