"""Hits that tell of the same, in the order in which it was told; see `lifecycle.telling_order`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import Kind, State
from lifecycle.telling_order import Telling, told_later
from retrieval.types import Hit, Order, Question

_WHOSE = ("user_id", "agent_id", "speaker", "language")


class Shown(Protocol):
    """A hit with its memory's row."""

    @property
    def hit(self) -> Hit:
        """As it was found."""

    @property
    def memory(self) -> Any:
        """Its row."""

    @property
    def vector(self) -> NDArray[np.float32] | None:
        """Its first view."""


def asks_for_now(question: Question) -> bool:
    """Whether a question names no time, no order but the latest, and nothing that happened."""
    return len(question.spans) == 0 and question.order in (None, Order.LAST) and question.kind_hint is not Kind.EPISODIC


def later_tellings(
    found: Sequence[Shown], question: str, names: Sequence[str], apart: float
) -> Mapping[UUID, set[UUID]]:
    """For hits, those behind them that tell of the same and were told later.

    Args:
        found: best first, with their vectors; one without is not compared.
        question: in words.
        names: that it has.
        apart: standard deviations of score that the two may lie apart.
    """
    tellings = [_telling(one) for one in found if _is_held_true(one.memory)]
    return told_later([one for one in tellings if one is not None], question, names, apart)


def _is_held_true(memory: Any) -> bool:
    return memory.kind == Kind.SEMANTIC and memory.derived is None and memory.state_now == State.ACTIVE


def _telling(one: Shown) -> Telling | None:
    if one.vector is None:
        return None
    memory = one.memory
    happened = memory.occurred_at or memory.recorded_at
    place = memory.valid_from or happened, happened, memory.recorded_at
    whose = tuple(getattr(memory, name) for name in _WHOSE)
    return Telling(one.hit.memory_id, memory.text, whose, place, one.hit.score, one.vector)
