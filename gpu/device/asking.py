"""How a namespace asks a device, and finds what it says among its own rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.view import BankView
from gpu.device.best import Best
from gpu.ops.channel_pass.questions import Listed, Question


class Searches(Protocol):
    """Whoever searches on a device: a thread of this process, or another process."""

    def search(self, namespace: NamespaceBank, scan: ScanFilter, vector: NDArray[np.float32], limit: int) -> Best:
        """The nearest memories of a namespace that a filter lets through; waits for them.

        Args:
            namespace: where.
            scan: the filter.
            vector: float32 `[dim]` of the namespace's dimension.
            limit: how many at most, at least 1.

        Raises:
            DeviceLostError: no device answers.
        """
        ...

    def lists(self, namespace: NamespaceBank, question: Question, limit: int) -> Mapping[Listed, Best]:
        """The best memories of every list that a question asks for; waits for them.

        Args:
            namespace: where.
            question: what is asked, with its filter.
            limit: how many of each list at most, at least 1.

        Raises:
            DeviceLostError: no device answers.
            ValueError: the parts of the question do not fit together.
        """
        ...

    def drop(self, namespace: NamespaceBank) -> None:
        """Forgets a namespace."""
        ...


def slots_in(view: BankView, best: Best) -> NDArray[np.int64]:
    """Where memories are that a perhaps later snapshot has; slots int64, distinct, ascending."""
    (current, _, _), *_ = view.segments()
    here = (best.slots < current.n_slots) & (best.owner == current.codes.owner)
    moved = view.slots_of(best.memory_ids[~here])  # edited since, or the rows lie elsewhere; -1 for what is newer
    return np.unique(np.concatenate([best.slots[here], moved[moved >= 0]]))
