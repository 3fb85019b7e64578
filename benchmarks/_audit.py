"""Looks for memories that are half there, by SQL alone: none of the service's own code decides what is sound."""

from __future__ import annotations

from sqlalchemy import Connection, text

# Each finds what must not exist. One row is one fault.
_TORN = {
    "memory without its current version": """
        SELECT m.id FROM memory m LEFT JOIN memory_version v
          ON v.tenant_id = m.tenant_id AND v.memory_id = m.id AND v.version = m.version AND v.recorded_to IS NULL
        WHERE v.memory_id IS NULL""",
    "memory whose current version says something else": """
        SELECT m.id FROM memory m JOIN memory_version v
          ON v.tenant_id = m.tenant_id AND v.memory_id = m.id AND v.version = m.version
        WHERE v.state <> m.state OR v.content_version <> m.content_version OR v.recorded_from <> m.updated_at
           OR v.kind <> m.kind OR v.namespace_id <> m.namespace_id""",
    "open version that is not the current one": """
        SELECT v.memory_id FROM memory_version v JOIN memory m ON m.tenant_id = v.tenant_id AND m.id = v.memory_id
        WHERE v.recorded_to IS NULL AND v.version <> m.version""",
    "version whose text is not there": """
        SELECT v.memory_id FROM memory_version v LEFT JOIN memory_version t
          ON t.tenant_id = v.tenant_id AND t.memory_id = v.memory_id AND t.version = v.content_version
        WHERE t.content IS NULL""",
    "version without analysis": """
        SELECT v.memory_id FROM memory_version v LEFT JOIN analysis a
          ON a.tenant_id = v.tenant_id AND a.memory_id = v.memory_id AND a.version = v.content_version
        WHERE a.memory_id IS NULL""",
    "version without vector, and not waiting for one": """
        SELECT v.memory_id FROM memory_version v
        LEFT JOIN embedding e
          ON e.tenant_id = v.tenant_id AND e.memory_id = v.memory_id AND e.version = v.content_version
        LEFT JOIN pending_embedding p
          ON p.tenant_id = v.tenant_id AND p.memory_id = v.memory_id AND p.version = v.content_version
        WHERE e.memory_id IS NULL AND p.memory_id IS NULL""",
    "waiting for a vector that is there": """
        SELECT p.memory_id FROM pending_embedding p JOIN embedding e
          ON e.tenant_id = p.tenant_id AND e.memory_id = p.memory_id AND e.version = p.version""",
    "version that does not begin where the one before ends": """
        SELECT v.memory_id FROM memory_version v LEFT JOIN memory_version b
          ON b.tenant_id = v.tenant_id AND b.memory_id = v.memory_id AND b.version = v.version - 1
        WHERE v.version > 1 AND (b.recorded_to IS NULL OR b.recorded_to <> v.recorded_from)""",
    "version without a duration": "SELECT memory_id FROM memory_version WHERE recorded_to <= recorded_from",
    "version without exactly one place in the change log": """
        SELECT v.memory_id FROM memory_version v LEFT JOIN change c
          ON c.tenant_id = v.tenant_id AND c.memory_id = v.memory_id AND c.version = v.version AND c.op = 0
        GROUP BY v.tenant_id, v.memory_id, v.version HAVING count(c.seq) <> 1""",
    "change of a version that is not there": """
        SELECT c.memory_id FROM change c LEFT JOIN memory_version v
          ON v.tenant_id = c.tenant_id AND v.memory_id = c.memory_id AND v.version = c.version
        WHERE c.op = 0 AND v.memory_id IS NULL""",
    "something left of an erased memory": """
        SELECT c.memory_id FROM change c WHERE c.op = 1 AND (
             EXISTS (SELECT 1 FROM memory x WHERE x.id = c.memory_id)
          OR EXISTS (SELECT 1 FROM memory_version x WHERE x.memory_id = c.memory_id)
          OR EXISTS (SELECT 1 FROM analysis x WHERE x.memory_id = c.memory_id)
          OR EXISTS (SELECT 1 FROM embedding x WHERE x.memory_id = c.memory_id)
          OR EXISTS (SELECT 1 FROM change x WHERE x.memory_id = c.memory_id AND x.seq <> c.seq))""",
    "link to nowhere": """
        SELECT l.from_id FROM memory_link l LEFT JOIN memory m ON m.tenant_id = l.tenant_id AND m.id = l.to_id
        WHERE m.id IS NULL""",
    "namespace whose log has a hole or does not end at its head": """
        SELECT n.id FROM namespace n LEFT JOIN change c ON c.tenant_id = n.tenant_id AND c.namespace_id = n.id
        GROUP BY n.tenant_id, n.id, n.head_seq
        HAVING count(c.seq) <> n.head_seq OR coalesce(max(c.seq), 0) <> n.head_seq
            OR (n.head_seq > 0 AND min(c.seq) <> 1)""",
    "more or fewer tombstones than erasures": """
        SELECT 1 WHERE (SELECT count(*) FROM tombstone) <> (SELECT count(*) FROM change WHERE op = 1)""",
}


def faults(connection: Connection) -> dict[str, int]:
    """Kinds of fault found in a database, with how many there are of each; empty for a sound one."""
    found = {}
    for name, query in _TORN.items():
        count = len(connection.execute(text(query)).all())
        if count:
            found[name] = count
    if connection.dialect.name == "sqlite":
        if (said := connection.exec_driver_sql("PRAGMA quick_check").scalar()) != "ok":
            found[f"quick_check says {said}"] = 1
        if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
            found["broken foreign key"] = len(broken)
    return found
