"""The best memories by words, entities and places, found elsewhere than in the scans of a view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from gpu.ops.channel_pass.questions import Listed, Question

if TYPE_CHECKING:
    from gpu.bank.view import BankView


@dataclass(frozen=True, slots=True)
class ListedBest:
    """The best memories of one list.

    Attributes:
        slots: int64 `[m]`, distinct, ascending, all of them eligible in the view that asked.
        most_of_others: what a memory that is not among them scores at most; 0 if every one that scores is.
    """

    slots: NDArray[np.int64]
    most_of_others: float

    @property
    def is_complete(self) -> bool:
        """Whether every memory that scores is among them."""
        return self.most_of_others == 0.0


class Lists(Protocol):
    """A way of finding all lists of one namespace that a question asks for at once."""

    def find(self, view: BankView, question: Question, limit: int) -> Mapping[Listed, ListedBest] | None:
        """The best memories of each list; None where scanning is the faster way, or nobody answers.

        Args:
            view: an open view of the namespace.
            question: what is asked, with the filter of the view.
            limit: how many memories of each list.
        """
        ...
