"""When a namespace is large, how much a search compares, and when an index is no good any more: plain numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

LARGE_FROM = 100_000
"""Rows from which a namespace is large: measured by `python -m benchmarks.bank_large`, see
docs/decisions/0014-large-namespaces.md."""


@dataclass(frozen=True, slots=True)
class LargeRules:
    """The rules by which a namespace is searched.

    Attributes:
        large_from: rows of current memories, the dead ones included, from which there is an index.
        least_compared, compared_per_root, compared_per_hit: a search compares so many eligible rows, or so many for
            each square root of the rows, or for each memory that is wanted, whichever is most. At these numbers
            99 to 100 of a hundred of the best ten are found up to 50,000 rows, 98 to 99 from 100,000 to 500,000.
        sampled: eligible memories from which moments are estimated. The mean is off by 3 % of a standard deviation
            then, and the standard deviation by 2 % (one standard error).
        cost_of_jump: a row that the index reads costs as much as so many that lie one behind the other (measured: 2.5
            at 25,000 rows, 3 at 50,000, 5 at 100,000, everything around it included).
        catch_up_from: rows newer than the index from which they are added to it; until then each search compares them.
        worn_share: an index is trained anew once so many rows were added, as a share of those it was trained on.
    """

    large_from: int = LARGE_FROM
    least_compared: int = 4_000
    compared_per_root: int = 10
    compared_per_hit: int = 50
    sampled: int = 1_024
    cost_of_jump: int = 4
    catch_up_from: int = 2_048
    worn_share: float = 1.0

    def compared(self, n_rows: int, limit: int) -> int:
        """How many eligible rows a search for `limit` memories compares among `n_rows`, if there are so many."""
        by_size = int(self.compared_per_root * math.sqrt(n_rows))
        return max(self.least_compared, by_size, self.compared_per_hit * limit)

    def is_worth_it(self, eligible: int, compared: int, more: int) -> bool:
        """Whether the index is less work than comparing all of the eligible memories.

        Args:
            eligible: how many there are.
            compared: rows that the index would compare.
            more: rows that are compared in order beside it: newer ones and closed versions.
        """
        return eligible > self.cost_of_jump * (compared + self.sampled) + more

    def is_worn(self, trained_on: int, n_rows: int) -> bool:
        """Whether a segment of `n_rows` has grown too far beyond what its index was trained on."""
        return n_rows - trained_on >= max(1.0, self.worn_share * trained_on)
