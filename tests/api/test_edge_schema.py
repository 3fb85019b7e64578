"""The edge against requests made from its own description, good ones and bad ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fixtures.edge import Edge, running

CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance]
OPERATIONS = [("POST", "/v1/keys"), ("GET", "/v1/keys"), ("DELETE", "/v1/keys/{key_id}"), ("POST", "/v1/things"),
              ("GET", "/v1/things"), ("GET", "/v1/things/{number}")]  # fmt: skip


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder: Path = tmp_path_factory.mktemp("edge")
    with running(folder) as made:
        made.app.router.lifespan_context = _stays_up  # else every request would start and stop it
        yield made


@asynccontextmanager
async def _stays_up(app: object) -> AsyncIterator[None]:
    yield


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_described_request_breaks_it(edge: Edge, method: str, path: str, mode: schemathesis.GenerationMode) -> None:
    operation = schemathesis.openapi.from_asgi("/openapi.json", edge.app)[path][method]
    is_declared = path.startswith("/v1/keys")
    checks = [*CHECKS, status_code_conformance] if is_declared else CHECKS

    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis.settings(max_examples=25, suppress_health_check=list(hypothesis.HealthCheck))
    def attack(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=checks)

    try:
        attack()
    except hypothesis.errors.Unsatisfiable:
        assert mode is schemathesis.GenerationMode.NEGATIVE  # any text will do there, so nothing is wrong by its type
