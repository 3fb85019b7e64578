"""What a device is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gpu.bank.errors import DimensionError
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.ops.channel_pass.questions import Packed, Question, check, pack


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
        _check_vector(self.namespace, self.vector)


@dataclass(frozen=True, slots=True)
class ChannelQuery:
    """The best memories of one namespace in every list that a question asks for.

    Attributes:
        namespace: where.
        question: what is asked, and the filter.
        vector: float32 `[dim]` for the nearest memories beside; None if they are not asked for.
        limit: how many of each list at most, at least 1.
        packed: the question as numbers, made by whoever asks so that a batch need not; None for closed versions, which
            the host answers for.
    """

    namespace: NamespaceBank
    question: Question
    vector: NDArray[np.float32] | None
    limit: int
    packed: Packed | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuses a vector that is none of the namespace, and a question that is none.

        Raises:
            DimensionError: it has another dimension.
            ValueError: the parts of the question do not fit together.
        """
        if self.scan.as_of_us is None:
            object.__setattr__(self, "packed", pack(self.question))
        else:
            check(self.question)
            object.__setattr__(self, "packed", None)
        if self.vector is not None:
            _check_vector(self.namespace, self.vector)

    @property
    def scan(self) -> ScanFilter:
        """The filter."""
        return self.question.scan


def _check_vector(namespace: NamespaceBank, vector: NDArray[np.float32]) -> None:
    if vector.shape != (namespace.dim,):
        raise DimensionError(f"a vector of shape {vector.shape} for the dimension {namespace.dim}")
