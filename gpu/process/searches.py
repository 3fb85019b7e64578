"""The process that has the device, as a namespace asks it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

import numpy as np
from numpy.typing import NDArray

from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.device.best import NOWHERE, Best
from gpu.ops.channel_pass.questions import Listed, Question
from gpu.process.client import Found, GpuClient


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
        return _best(found)

    def lists(self, namespace: NamespaceBank, question: Question, limit: int) -> Mapping[Listed, Best]:
        """See `gpu.device.asking.Searches`."""
        found = self._client.lists(self._name_of(namespace.key), namespace.applied_seq, question, limit)
        return {which: _best(one) for which, one in found.items()}

    def drop(self, namespace: NamespaceBank) -> None:
        """See `gpu.device.asking.Searches`; the process looks after its own copies."""


def _best(found: Found) -> Best:
    nowhere = np.full(found.scores.shape[0], NOWHERE)  # the process' slots are not ours
    return Best(found.memory_ids, found.versions, found.scores, nowhere, NOWHERE)
