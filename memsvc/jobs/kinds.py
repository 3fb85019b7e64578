"""Every kind of work that there is."""

from __future__ import annotations

from collections.abc import Callable

from memsvc.jobs.conflicts import Conflicts
from memsvc.jobs.consolidation import Consolidate, Tools
from memsvc.jobs.fading import Fade
from memsvc.jobs.merging import Merging
from memsvc.jobs.surprise import Surprise
from memsvc.jobs.work import Work


def every_kind(tools: Callable[[], Tools]) -> dict[str, Work]:
    """All kinds by name.

    Args:
        tools: what writes memories, asked for when it is needed.
    """
    return {work.kind: work for work in (Conflicts(), Consolidate(tools), Fade(), Merging(), Surprise())}
