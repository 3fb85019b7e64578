"""The command against the service: one of both for all tests, each in a namespace of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from memsvc_client.cli.main import app
from tests.fixtures.listening import listening
from tests.fixtures.service import Caller, Service, serving

Ran = tuple[int, str, str]
Memsvc = Callable[..., Ran]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("served"), stream_every_s=0.05) as running:
        yield running


@pytest.fixture(scope="module")
def url(service: Service) -> Iterator[str]:
    with listening(service.app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def tenant(service: Service) -> Caller:
    return service.tenant("one")


@pytest.fixture
def ada(tenant: Caller, request: pytest.FixtureRequest) -> Caller:
    """A caller with every role, in a namespace that no other test uses."""
    return replace(tenant, namespace=f"user/{request.node.name.partition('[')[0].removeprefix('test_')}")


@pytest.fixture
def memsvc(url: str, ada: Caller, monkeypatch: pytest.MonkeyPatch) -> Memsvc:
    """Runs `memsvc ...` as this caller; gives the exit code, stdout and stderr."""
    for name in ("MEMSVC_API_KEY_FILE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"MEMSVC_URL": url, "MEMSVC_NAMESPACE": ada.namespace, "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MEMSVC_API_KEY", ada.secret or "")

    def run(*arguments: str, **more: Any) -> Ran:
        result = CliRunner().invoke(app, list(arguments), prog_name="memsvc", **more)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "\x1b" not in result.stdout  # no colours in a pipe
        return result.exit_code, result.stdout, result.stderr

    return run
