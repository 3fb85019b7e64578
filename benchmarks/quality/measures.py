"""Measures of rankings and of latencies, as the evaluation scripts of retrieval sets define them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

NAMES = ("ndcg@10", "recall@5", "recall@10", "recall@20", "mrr", "hit_all@10")
"""What `ranked` measures."""
DRAWS = 2_000


def ranked(found: Sequence[str], gold: frozenset[str]) -> dict[str, float]:
    """Measures of one ranking, each 0 to 1, by the names in `NAMES`.

    Args:
        found: ids, best first.
        gold: the right ones, at least one; gains are binary.
    """
    gains = [1.0 if name in gold else 0.0 for name in dict.fromkeys(found)]
    gain = sum(of / math.log2(place + 2) for place, of in enumerate(gains[:10]))
    ideal = sum(1 / math.log2(place + 2) for place in range(min(10, len(gold))))
    first = next((place for place, of in enumerate(gains) if of), None)
    return {
        "ndcg@10": gain / ideal,
        **{f"recall@{k}": sum(gains[:k]) / len(gold) for k in (5, 10, 20)},
        "mrr": 0.0 if first is None else 1 / (first + 1),
        "hit_all@10": float(sum(gains[:10]) == len(gold)),
    }


def current_first(found: Sequence[str], current: frozenset[str], outdated: frozenset[str]) -> float:
    """1 if the best current memory stands above the best outdated one; 0 also if neither was found."""
    place = {name: at for at, name in reversed(list(enumerate(found)))}
    missing = len(found) + 1
    return float(min(place.get(name, missing) for name in current) < min(place.get(name, missing) for name in outdated))


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Chance that one of the positives is larger than one of the negatives, ties counting half; None without both."""
    if not positive or not negative:
        return None
    yes, no = np.asarray(positive)[:, None], np.asarray(negative)[None, :]
    return float(((yes > no) + 0.5 * (yes == no)).mean())


def percent(values: Sequence[float]) -> float:
    """Mean in percent, two decimals."""
    return round(100 * statistics.fmean(values), 2)


def interval(differences: Sequence[float], seed: int = 1) -> tuple[float, float]:
    """95 % interval of the mean of paired differences, in percent: a bootstrap over the questions."""
    values = np.asarray(differences, dtype=np.float64)
    rng = np.random.default_rng(seed)
    means = [float(values[rng.integers(0, values.size, values.size)].mean()) for _ in range(DRAWS)]
    low, high = np.percentile(means, [2.5, 97.5])
    return round(100 * float(low), 2), round(100 * float(high), 2)


def percentiles(ms: Sequence[float]) -> dict[str, float]:
    """p50 and p95 of some latencies in milliseconds."""
    ordered = sorted(ms)
    return {
        "p50_ms": round(ordered[len(ordered) // 2], 2),
        "p95_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))], 2),
    }
