"""A namespace may keep a second embedding space beside its active one: to move to another model, and back.

Namespaces that are there have none.

Revision: 0020
Revises: 0019
Created: 2026-11-30 00:05:41.220914
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _limit_waiting()
    op.add_column("namespace", sa.Column("beside_id", sa.Uuid(), nullable=True))
    op.add_column("namespace", sa.Column("beside", sa.SmallInteger(), nullable=True))
    op.add_column("namespace", sa.Column("is_to_switch", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """What the namespaces keep beside stays in the database; it is out of use, and goes with its memories."""
    _limit_waiting()
    for column in ("is_to_switch", "beside", "beside_id"):
        op.drop_column("namespace", column)


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
