"""A namespace whose nearest memories a device finds, where that is faster than comparing them here.

The device proposes and the host's bank ranks: scores are those of the host's own rows, so that an answer does not
depend on where its candidates are from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpu.bank.namespace import NamespaceBank
from gpu.bank.nearest import DenseBest, Nearest
from gpu.bank.proposed import best_among
from gpu.bank.view import BankView
from gpu.device.asking import Searches, slots_in
from gpu.device.errors import DeviceLostError
from gpu.device.rules import DeviceRules


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
        return best_among(view, vector, limit, slots_in(view, best), self._rules.sampled)

    def memory_bytes(self) -> int:
        """See `gpu.bank.nearest.Nearest`; what is on the device is counted there."""
        return self._otherwise.memory_bytes()

    def close(self) -> None:
        """See `gpu.bank.nearest.Nearest`."""
        self._searches.drop(self._bank)
        self._otherwise.close()
