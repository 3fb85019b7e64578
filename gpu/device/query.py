"""What a device is asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import DimensionError
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank


@dataclass(frozen=True, slots=True)
class Query:
    """The nearest memories of one namespace that a filter lets through.

    Attributes:
        namespace: where.
        scan: the filter.
        vector: float32 `[dim]` of the namespace's dimension.
        limit: how many at most, at least 1.
    """

    namespace: NamespaceBank
    scan: ScanFilter
    vector: NDArray[np.float32]
    limit: int

    def __post_init__(self) -> None:
        """Refuses a vector that is none of the namespace.

        Raises:
            DimensionError: it has another dimension.
        """
        if self.vector.shape != (self.namespace.dim,):
            raise DimensionError(f"a vector of shape {self.vector.shape} for the dimension {self.namespace.dim}")
