"""What a run did to a memory because of another one: goes with either of them.

Revision: 0007
Revises: 0006
Created: 2026-11-29 12:14:31.402117
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _limit_waiting()
    op.add_column("job_effect", sa.Column("because_of", sa.Uuid(), nullable=True))
    op.create_index("ix_job_effect_tenant_id_because_of", "job_effect", ["tenant_id", "because_of"])


def downgrade() -> None:
    _limit_waiting()
    op.drop_index("ix_job_effect_tenant_id_because_of", "job_effect")
    op.drop_column("job_effect", "because_of")


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
