"""Plays the rules until they were played often enough."""

from __future__ import annotations

import math
from itertools import count

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fixtures.routes import routes_of
from tests.fixtures.service import Service
from tests.property.tenants.keys import Keys
from tests.property.tenants.mem0 import Mem0
from tests.property.tenants.rest import Rest
from tests.property.tenants.world import Played

EACH = 120
"""Rules from one beginning: Hypothesis has no room for many more choices."""


def play(service: Service, steps: int, seed: str) -> Played:
    """Play at least that many rules, then look whether bank and database agree.

    Args:
        service: one that serves mem0's clients in the namespace `team`.
        seed: of the choices, where the profile of Hypothesis has them repeated.

    Raises:
        AssertionError: one tenant learnt of the other, or a tenant did not get what is its own; with the rules that led
            there.
    """
    played = Played()
    for turn in count():
        machine = type(f"Tenants{seed}_{turn}", (Rest, Mem0, Keys), {"service": service, "played": played})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=math.ceil((steps - played.steps) / EACH),
                stateful_step_count=EACH,
                suppress_health_check=list(HealthCheck),
                phases=(Phase.generate, Phase.shrink),
                print_blob=False,
            ),
        )
        if played.steps >= steps:
            break
    assert all(verdict.equal for verdict in service.container.keeper.verify())
    return played


def unasked(service: Service, played: Played) -> set[tuple[str, str]]:
    """Routes that serve data and were not asked."""
    return routes_of(service.app) - played.routes
