"""How far memories have faded, and the work that is done to namespaces on a schedule.

Memories that are there already stand where new ones begin.

Revision: 0006
Revises: 0005
Created: 2026-11-29 10:55:12.714405
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_OF_NAMESPACE = (["tenant_id", "namespace_id"], ["namespace.tenant_id", "namespace.id"])


def upgrade() -> None:
    _limit_waiting()
    op.add_column("memory", sa.Column("level", sa.SmallInteger(), nullable=False, server_default="0"))
    op.add_column("memory", sa.Column("legal_hold", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("memory", sa.Column("surprise", sa.Double(), nullable=True))
    op.create_table(
        "job",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("namespace_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("schedule", sa.String(100), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(*_OF_NAMESPACE, name="fk_job_tenant_id_namespace_id_namespace"),
        sa.PrimaryKeyConstraint("tenant_id", "namespace_id", "kind", name="pk_job"),
    )
    op.create_index("ix_job_next_at", "job", ["next_at"])
    op.create_table(
        "job_run",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("namespace_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("period", sa.String(64), nullable=False),
        sa.Column("is_dry", sa.Boolean(), nullable=False),
        sa.Column("undoes", sa.Uuid(), nullable=True),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("is_cancelled", sa.Boolean(), nullable=False),
        sa.Column("asked_by", sa.String(200), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("counts", _JSON, nullable=False),
        sa.Column("problem", sa.String(200), nullable=True),
        sa.ForeignKeyConstraint(*_OF_NAMESPACE, name="fk_job_run_tenant_id_namespace_id_namespace"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_job_run"),
        sa.UniqueConstraint(
            "tenant_id", "namespace_id", "kind", "period", name="uq_job_run_tenant_id_namespace_id_kind_period"
        ),
    )
    op.create_index("ix_job_run_state", "job_run", ["state"])
    op.create_table(
        "job_effect",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("memory_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("before", _JSON, nullable=False),
        sa.Column("after", _JSON, nullable=False),
        sa.Column("why", _JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"], ["job_run.tenant_id", "job_run.id"], name="fk_job_effect_tenant_id_run_id_job_run"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "memory_id"],
            ["memory.tenant_id", "memory.id"],
            name="fk_job_effect_tenant_id_memory_id_memory",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "memory_id", name="pk_job_effect"),
    )
    op.create_index("ix_job_effect_tenant_id_memory_id", "job_effect", ["tenant_id", "memory_id"])
    op.create_table(
        "lease",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("namespace_id", sa.Uuid(), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(*_OF_NAMESPACE, name="fk_lease_tenant_id_namespace_id_namespace"),
        sa.PrimaryKeyConstraint("tenant_id", "namespace_id", name="pk_lease"),
    )


def downgrade() -> None:
    _limit_waiting()
    for table in ("lease", "job_effect", "job_run", "job"):
        op.drop_table(table)
    for column in ("surprise", "legal_hold", "level"):
        op.drop_column("memory", column)


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
