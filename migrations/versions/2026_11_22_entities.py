"""What people decided about names: which stand for the same party.

Revision: 0003
Revises: 0002
Created: 2026-11-22 03:41:07.218840
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _limit_waiting()
    op.create_table(
        "entity",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("namespace_id", sa.Uuid(), nullable=False),
        sa.Column("writer", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "namespace_id"],
            ["namespace.tenant_id", "namespace.id"],
            name="fk_entity_tenant_id_namespace_id_namespace",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_entity"),
    )
    op.create_index("ix_entity_tenant_id_namespace_id", "entity", ["tenant_id", "namespace_id"])
    op.create_table(
        "entity_alias",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("namespace_id", sa.Uuid(), nullable=False),
        sa.Column("mention_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entity_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "entity_id"], ["entity.tenant_id", "entity.id"], name="fk_entity_alias_tenant_id_entity_id_entity"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "namespace_id"],
            ["namespace.tenant_id", "namespace.id"],
            name="fk_entity_alias_tenant_id_namespace_id_namespace",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "namespace_id", "mention_id", name="pk_entity_alias"),
    )
    op.create_index("ix_entity_alias_tenant_id_entity_id", "entity_alias", ["tenant_id", "entity_id"])


def downgrade() -> None:
    _limit_waiting()
    op.drop_index("ix_entity_alias_tenant_id_entity_id", table_name="entity_alias")
    op.drop_table("entity_alias")
    op.drop_index("ix_entity_tenant_id_namespace_id", table_name="entity")
    op.drop_table("entity")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
