"""The process that has the device, as a namespace asks it."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
from numpy.typing import NDArray

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.device.best import NOWHERE, Best
from gpu.process.client import GpuClient


class RemoteSearches:
    """Searches by way of a `GpuClient`; see `gpu.device.asking.Searches`."""

    def __init__(self, client: GpuClient, name_of: Callable[[Hashable], bytes]) -> None:
        """Asks as a client; `name_of` gives what the process calls the namespace with a key."""
        self._client = client
        self._name_of = name_of

    def search(self, namespace: NamespaceBank, scan: ScanFilter, vector: NDArray[np.float32], limit: int) -> Best:
        """See `gpu.device.asking.Searches`."""
        name = self._name_of(namespace.key)
        found = self._client.search(name, namespace.applied_seq, scan, limit, vector=vector)
        nowhere = np.full(found.scores.shape[0], NOWHERE)  # its slots are not ours
        return Best(found.memory_ids, found.versions, found.scores, nowhere, NOWHERE)

    def drop(self, namespace: NamespaceBank) -> None:
        """See `gpu.device.asking.Searches`; the process looks after its own copies."""
