"""The nearest memories of a view to a vector, with what a channel needs to know beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gpu.bank.view import BankView


@dataclass(frozen=True, slots=True)
class DenseBest:
    """Memories by similarity to a query vector, best first, equal scores by slot (earlier written first).

    Attributes:
        slots: int64 `[k]`, distinct.
        scores: float32 `[k]`, exact: the largest dot product over the memory's views.
        mean, std: moments of the score over the eligible memories that have a vector; estimates unless `is_exact`.
        score_of: exact scores of any slots of the view `[m]` -> float32 `[m]`, -inf for memories that are not eligible
            or have no vector; usable as long as the view is open.
        is_exact: whether every eligible memory was compared. If not, one of the best may be missing.
    """

    slots: NDArray[np.int64]
    scores: NDArray[np.float32]
    mean: float
    std: float
    score_of: Callable[[NDArray[np.int64]], NDArray[np.float32]]
    is_exact: bool


class Nearest(Protocol):
    """A way of finding the nearest memories of one namespace."""

    def search(self, view: BankView, vector: NDArray[np.float32], limit: int) -> DenseBest:
        """The `limit` nearest memories of an open view of the namespace.

        Raises:
            DimensionError: the vector has another dimension than the namespace.
        """
        ...

    def memory_bytes(self) -> int:
        """What it keeps beside the bank's own pages."""
        ...

    def close(self) -> None:
        """Lets go of whatever it keeps about the namespace."""
        ...


class Exact:
    """Compares every memory."""

    def search(self, view: BankView, vector: NDArray[np.float32], limit: int) -> DenseBest:
        """See `Nearest`."""
        scores = view.dense(vector)
        slots, best = view.top(scores, limit)
        mean, std = view.moments(scores)
        return DenseBest(slots, best, mean, std, lambda wanted: np.asarray(scores[wanted]), is_exact=True)

    def memory_bytes(self) -> int:
        """See `Nearest`."""
        return 0

    def close(self) -> None:
        """See `Nearest`."""


EXACT = Exact()
