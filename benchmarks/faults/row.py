"""What a row of the promise table is: a promise, a way to try it so many times, and what came of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.faults.stage import Stage

_EXAMPLES = 5
"""So many examples of each kind of broken promise are kept."""


class Findings:
    """What a run found. Several threads may report at once.

    Attributes:
        n: how often the promise was tried.
        broken: kinds of broken promise, with how often each one was seen.
        figures: what else was measured; anything JSON can say.
    """

    def __init__(self) -> None:
        self.n = 0
        self.broken: Counter[str] = Counter()
        self.figures: dict[str, Any] = {}
        self._examples: dict[str, list[str]] = {}
        self._guard = threading.Lock()

    def tried(self, times: int = 1) -> None:
        """The promise was put to the test."""
        with self._guard:
            self.n += times

    def broke(self, kind: str, example: object = "", times: int = 1) -> None:
        """The promise did not hold."""
        with self._guard:
            self.broken[kind] += times
            kept = self._examples.setdefault(kind, [])
            if len(kept) < _EXAMPLES:
                kept.append(str(example)[:500])

    def check(self, is_kept: bool, kind: str, example: object = "") -> None:
        """Tried once, and kept or not."""
        self.tried()
        if not is_kept:
            self.broke(kind, example)

    @property
    def bound(self) -> float | None:
        """The true rate lies below this with 95 % confidence where nothing was broken (rule of three)."""
        return 3 / self.n if self.n and not self.broken else None

    def as_json(self) -> dict[str, Any]:
        """For a result file."""
        return {
            "n": self.n,
            "broken": sum(self.broken.values()),
            "broken_kinds": dict(self.broken),
            "broken_examples": self._examples,
            "rate_bound_95": self.bound,
            **self.figures,
        }


@dataclass(frozen=True, slots=True)
class Row:
    """One promise.

    Attributes:
        id: its number.
        promise: in a few words.
        run: tries it so many times.
        short, long: how many times for a look, and for a result worth keeping.
        unit: what is counted.
    """

    id: str
    promise: str
    run: Callable[[Stage, int], Findings] = field(repr=False)
    short: int
    long: int
    unit: str
