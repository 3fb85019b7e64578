"""What the text of a memory says of names: which other name belongs to which.

Memories that are there already are read for it when their text is next written.

Revision: 0005
Revises: 0004
Created: 2026-11-29 00:12:27.450913
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    _limit_waiting()
    op.add_column("analysis", sa.Column("told", _JSON, nullable=True))


def downgrade() -> None:
    _limit_waiting()
    op.drop_column("analysis", "told")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
