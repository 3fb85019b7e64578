"""Mean states of the tokens of known models, as plain numbers; `python -m benchmarks.token_means` makes them."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_name("token_means.json")
"""By model name; the numbers are part of the meaning of stored codes and must not change."""


@lru_cache(maxsize=1)
def _all() -> dict[str, list[float]]:
    read: dict[str, list[float]] = json.loads(FILE.read_text(encoding="utf-8"))
    return read


def mean_state(model: str) -> NDArray[np.float32] | None:
    """Mean state of a model's tokens, float32 `[dim]`; None for a model that nothing is known about."""
    numbers = _all().get(model)
    return None if numbers is None else np.array(numbers, dtype=np.float32)
