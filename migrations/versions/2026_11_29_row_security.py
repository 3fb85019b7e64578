"""PostgreSQL keeps tenants apart by itself: row-level security, enabled and forced on every table with a tenant.

What a transaction sees follows from settings that are local to it:

* `memsvc.tenant`: the rows of this tenant, to read and to write.
* `memsvc.service` = `on`: of the tables that say where there is something to do, every row, to read; and tenants can be
  made.
* `memsvc.maintenance` = `on`, and only for the role that ran this: every row. A later revision that changes rows has it
  on, see `memsvc.db.migrate`; so may a dump.

`memsvc_secure_tables()` puts the policies on every table that has a tenant and none of them yet. It is called after
every upgrade, so that a table that a later revision makes cannot be forgotten. SQLite has nothing like it.

On both databases a job run gets the moment that it goes by (`as_of`), for `rewind`.

Revision: 0014
Revises: 0013
Created: 2026-11-29 20:31:07.118254
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_FUNCTION = """
CREATE FUNCTION memsvc_secure_tables() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT c.oid::regclass AS name, a.attname AS tenant
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND NOT c.relforcerowsecurity
            AND a.attname = CASE c.relname WHEN 'tenant' THEN 'id' ELSE 'tenant_id' END
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', found.name);
        -- Sub-selects, so that a setting is read once for a statement and not for each row.
        EXECUTE format(
            'CREATE POLICY memsvc_tenant ON %s USING (%I = (SELECT nullif(current_setting(%L, true), %L)::uuid))',
            found.name, found.tenant, 'memsvc.tenant', ''
        );
        EXECUTE format(
            'CREATE POLICY memsvc_maintenance ON %s TO %I USING ((SELECT current_setting(%L, true)) = %L)',
            found.name, current_user, 'memsvc.maintenance', 'on'
        );
    END LOOP;
END $$
"""
_TO_READ = ("tenant", "api_key", "namespace", "job", "job_run", "erasure", "tombstone")
_IS_SERVICE = "(SELECT current_setting('memsvc.service', true)) = 'on'"


def upgrade() -> None:
    op.add_column("job_run", sa.Column("as_of", sa.BigInteger(), nullable=True))
    if op.get_bind().dialect.name != "postgresql":
        return
    _limit_waiting()
    op.execute(_FUNCTION)
    op.execute("SELECT memsvc_secure_tables()")
    for table in _TO_READ:
        op.execute(f"CREATE POLICY memsvc_service ON {table} FOR SELECT USING ({_IS_SERVICE})")
    op.execute(f"CREATE POLICY memsvc_service_makes ON tenant FOR INSERT WITH CHECK ({_IS_SERVICE})")


def downgrade() -> None:
    op.drop_column("job_run", "as_of")
    if op.get_bind().dialect.name != "postgresql":
        return
    _limit_waiting()
    op.execute("DROP FUNCTION memsvc_secure_tables()")
    op.execute("""
        DO $$
        DECLARE
            found record;
        BEGIN
            FOR found IN SELECT policyname, tablename FROM pg_policies
                WHERE schemaname = current_schema() AND policyname LIKE 'memsvc\\_%'
            LOOP
                EXECUTE format('DROP POLICY %I ON %I', found.policyname, found.tablename);
                EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', found.tablename);
            END LOOP;
        END $$
    """)


def _limit_waiting() -> None:
    """A table lock that waits in line blocks every query behind it: give up soon, and let the operator try again.

    Raise `statement_timeout` only for a statement known to be slow and harmless, and say here why.
    """
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
