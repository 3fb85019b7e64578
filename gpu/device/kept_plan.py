"""The plan of the last search, kept for the next one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gpu.ops.paged_search.op import PagedRows, Plan, plan

_Key = tuple[tuple[int, ...], ...]


class KeptPlan:
    """A plan says where records and masks lie and how many groups there are, and nothing of what is in them.

    So it stays right while a namespace dies or grows within its last group, and a search after a single append seldom
    waits for another. One launch at a time.
    """

    def __init__(self) -> None:
        """Begins without any."""
        self._key: _Key | None = None
        self._plan: Plan | None = None

    def plan(self, rows: Sequence[PagedRows], masks: Sequence[torch.Tensor | None]) -> Plan:
        """See `gpu.ops.paged_search.op.plan`; the rows are those of one pool."""
        key = tuple(
            (of.owner, of.records.data_ptr(), of.records.shape[0], 0 if mask is None else mask.data_ptr())
            for of, mask in zip(rows, masks, strict=True)
        )
        if self._plan is None or key != self._key:
            self._key, self._plan = key, plan(rows, masks)
        return self._plan

    def forget(self) -> None:
        """Lets go of the records and masks that a plan holds."""
        self._key = self._plan = None
