"""A namespace whose nearest memories a device finds, where that is faster than comparing them here.

The device proposes and the host's bank ranks: scores are those of the host's own rows, so that an answer does not
depend on where its candidates are from.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.nearest import DenseBest, Nearest
from gpu.bank.proposed import best_among
from gpu.bank.view import BankView
from gpu.device.best import Best
from gpu.device.errors import DeviceLostError
from gpu.device.rules import DeviceRules


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

    def drop(self, namespace: NamespaceBank) -> None:
        """Forgets a namespace."""
        ...


class DeviceNearest:
    """Asks the device for one namespace; where it cannot answer, another way does."""

    def __init__(self, bank: NamespaceBank, searches: Searches, otherwise: Nearest, rules: DeviceRules) -> None:
        self._bank = bank
        self._searches = searches
        self._otherwise = otherwise
        self._rules = rules

    def search(self, view: BankView, vector: NDArray[np.float32], limit: int) -> DenseBest:
        """See `gpu.bank.nearest.Nearest`."""
        is_asked = limit > 0 and vector.shape == (self._bank.dim,) and view.eligible >= self._rules.device_from
        if not is_asked or view.scan.as_of_us is not None:  # closed versions are not on the device
            return self._otherwise.search(view, vector, limit)
        try:
            best = self._searches.search(self._bank, view.scan, vector, limit + self._rules.more)
        except DeviceLostError:
            return self._otherwise.search(view, vector, limit)
        return best_among(view, vector, limit, _in_view(view, best), self._rules.sampled)

    def memory_bytes(self) -> int:
        """See `gpu.bank.nearest.Nearest`; what is on the device is counted there."""
        return self._otherwise.memory_bytes()

    def close(self) -> None:
        """See `gpu.bank.nearest.Nearest`."""
        self._searches.drop(self._bank)
        self._otherwise.close()


def _in_view(view: BankView, best: Best) -> NDArray[np.int64]:
    """Where memories are that a perhaps later snapshot has; slots int64, distinct, ascending."""
    (current, _, _), *_ = view.segments()
    here = (best.slots < current.n_slots) & (best.owner == current.codes.owner)
    moved = view.slots_of(best.memory_ids[~here])  # edited since, or the rows lie elsewhere; -1 for what is newer
    return np.unique(np.concatenate([best.slots[here], moved[moved >= 0]]))
