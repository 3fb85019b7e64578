"""What more the bank holds of a memory: its conversation, its speaker, the times and places that it speaks of,
states of its tokens.

Memories that are there already are put into their conversations; the rest comes with their next text.

Revision: 0002
Revises: 0001
Created: 2026-11-22 02:58:12.604118
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
import xxhash
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_INDEX = "ix_memory_tenant_id_namespace_id_sequence_id_id"
_PORTION = 2_000


def upgrade() -> None:
    _limit_waiting()
    op.add_column("memory", sa.Column("sequence_id", sa.BigInteger(), nullable=True))
    op.add_column("memory_version", sa.Column("sequence_id", sa.BigInteger(), nullable=True))
    op.add_column("analysis", sa.Column("speaker_id", sa.BigInteger(), nullable=True))
    for name in ("spans", "place_ids"):
        op.add_column("analysis", sa.Column(name, sa.LargeBinary(), nullable=False, server_default=_no_bytes()))
    op.create_table(
        "token_embedding",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("memory_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("space_id", sa.Uuid(), nullable=False),
        sa.Column("n_tokens", sa.Integer(), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=True),
        sa.Column("codes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["space_id"], ["embedding_space.id"], name="fk_token_embedding_space_id_embedding_space"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "memory_id", "version"],
            ["memory_version.tenant_id", "memory_version.memory_id", "memory_version.version"],
            name="fk_token_embedding_tenant_id_memory_id_version_memory_version",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "memory_id", "version", "space_id", name="pk_token_embedding"),
    )
    op.create_index("ix_token_embedding_tenant_id_context_id", "token_embedding", ["tenant_id", "context_id"])
    _fill_sequences("memory", "id")
    _fill_sequences("memory_version", "memory_id", "version")
    op.create_index(_INDEX, "memory", ["tenant_id", "namespace_id", "sequence_id", "id"])


def downgrade() -> None:
    _limit_waiting()
    op.drop_index(_INDEX, table_name="memory")
    op.drop_table("token_embedding")
    for name in ("place_ids", "spans", "speaker_id"):
        op.drop_column("analysis", name)
    op.drop_column("memory_version", "sequence_id")
    op.drop_column("memory", "sequence_id")


def _no_bytes() -> sa.TextClause:
    """The default of the rows that are there: no bytes. In SQLite an empty text is not the same as that."""
    return sa.text("x''" if op.get_bind().dialect.name == "sqlite" else "''")


def _fill_sequences(name: str, *rest_of_key: str) -> None:
    """Put every row of a table into its conversation, in portions along the primary key."""
    key = [sa.column("tenant_id", sa.Uuid()), *(sa.column(k, _type_of(k)) for k in rest_of_key)]
    table = sa.table(
        name, *key, sa.column("session_id"), sa.column("metadata", _JSON), sa.column("sequence_id", sa.BigInteger())
    )
    connection = op.get_bind()
    update = (
        table.update()
        .where(*(table.c[k.name] == sa.bindparam(f"at_{k.name}") for k in key))
        .values(sequence_id=sa.bindparam("sequence"))
    )
    after: tuple[Any, ...] | None = None
    while True:
        query = sa.select(*table.c).order_by(*(table.c[k.name] for k in key)).limit(_PORTION)
        if after is not None:
            query = query.where(sa.tuple_(*(table.c[k.name] for k in key)) > after)
        rows = connection.execute(query).all()
        found = [
            {**{f"at_{k.name}": getattr(row, k.name) for k in key}, "sequence": sequence}
            for row in rows
            if (sequence := _sequence_of(row.session_id, row.metadata)) is not None
        ]
        if found:
            connection.execute(update, found)
        if len(rows) < _PORTION:
            return
        after = tuple(getattr(rows[-1], k.name) for k in key)


def _type_of(key: str) -> sa.types.TypeEngine[Any]:
    return sa.Integer() if key == "version" else sa.Uuid()


def _sequence_of(session_id: str | None, metadata: Mapping[str, Any]) -> int | None:
    """As the service of this release does it."""
    for value in (
        session_id, *(metadata.get(name) for name in ("session_id", "session", "conversation_id", "thread_id")),
    ):  # fmt: skip
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            continue
        digest = xxhash.xxh3_64_intdigest(str(value).encode()) or 1
        return digest - 2**64 if digest >= 2**63 else digest
    return None


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
