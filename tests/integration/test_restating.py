"""Many memories into another state in a few statements: to the byte what one version after the other would be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, select

from gpu.bank.records import State
from memsvc.memories.ledger import Ledger
from memsvc.memories.withdrawal import put_all
from memsvc.models.tables import CHANGE, MEMORY, VERSION
from memsvc.namespaces import repository as namespaces
from tests.fixtures.service import Caller, Service, serving

_FIELDS = {
    "kind": "semantic", "tags": ["home", "tea"], "session_id": "s", "speaker": "Ada", "place": "Oslo", "pinned": True,
    "metadata": {"room": 7, "list": [1, "x"]}, "source": {"type": "web", "uri": "https://one.example/x"},
    "valid_from": "2026-01-02T03:04:05Z", "user_id": "u",
}  # fmt: skip
_OWN = ("id", "memory_id", "recorded_at", "updated_at", "recorded_from", "recorded_to", "external_id")


@pytest.fixture
def service(tmp_path: Path, database_url: str) -> Iterator[Service]:
    with serving(tmp_path, database_url) as made:
        yield made


@pytest.fixture
def ada(service: Service) -> Caller:
    return service.tenant()


def _put(service: Service, ids: list[UUID], back_by: timedelta = timedelta()) -> int:
    with service.look() as connection:
        found = connection.execute(select(MEMORY.c.tenant_id, MEMORY.c.namespace_id).where(MEMORY.c.id == ids[0])).one()

    def unit(connection: Connection) -> int:
        locked = namespaces.get(connection, *found, lock=True)
        assert locked is not None
        ledger = Ledger(connection, locked, service.clock.now() - back_by, "somebody")
        done = put_all(ledger, ids, State.FORGOTTEN, "hidden")
        ledger.flush()
        return done

    return service.container.database.write(found.tenant_id, unit)


def _stored(service: Service, memory_id: UUID) -> tuple[dict[str, Any], list[dict[str, Any]], tuple[int, int]]:
    with service.look() as connection:
        row = connection.execute(select(MEMORY).where(MEMORY.c.id == memory_id)).one()
        query = select(VERSION).where(VERSION.c.memory_id == memory_id).order_by(VERSION.c.version)
        versions = connection.execute(query).all()
        changes = connection.execute(
            select(CHANGE.c.op, CHANGE.c.version).where(CHANGE.c.memory_id == memory_id).order_by(CHANGE.c.seq)
        ).all()
    assert [one.recorded_to for one in versions] == [*(one.recorded_from for one in versions[1:]), None]
    assert all(one.recorded_from < one.recorded_to for one in versions[:-1])
    assert versions[-1].recorded_from == row.updated_at
    plain = [{k: v for k, v in one._mapping.items() if k not in _OWN} for one in (row, *versions)]
    return plain[0], plain[1:], (changes[-1].op, changes[-1].version)


def test_versions_are_those_of_single_revisions(ada: Caller, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (UUID(ada.remember("The tea of Oslo.", **_FIELDS)["id"]) for _ in range(2))
    for memory_id in (one, two):
        ada.edit(str(memory_id), content="The tea of Bergen.")
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "is_sealing", True)  # what is sealed is revised one by one
        assert _put(service, [one]) == 1
    assert _put(service, [two]) == 1
    assert _stored(service, one) == _stored(service, two)
    assert _put(service, [one, two]) == 0  # they are there already
    assert {one.state for one in _rows(service, [one, two])} == {int(State.FORGOTTEN)}
    assert ada.found("tea") == []


def test_no_version_is_empty_when_the_clock_goes_back(ada: Caller, service: Service) -> None:
    memory_id = UUID(ada.remember("The tea of Oslo.")["id"])
    _put(service, [memory_id], timedelta(hours=1))
    _stored(service, memory_id)


def _rows(service: Service, ids: list[UUID]) -> list[Any]:
    with service.look() as connection:
        return list(connection.execute(select(MEMORY.c.state).where(MEMORY.c.id.in_(ids))))
