"""A service that listens, and a client for a tenant of its own."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from memsvc_client import MemoryClient
from tests.fixtures.listening import listening
from tests.fixtures.service import Service, serving


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("service")
    with serving(folder) as started:
        yield started


@pytest.fixture(scope="package")
def url(service: Service) -> Iterator[str]:
    with listening(service.app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def client(service: Service, url: str, request: pytest.FixtureRequest) -> Iterator[MemoryClient]:
    secret = service.tenant(request.node.nodeid).secret
    with MemoryClient(url, secret, namespace="user/ada") as made:
        yield made


@pytest.fixture(scope="module")
def swept() -> Iterator[None]:
    """LlamaIndex never closes the SQLite engine of its short-term memory; here that is no failure of a later test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
