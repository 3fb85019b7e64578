"""Ways of keeping memories side by side, at the same bytes: more bytes find more, whatever the way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lifecycle.lab.course import TERMS, Course, Fading, Latest, Terms, lived
from lifecycle.lab.life import DAY_S, Life
from lifecycle.policy import Level, Policy

KEPT = Policy(below=dict.fromkeys((Level.WARM, Level.COLD, Level.ARCHIVED, Level.FORGOTTEN)))
"""Nothing ever moves."""
_STEPS, _NEAR = 14, 0.01
_SLOWEST, _FASTEST = 64.0, 1.0 / 4096.0


@dataclass(frozen=True, slots=True)
class Point:
    """One way at one budget.

    Attributes:
        budget: share of the bytes that keeping everything takes, on average over the life.
        factor: what the policy's stabilities were multiplied with to meet it; None for other ways.
        course: what became of the life.
    """

    budget: float
    factor: float | None
    course: Course

    def is_met(self, whole_bytes: float) -> bool:
        """Whether the bytes are those of the budget, or fewer, to within two in a hundred."""
        return self.course.mean_bytes <= self.budget * whole_bytes * 1.02


def at_budget(life: Life, policy: Policy, budget: float, whole_bytes: float, terms: Terms = TERMS) -> Point:
    """A policy that fades so much faster or slower that its bytes over the life are those of a budget.

    How fast is the only thing that changes: all stabilities are multiplied with one factor, which is looked for
    between two that lie on either side (regula falsi over its logarithm, halved where that is slow). A policy that
    hides nothing cannot come below the bytes of its coldest level: then it comes as near as it can.
    """
    aim = budget * whole_bytes
    slow, fast = (Point(budget, by, lived(life, Fading(faster(policy, by)), terms)) for by in (_SLOWEST, _FASTEST))
    if slow.is_met(whole_bytes):
        return slow
    if not fast.is_met(whole_bytes):
        return fast
    for step in range(_STEPS):
        a, b = math.log(fast.factor or 1.0), math.log(slow.factor or 1.0)
        share = (aim - fast.course.mean_bytes) / (slow.course.mean_bytes - fast.course.mean_bytes)
        factor = math.exp(a + (b - a) * (0.5 if step % 2 else min(max(share, 0.05), 0.95)))
        tried = Point(budget, factor, lived(life, Fading(faster(policy, factor)), terms))
        if abs(tried.course.mean_bytes - aim) <= _NEAR * aim:
            return tried
        slow, fast = (tried, fast) if tried.course.mean_bytes > aim else (slow, tried)
    return fast


def faster(policy: Policy, factor: float) -> Policy:
    """A policy all of whose stabilities are multiplied with a factor."""
    return replace(policy, factors={kind: min(1e6, by * factor) for kind, by in policy.factors.items()})


def side_by_side(
    life: Life, policies: Mapping[str, Policy], budgets: tuple[float, ...], terms: Terms = TERMS
) -> dict[str, list[Point]]:
    """Each policy, and two ways without one, at each budget.

    The ways without a policy are given the bytes at which their average over the life meets the budget.
    """
    whole = lived(life, Fading(KEPT), terms).mean_bytes
    found = {name: [at_budget(life, policy, b, whole, terms) for b in budgets] for name, policy in policies.items()}
    for name, by_use in (("used last", True), ("written last", False)):
        found[name] = [_latest(life, by_use, b, whole, terms) for b in budgets]
    return found


def _latest(life: Life, by_use: bool, budget: float, whole: float, terms: Terms) -> Point:
    """So many as meet the budget on average: the first part of a life has fewer memories than it may keep."""
    nights = np.arange(1, int(np.ceil(life.length_s / DAY_S)) + 1) * DAY_S
    there = np.searchsorted(life.written_s, nights, side="right") * terms.bytes[Level.ACTIVE]
    low, high = 0.0, float(there.max(initial=0.0))
    while high - low > terms.bytes[Level.ACTIVE] / 2:
        middle = (low + high) / 2
        low, high = (low, middle) if np.minimum(there, middle).mean() > budget * whole else (middle, high)
    return Point(budget, None, lived(life, Latest(low, by_use, terms), terms))
