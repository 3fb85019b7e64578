"""The schema says which releases it works with, so that one that is older than it may go on, or start again.

`revision` is the last one that was applied; `oldest_code` the head of the oldest release whose code works on what it
left. A release that finds a revision that it does not know looks whether it knows that one.

Revision: 0021
Revises: 0020
Created: 2026-11-30 00:21:08.551320
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _limit_waiting()
    op.create_table(
        "schema_window",
        sa.Column("revision", sa.String(32), nullable=False),
        sa.Column("oldest_code", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("revision", name="pk_schema_window"),
    )


def downgrade() -> None:
    _limit_waiting()
    op.drop_table("schema_window")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
