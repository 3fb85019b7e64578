"""Two tenants with the same names for everything, and no answer from which one could learn of the other.

20,000 steps in parts in the ordinary run, more with `MEMSVC_TEST_PROFILE=long`; `benchmarks/isolation.py` plays any
number.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.extent import rounds
from tests.fixtures.service import Service, serving
from tests.property.tenants.play import play, unasked
from tests.property.tenants.tenant import SHARED

PARTS = (
    *((f"sqlite{part}", "sqlite", rounds(2_375, 10_000)) for part in range(8)),
    *((f"postgresql{part}", "postgresql", rounds(500, 2_000)) for part in range(2)),
)


@pytest.fixture
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    with serving(tmp_path, url, mem0_namespace=SHARED) as made:
        yield made


@pytest.mark.part
@pytest.mark.parametrize(("seed", "service", "steps"), PARTS, indirect=["service"])
def test_tenants_learn_nothing_of_each_other(service: Service, seed: str, steps: int) -> None:
    played = play(service, steps, seed)

    assert played.steps >= steps
    assert unasked(service, played) == set()
