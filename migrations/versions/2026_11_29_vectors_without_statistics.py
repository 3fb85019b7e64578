"""PostgreSQL keeps no samples of what was computed from texts, as it keeps none of the texts.

Whoever has a vector knows much of what was said. Samples that were taken before are dropped.

Revision: 0013
Revises: 0012
Created: 2026-11-29 19:10:44.127509
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_COMPUTED = {
    ("embedding", "bytea"): ("vector",),
    ("token_embedding", "bytea"): ("codes",),
    ("memory", "bytea"): ("data_key",),
    ("memory", "jsonb"): ("before_merge",),
    ("memory_version", "bytea"): ("pairs",),
    ("analysis", "bytea"): ("term_ids", "term_freqs", "mention_ids", "spans", "place_ids"),
    ("analysis", "bigint"): ("speaker_id",),
}


def upgrade() -> None:
    _limit_waiting()
    _set_statistics(0)


def downgrade() -> None:
    _limit_waiting()
    _set_statistics(-1)


def _set_statistics(target: int) -> None:
    """How many samples PostgreSQL keeps of each of those columns: none, or -1 for as many as of others."""
    if op.get_bind().dialect.name == "postgresql":
        for (table, kind), columns in _COMPUTED.items():
            for column in columns:
                # A column whose type is set loses its samples; as it is the type that it has, nothing is written anew.
                op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}")
                op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS {target}")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
