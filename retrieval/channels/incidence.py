"""Which memories mention which entities: what the entity and the spreading channel both ask of the bank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu.ops.entity_scan.op import entity_scan, flat_groups

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

FEWEST_OF_A_HUB = 5
"""An entity that no more memories than these mention is never too common, however small the namespace."""


_SAMPLE = 512
_SAMPLED_FROM = 8192
"""Eligible memories from which it pays to look at a sample first."""
_ROOM = 16384
"""Pairs that one pass lists in any case; only where there are more does it take a second one."""


class Mentions:
    """Which eligible memories mention some entities.

    Attributes:
        counts: eligible memories that mention each entity, int64 `[g]`.
    """

    def __init__(
        self,
        view: BankView,
        ids: NDArray[np.uint64],
        of: NDArray[np.int64],
        n_groups: int,
        among: NDArray[np.int64] | None = None,
    ) -> None:
        """Looks for them.

        Args:
            view: the namespace.
            ids: distinct mention ids, uint64 `[q]`.
            of: the entity that each stands for, int64 `[q]`.
            n_groups: number of entities.
            among: all memories that mention one of them, eligible slots int64 `[m]`, ascending, if somebody knows.
        """
        self._view = view
        self._ids = ids
        self._of = of
        self._among = among
        self.counts = np.zeros(n_groups, np.int64)
        self._pairs = self._listed(ids, of, self.counts, _ROOM)

    @classmethod
    def of_groups(
        cls, view: BankView, groups: Sequence[NDArray[np.uint64]], among: NDArray[np.int64] | None = None
    ) -> Mentions:
        """Of entities with aliases, each a group of ids, uint64 `[a]`."""
        return cls(view, *flat_groups(groups), len(groups), among)

    def of(self, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Memories that mention some of the entities.

        Args:
            chosen: distinct places of entities, int64 `[c]`.

        Returns:
            Slots, int64 `[m]`, ascending, and the place in `chosen` of what each mentions, int64 `[m]`; each pair once.
        """
        place = np.full(self.counts.shape[0], -1, np.int64)
        place[chosen] = np.arange(chosen.size)
        if self._among is not None or self.counts.sum() <= _ROOM:
            slots, which = self._pairs
        else:
            kept = place[self._of] >= 0
            room = int(self.counts[chosen].sum())
            slots, which = self._listed(self._ids[kept], self._of[kept], np.zeros_like(self.counts), room)
        wanted = place[which] >= 0
        return slots[wanted], place[which[wanted]]

    def _listed(
        self, ids: NDArray[np.uint64], of: NDArray[np.int64], counts: NDArray[np.int64], room: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if self._among is not None:
            held, which = held_by(self._view, "entities", self._among, ids, of)
            counts += np.bincount(which, minlength=counts.shape[0])
            return held, which
        found = []
        for segment, part, mask in self._view.segments():
            slots, which = entity_scan(segment, ids, of, mask, counts, room)
            found.append((slots + part.start, which))
        return np.concatenate([slots for slots, _ in found]), np.concatenate([which for _, which in found])


def held_by(
    view: BankView, arena: str, slots: NDArray[np.int64], ids: NDArray[np.uint64], of: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of some memories hold which ids.

    Args:
        view: the namespace.
        arena: where they hold them, `entities` or `places`.
        slots: int64 `[m]`, ascending.
        ids: distinct, uint64 `[q]`, q >= 1.
        of: what each stands for, int64 `[q]`.

    Returns:
        Slots, int64 `[n]`, ascending, and what each holds, in the order in which it does; each pair once.
    """
    columns, offsets = view.ranges(arena, slots)
    order = np.argsort(ids)
    at = order[np.minimum(np.searchsorted(ids[order], columns["ids"]), ids.size - 1)]
    is_asked = ids[at] == columns["ids"]
    holders, which = np.repeat(slots, np.diff(offsets))[is_asked], of[at[is_asked]]
    _, first = np.unique(np.stack([holders, which]), axis=1, return_index=True)
    first.sort()
    return holders[first], which[first]


def surely_common(view: BankView, share: float) -> NDArray[np.uint64]:
    """Mentions that more than a share of the eligible memories hold beyond doubt, uint64 `[h]`, ascending.

    Those that more than twice the share of a sample holds: looking for them everywhere would cost more than for all
    others together. With 512 memories and 5 % that is over five standard deviations, so that a rarer mention is hardly
    ever taken for one; what is common and not found here is counted like any other. Nothing in a small namespace.
    """
    if view.eligible < _SAMPLED_FROM:
        return np.empty(0, np.uint64)
    eligible = np.flatnonzero(view.mask())
    sample = eligible[:: eligible.size // _SAMPLE | 1]  # an odd step: in conversations speakers take turns
    columns, _ = view.ranges("entities", sample)
    ids, counts = np.unique(columns["ids"], return_counts=True)
    return np.asarray(ids[counts > 2 * share * sample.size], np.uint64)


def too_common(counts: NDArray[np.int64], eligible: int, share: float) -> NDArray[np.bool_]:
    """Entities that so many of the eligible memories mention that a mention says nothing, bool `[g]`."""
    return counts > max(FEWEST_OF_A_HUB, share * eligible)
