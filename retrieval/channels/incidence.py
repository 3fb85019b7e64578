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


def mention_counts(view: BankView, groups: Sequence[NDArray[np.uint64]]) -> NDArray[np.int64]:
    """How many eligible memories mention each entity.

    Args:
        view: the namespace.
        groups: each entity as the ids of its mentions, uint64 `[a]`.

    Returns:
        int64 `[g]`.
    """
    counts = np.zeros(len(groups), np.int64)
    ids, of = flat_groups(groups)
    for segment, _, mask in view.segments():
        entity_scan(segment, ids, of, mask, counts)
    return counts


def mentioning(
    view: BankView, groups: Sequence[NDArray[np.uint64]], room: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Eligible memories that mention entities.

    Args:
        view: the namespace.
        groups: each entity as the ids of its mentions.
        room: how many pairs there are, see `mention_counts`.

    Returns:
        Slots, int64 `[m]`, ascending, and the group that each mentions, int64 `[m]`; each pair once.
    """
    ids, of = flat_groups(groups)
    found = []
    for segment, part, mask in view.segments():
        slots, which = entity_scan(segment, ids, of, mask, np.zeros(len(groups), np.int64), room)
        found.append((slots + part.start, which))
    return np.concatenate([slots for slots, _ in found]), np.concatenate([which for _, which in found])


def too_common(counts: NDArray[np.int64], eligible: int, share: float) -> NDArray[np.bool_]:
    """Entities that so many of the eligible memories mention that a mention says nothing, bool `[g]`."""
    return counts > max(FEWEST_OF_A_HUB, share * eligible)
