"""All namespaces of a process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence

from gpu.bank.errors import DimensionError
from gpu.bank.layouts import TIERS, Tier
from gpu.bank.lists import Lists
from gpu.bank.namespace import NamespaceBank
from gpu.bank.nearest import EXACT, Nearest
from gpu.bank.pages import PagePool
from gpu.bank.view import BankView

__all__ = ["Bank", "BankView"]


class Bank:
    """Namespaces by key, over one pool of pages. Thread-safe.

    Args:
        nearest: makes what a new namespace finds the nearest memories with; without it all are compared.
        lists: makes what makes lists for it beside the scans of its views, if anything does.
        repeating: memories that carry one of these pairs repeat what others say: see `NamespaceBank`.

    Attributes:
        repeating: the same.
    """

    def __init__(
        self,
        nearest: Callable[[NamespaceBank], Nearest] = lambda bank: EXACT,
        repeating: Sequence[int] = (),
        lists: Callable[[NamespaceBank], Lists | None] = lambda bank: None,
    ) -> None:
        self._pool = PagePool()
        self._nearest = nearest
        self.repeating = tuple(repeating)
        self._lists = lists
        self._namespaces: dict[Hashable, NamespaceBank] = {}
        self._lock = threading.Lock()

    def namespace(self, key: Hashable) -> NamespaceBank:
        """The bank of a namespace.

        Raises:
            KeyError: it is not open.
        """
        with self._lock:
            return self._namespaces[key]

    def open(self, key: Hashable, dim: int) -> NamespaceBank:
        """The bank of a namespace, made empty if it is not open yet.

        Args:
            key: what the caller knows the namespace by.
            dim: dimension of its vectors.

        Raises:
            DimensionError: it is open with another dimension.
        """
        with self._lock:
            bank = self._namespaces.get(key)
            if bank is None:
                bank = self._namespaces[key] = NamespaceBank(self._pool, dim, self.repeating)
                bank.key = key
                bank.nearest = self._nearest(bank)
                bank.lists = self._lists(bank)
        if bank.dim != dim:
            raise DimensionError(f"the namespace is open with dimension {bank.dim}, not {dim}")
        return bank

    def drop(self, key: Hashable) -> None:
        """Zero a namespace and give its pages back; nothing happens if it is not open."""
        with self._lock:
            bank = self._namespaces.pop(key, None)
        if bank is not None:
            bank.nearest.close()
            bank.clear()

    def let_go(self, key: Hashable) -> None:
        """Forget a namespace, whose memory is given back when the last who reads it is done; see `drop`."""
        with self._lock:
            bank = self._namespaces.pop(key, None)
        if bank is not None:
            # What finds the nearest knows the bank: two that know each other stay until Python looks for such.
            nearest, bank.nearest = bank.nearest, EXACT
            nearest.close()

    def keys(self) -> list[Hashable]:
        """Keys of the open namespaces."""
        with self._lock:
            return list(self._namespaces)

    def memory_bytes(self) -> int:
        """Bytes allocated, free pages that wait for reuse included."""
        with self._lock:
            banks = list(self._namespaces.values())
        return self._pool.free_bytes + sum(bank.memory_bytes() + bank.nearest.memory_bytes() for bank in banks)

    def vector_bytes(self) -> dict[Tier, int]:
        """Bytes of the vectors in all namespaces by how exactly they are kept."""
        with self._lock:
            banks = list(self._namespaces.values())
        found = [bank.vector_bytes() for bank in banks]
        return {tier: sum(one[tier] for one in found) for tier in TIERS}

    def close(self) -> None:
        """Ends what works in the background for namespaces; they can still be read."""
        with self._lock:
            banks = list(self._namespaces.values())
        for bank in banks:
            bank.nearest.close()
