"""The rows that can be played, by number."""

from __future__ import annotations

from benchmarks.faults import (
    clocks,
    damage,
    database_away,
    embedder,
    findable,
    full_disk,
    overload,
    pages,
    restarts,
    retries,
    same_bank,
    soak,
    synced,
)
from benchmarks.faults.row import Row

_MODULES = (
    findable,
    same_bank,
    damage,
    synced,
    full_disk,
    database_away,
    clocks,
    embedder,
    overload,
    restarts,
    soak,
    pages,
    retries,
)
ROWS: dict[str, Row] = {module.ROW.id: module.ROW for module in _MODULES}
