"""Every kind of work that there is."""

from __future__ import annotations

from collections.abc import Callable

from memsvc.jobs.conflicts import Conflicts
from memsvc.jobs.consolidation import Consolidate, Tools
from memsvc.jobs.eviction import Evict
from memsvc.jobs.expiry import Expire
from memsvc.jobs.fading import Fade
from memsvc.jobs.merging import Merging
from memsvc.jobs.surprise import Surprise
from memsvc.jobs.work import Work
from memsvc.memories.erasing import JobEraser


def every_kind(tools: Callable[[], Tools], erase: JobEraser) -> dict[str, Work]:
    """All kinds by name.

    Args:
        tools: what writes memories, asked for when it is needed.
        erase: takes memories out for good.
    """
    works: tuple[Work, ...] = (
        Conflicts(), Consolidate(tools), Evict(), Expire(erase), Fade(), Merging(), Surprise(),
    )  # fmt: skip
    return {work.kind: work for work in works}
