"""How much a learner keeps by the service's schedule of rehearsal, for each review, against other schedules.

The learner is none of ours: its memory follows ACT-R with the spacing effect (Pavlik and Anderson 2005,
doi:10.1207/s15516709cog0000_14). The activation m = ln(sum t_i^-d_i) is over all earlier presentations; one decays the
faster the more active the memory was at that moment, d_i = c e^m + a; it is remembered with the chance
1 / (1 + e^((tau - m) / s)). So forgetting is a power law, not the exponential that the service plans by. Time counts in
hours, which leaves half of what was seen once after two days. From memory to memory c varies: some are hard and some
are easy, and the service is told nothing but whether each review was remembered.

*service*: a review whenever `lifecycle.rehearsal` says that it is due, at three bounds of retention. The others get the
same number of reviews in all, the same for each memory: *uniform* (at even distances), *massed* (six hours apart, from
the beginning), *random*. What is kept is the chance to remember, on average over half a year and at its end.

Run: OMP_NUM_THREADS=1 python -m benchmarks.lifecycle_rehearsal
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._results import save
from gpu.bank.records import Kind
from lifecycle.policy import Policy
from lifecycle.rehearsal import after_rehearsal
from lifecycle.retention import effective_stability, elapsed_until, retention

DAYS, DAY_S = 180, 86_400.0
IMPORTANCE, FIRST_S = 0.8, 7 * DAY_S
C, A, TAU, S = 0.217, 0.177, -0.704, 0.255
"""Decay, threshold and noise of Pavlik and Anderson 2005, experiment 1."""
UNIT_S = 3_600.0
"""What time counts in. Chosen."""


class Learner:
    """One memory of somebody who was shown something at time 0."""

    def __init__(self, c: float, random: np.random.Generator) -> None:
        self._c, self._random = c, random
        self._shown: list[tuple[float, float]] = []
        self.see(0.0)

    def activation(self, now_s: float) -> float:
        """M of the module's text."""
        total = sum(max(1.0, (now_s - at) / UNIT_S) ** -decay for at, decay in self._shown if at < now_s)
        return math.log(total) if total > 0.0 else -math.inf

    def chance(self, now_s: float) -> float:
        """To remember at a moment."""
        return 1.0 / (1.0 + math.exp(min(500.0, (TAU - self.activation(now_s)) / S)))

    def see(self, now_s: float) -> None:
        """Is shown it once more."""
        self._shown.append((now_s, self._c * math.exp(self.activation(now_s)) + A if self._shown else A))

    def tries(self, now_s: float) -> bool:
        """Tries to remember, and is shown it whatever came of that."""
        remembered = bool(self._random.random() < self.chance(now_s))
        self.see(now_s)
        return remembered


Schedule = Callable[[Learner, np.random.Generator], int]
"""Reviews a memory; returns how often."""


def by_service(policy: Policy) -> Schedule:
    """When the service says that it is due."""

    def run(learner: Learner, random: np.random.Generator) -> int:
        stored, now, done = FIRST_S, 0.0, 0
        while True:
            stability = effective_stability(stored, policy.factors[Kind.EPISODIC], IMPORTANCE, None)
            silent = elapsed_until(policy.rehearse_below, stability)
            now += silent
            if now >= DAYS * DAY_S:
                return done
            remembered = learner.tries(now)
            stored = after_rehearsal(stored, retention(silent, stability), is_remembered=remembered)
            done += 1

    return run


def at(moments: Callable[[np.random.Generator], list[float]]) -> Schedule:
    """At moments that are fixed beforehand, in days."""

    def run(learner: Learner, random: np.random.Generator) -> int:
        days = sorted(moments(random))
        for day in days:
            learner.tries(day * DAY_S)
        return len(days)

    return run


def fixed(reviews: float) -> dict[str, Schedule]:
    """Schedules of so many reviews on average for each memory."""

    def number(random: np.random.Generator) -> int:
        return int(reviews) + int(random.random() < reviews % 1)

    return {
        "uniform": at(lambda random: np.linspace(0, DAYS, number(random) + 2)[1:-1].tolist()),
        "massed": at(lambda random: (np.arange(1, number(random) + 1) * 0.25).tolist()),
        "random": at(lambda random: random.uniform(0.01, DAYS, number(random)).tolist()),
        "none": at(lambda random: []),
    }


def measured(schedule: Schedule, memories: int) -> dict[str, float]:
    """What is kept by a schedule, on average over memories."""
    ends, means, done = [], [], 0
    for number in range(memories):
        learner = Learner(C * float(np.random.default_rng(number).lognormal(0.0, 0.4)), np.random.default_rng([number]))
        done += schedule(learner, np.random.default_rng([number, 1]))
        ends.append(learner.chance(DAYS * DAY_S))
        means.append(np.mean([learner.chance((day + 0.5) * DAY_S) for day in range(DAYS)]))
    return {
        "reviews": round(done / memories, 3),
        "kept on average": round(float(np.mean(means)), 4),
        "kept at the end": round(float(np.mean(ends)), 4),
    }


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", type=int, default=300)
    memories = parser.parse_args().memories
    figures: dict[str, Any] = {}
    for bound in (0.9, 0.8, 0.7):
        service = measured(by_service(Policy(rehearse_below=bound)), memories)
        others = {name: measured(schedule, memories) for name, schedule in fixed(service["reviews"]).items()}
        found = {"service": service, **others}
        for one in found.values():
            gain = one["kept on average"] - found["none"]["kept on average"]
            one["gain on average a review"] = round(gain / one["reviews"], 4) if one["reviews"] else 0.0
        figures[f"due below {bound}"] = found
        print(bound, found, flush=True)
    print(save("lifecycle_rehearsal", figures, command="python -m benchmarks.lifecycle_rehearsal", seed=0))


if __name__ == "__main__":
    main()
