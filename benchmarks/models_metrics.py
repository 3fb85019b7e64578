"""The two measures of a ranking that the comparisons report."""

from __future__ import annotations

import math
from collections.abc import Sequence


def ndcg_at_10(found: Sequence[int], gold: frozenset[int]) -> float:
    """Normalised discounted cumulative gain of the first ten, binary relevance."""
    gain = sum(1.0 / math.log2(place + 2) for place, item in enumerate(found[:10]) if item in gold)
    return gain / sum(1.0 / math.log2(place + 2) for place in range(min(10, len(gold))))


def recall_at_10(found: Sequence[int], gold: frozenset[int]) -> float:
    """Share of the gold items among the first ten."""
    return sum(item in gold for item in found[:10]) / len(gold)
