"""The first schema: tenants, namespaces, memories with their versions, and what hangs on them.

Times are microseconds since the epoch; the same integer on both databases.

Revision: 0001
Revises: nothing
Created: 2026-11-21 23:33:26.346053
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    _limit_waiting()
    op.create_table(
        "embedding_space",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("dim", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_embedding_space"),
        sa.UniqueConstraint("model", "dim", name="uq_embedding_space_model_dim"),
    )
    op.create_table(
        "idempotency",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("outcome", _JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "digest", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"])
    op.create_table(
        "tenant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tenant"),
        sa.UniqueConstraint("name", name="uq_tenant_name"),
    )
    op.create_table(
        "tombstone",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "digest", name="pk_tombstone"),
    )
    op.create_table(
        "api_key",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("roles", _JSON, nullable=False),
        sa.Column("namespaces", _JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_api_key_tenant_id_tenant"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_api_key"),
        sa.UniqueConstraint("digest", name="uq_api_key_digest"),
    )
    op.create_table(
        "namespace",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("space_id", sa.Uuid(), nullable=False),
        sa.Column("head_seq", sa.BigInteger(), nullable=False),
        sa.Column("settings", _JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["space_id"], ["embedding_space.id"], name="fk_namespace_space_id_embedding_space"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_namespace_tenant_id_tenant"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_namespace"),
        sa.UniqueConstraint("tenant_id", "path", name="uq_namespace_tenant_id_path"),
    )
    op.create_table(
        "change",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("namespace_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("op", sa.SmallInteger(), nullable=False),
        sa.Column("memory_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "namespace_id"],
            ["namespace.tenant_id", "namespace.id"],
            name="fk_change_tenant_id_namespace_id_namespace",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "namespace_id", "seq", name="pk_change"),
    )
    op.create_index("ix_change_tenant_id_memory_id", "change", ["tenant_id", "memory_id"])
    op.create_table(
        "memory",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("namespace_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.String(length=512), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content_version", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("stability_s", sa.Double(), nullable=False),
        sa.Column("last_recalled_at", sa.BigInteger(), nullable=True),
        sa.Column("recall_count", sa.Integer(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=True),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("user_id", sa.String(length=256), nullable=True),
        sa.Column("agent_id", sa.String(length=256), nullable=True),
        sa.Column("session_id", sa.String(length=256), nullable=True),
        sa.Column("speaker", sa.String(length=256), nullable=True),
        sa.Column("place", sa.String(length=256), nullable=True),
        sa.Column("tags", _JSON, nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("language", sa.String(length=35), nullable=True),
        sa.Column("occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("valid_from", sa.BigInteger(), nullable=True),
        sa.Column("valid_to", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("importance", sa.Double(), nullable=False),
        sa.Column("trust", sa.Double(), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("source", _JSON, nullable=True),
        sa.Column("metadata", _JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "namespace_id"],
            ["namespace.tenant_id", "namespace.id"],
            name="fk_memory_tenant_id_namespace_id_namespace",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_memory"),
        sa.UniqueConstraint(
            "tenant_id", "namespace_id", "external_id", name="uq_memory_tenant_id_namespace_id_external_id"
        ),
    )
    op.create_index(
        "ix_memory_tenant_id_namespace_id_recorded_at_id", "memory", ["tenant_id", "namespace_id", "recorded_at", "id"]
    )
    op.create_table(
        "memory_link",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("from_id", sa.Uuid(), nullable=False),
        sa.Column("relation", sa.String(length=32), nullable=False),
        sa.Column("to_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "from_id"], ["memory.tenant_id", "memory.id"], name="fk_memory_link_tenant_id_from_id_memory"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "to_id"], ["memory.tenant_id", "memory.id"], name="fk_memory_link_tenant_id_to_id_memory"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "from_id", "relation", "to_id", name="pk_memory_link"),
    )
    op.create_index("ix_memory_link_tenant_id_to_id", "memory_link", ["tenant_id", "to_id"])
    op.create_table(
        "memory_version",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("memory_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("namespace_id", sa.Uuid(), nullable=False),
        sa.Column("content_version", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("recorded_from", sa.BigInteger(), nullable=False),
        sa.Column("recorded_to", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("writer", sa.String(length=200), nullable=False),
        sa.Column("pairs", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("user_id", sa.String(length=256), nullable=True),
        sa.Column("agent_id", sa.String(length=256), nullable=True),
        sa.Column("session_id", sa.String(length=256), nullable=True),
        sa.Column("speaker", sa.String(length=256), nullable=True),
        sa.Column("place", sa.String(length=256), nullable=True),
        sa.Column("tags", _JSON, nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("language", sa.String(length=35), nullable=True),
        sa.Column("occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("valid_from", sa.BigInteger(), nullable=True),
        sa.Column("valid_to", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("importance", sa.Double(), nullable=False),
        sa.Column("trust", sa.Double(), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("source", _JSON, nullable=True),
        sa.Column("metadata", _JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "memory_id"],
            ["memory.tenant_id", "memory.id"],
            name="fk_memory_version_tenant_id_memory_id_memory",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "memory_id", "version", name="pk_memory_version"),
    )
    op.create_index("ix_memory_version_tenant_id_namespace_id", "memory_version", ["tenant_id", "namespace_id"])
    op.create_table(
        "analysis",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("memory_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("analyser_version", sa.Integer(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("term_ids", sa.LargeBinary(), nullable=False),
        sa.Column("term_freqs", sa.LargeBinary(), nullable=False),
        sa.Column("mentions", _JSON, nullable=False),
        sa.Column("mention_ids", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "memory_id", "version"],
            ["memory_version.tenant_id", "memory_version.memory_id", "memory_version.version"],
            name="fk_analysis_tenant_id_memory_id_version_memory_version",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "memory_id", "version", name="pk_analysis"),
    )
    op.create_table(
        "embedding",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("memory_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("space_id", sa.Uuid(), nullable=False),
        sa.Column("view", sa.SmallInteger(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["space_id"], ["embedding_space.id"], name="fk_embedding_space_id_embedding_space"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "memory_id", "version"],
            ["memory_version.tenant_id", "memory_version.memory_id", "memory_version.version"],
            name="fk_embedding_tenant_id_memory_id_version_memory_version",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "memory_id", "version", "space_id", "view", name="pk_embedding"),
    )


def downgrade() -> None:
    _limit_waiting()
    op.drop_table("embedding")
    op.drop_table("analysis")
    op.drop_index("ix_memory_version_tenant_id_namespace_id", table_name="memory_version")
    op.drop_table("memory_version")
    op.drop_index("ix_memory_link_tenant_id_to_id", table_name="memory_link")
    op.drop_table("memory_link")
    op.drop_index("ix_memory_tenant_id_namespace_id_recorded_at_id", table_name="memory")
    op.drop_table("memory")
    op.drop_index("ix_change_tenant_id_memory_id", table_name="change")
    op.drop_table("change")
    op.drop_table("namespace")
    op.drop_table("api_key")
    op.drop_table("tombstone")
    op.drop_table("tenant")
    op.drop_index("ix_idempotency_created_at", table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_table("embedding_space")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
