"""Every kind of work that there is."""

from __future__ import annotations

from memsvc.jobs.conflicts import Conflicts
from memsvc.jobs.eviction import Evict
from memsvc.jobs.expiry import Expire
from memsvc.jobs.fading import Fade
from memsvc.jobs.work import Work
from memsvc.memories.erasing import Eraser


def every_kind(erase: Eraser) -> dict[str, Work]:
    """All kinds by name."""
    return {work.kind: work for work in (Conflicts(), Evict(), Expire(erase), Fade())}
