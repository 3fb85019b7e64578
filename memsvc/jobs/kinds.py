"""Every kind of work that there is."""

from __future__ import annotations

from collections.abc import Callable

from memsvc.erasures.eraser import Eraser
from memsvc.jobs.conflicts import Conflicts
from memsvc.jobs.consolidation import Consolidate, Tools
from memsvc.jobs.eviction import Evict
from memsvc.jobs.expiry import Expire
from memsvc.jobs.fading import Fade
from memsvc.jobs.merging import Merging
from memsvc.jobs.reembedding import Reembed
from memsvc.jobs.rewinding import Rewind
from memsvc.jobs.surprise import Surprise
from memsvc.jobs.work import Work


def every_kind(tools: Callable[[], Tools], eraser: Callable[[], Eraser], reembed_share: float = 1.0) -> dict[str, Work]:
    """All kinds by name.

    Args:
        tools: what writes memories, asked for when it is needed.
        eraser: takes memories out for good; asked for when there is something to erase.
        reembed_share: of the time that `reembed` works.
    """
    works: tuple[Work, ...] = (
        Conflicts(), Consolidate(tools), Evict(), Expire(eraser), Fade(), Merging(),
        Reembed(lambda: tools().preparer, reembed_share), Rewind(), Surprise(),
    )  # fmt: skip
    return {work.kind: work for work in works}
