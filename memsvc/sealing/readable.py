"""Reading many memories of which one may not open: it is left out, and keeps nobody from the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar
from uuid import UUID

import structlog

from memsvc.core.errors import Damaged

T = TypeVar("T")

log = structlog.get_logger("memsvc.sealing")


def readable(memory_ids: Iterable[UUID], read: Callable[[Sequence[UUID]], T]) -> T:
    """What is read of memories, without those that are encrypted and do not open.

    Args:
        read: reads these memories; again with fewer where one does not open.
    """
    left = list(memory_ids)
    while True:
        try:
            return read(left)
        except Damaged as found:
            if found.memory_id not in left:
                raise
            log.warning("memory_unreadable", memory=str(found.memory_id))
            left.remove(found.memory_id)
