"""Keys that rotate, know where they may be used from and when they were; the audit trail.

The audit trail is append-only by itself: triggers refuse to change or remove an entry, whoever asks. Keys with the role
`admin` become `trusted`: they could give any role before, and could not give this one otherwise.

Revision: 0019
Revises: 0018
Created: 2026-11-29 21:40:00.000000
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_IS_SERVICE = "(SELECT current_setting('memsvc.service', true)) = 'on'"
_REFUSAL = "the audit trail is append-only"


def upgrade() -> None:
    _limit_waiting()
    op.add_column("api_key", sa.Column("client_id", sa.Uuid(), nullable=True))
    op.add_column("api_key", sa.Column("networks", _JSON, nullable=True))
    op.add_column("api_key", sa.Column("last_used_at", sa.BigInteger(), nullable=True))
    op.execute("""UPDATE api_key SET trust = 'trusted' WHERE CAST(roles AS TEXT) LIKE '%"admin"%'""")
    op.create_table(
        "audit",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.String(64), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_audit_tenant_id_tenant"),
        sa.PrimaryKeyConstraint("tenant_id", "seq", name="pk_audit"),
    )
    op.create_table(
        "audit_head",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_audit_head_tenant_id_tenant"),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_audit_head"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE POLICY memsvc_service ON audit_head FOR SELECT USING ({_IS_SERVICE})")
        op.execute(f"""
            CREATE FUNCTION memsvc_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$
        """)
        for name, event in (("rows", "UPDATE OR DELETE"), ("all", "TRUNCATE")):
            op.execute(
                f"CREATE TRIGGER memsvc_audit_{name} BEFORE {event} ON audit FOR EACH STATEMENT "
                "EXECUTE FUNCTION memsvc_audit_is_append_only()"
            )
        return
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER memsvc_audit_{event.lower()} BEFORE {event} ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        )


def downgrade() -> None:
    _limit_waiting()
    op.drop_table("audit_head")
    op.drop_table("audit")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION memsvc_audit_is_append_only()")
    for column in ("last_used_at", "networks", "client_id"):
        op.drop_column("api_key", column)


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL lock_timeout = '4s'")
        op.execute("SET LOCAL statement_timeout = '60s'")
