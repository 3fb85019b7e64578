"""The archive of a namespace: its archived and forgotten memories, with all their versions.

The bank does without them. Whoever asks for them gets them from a bank of their own, see `memsvc.index.keeper`.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, bindparam

from gpu.bank.records import State
from memsvc.models.tables import MEMORY

ARCHIVE = frozenset({State.FORGOTTEN, State.ARCHIVED})
"""States of the memories of an archive."""

# Written out in the statement: an index over a part of a table is used only where it shows that the part is enough.
IN_ARCHIVE: ColumnElement[bool] = MEMORY.c.state.in_(
    bindparam("archive", sorted(map(int, ARCHIVE)), expanding=True, literal_execute=True)
)
"""Whether a memory is in the archive of its namespace; found by an index of these alone."""
