"""Two tenants with the same names for everything, and no answer from which one could learn of the other.

A few thousand steps in the ordinary run; `benchmarks/isolation.py` plays a million.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fixtures.service import Service, serving
from tests.property.tenants.play import play, unasked
from tests.property.tenants.tenant import SHARED

PARTS = (("sqlite", "sqlite", 2_500), ("postgresql", "postgresql", 1_000))


@pytest.fixture
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
        yield stack.enter_context(serving(folder, url, mem0_namespace=SHARED))


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "service", "steps"), PARTS, indirect=["service"])
def test_tenants_learn_nothing_of_each_other(service: Service, seed: str, steps: int) -> None:
    played = play(service, steps, seed)

    assert played.steps >= steps
    assert unasked(service, played) == set()
