"""The service for the tests of its routes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.service import Caller, Service, serving


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    """The service on each of the two databases in turn."""
    with serving(tmp_path, database_url) as running:
        yield running


@pytest.fixture
def ada(service: Service) -> Caller:
    """A tenant with every role."""
    return service.tenant("one")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service on SQLite for tests that leave nothing behind that another would notice."""
    with serving(tmp_path_factory.mktemp("shared")) as running:
        yield running
