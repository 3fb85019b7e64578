"""What one transaction does to a namespace: versions without holes in time, a change log without holes in order."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, select

from memsvc.core.errors import PreconditionFailed
from memsvc.memories.draft import Draft
from memsvc.models import ChangeOp
from memsvc.models.tables import CHANGE, MEMORY, NAMESPACE, VERSION
from memsvc.namespaces import repository as namespaces
from tests.fixtures.storage_service import PATH, HeldClock, Service, at_once, service_on


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def service(database_url: str, tmp_path: Path, clock: HeldClock) -> Iterator[Service]:
    with service_on(database_url, tmp_path, clock=clock) as made:
        yield made


def rows(service: Service, query: Any) -> list[Any]:
    with service.look() as connection:
        return list(connection.execute(query).all())


def assert_gap_free(service: Service) -> None:
    """Every namespace's log is 1, 2, ... up to its head."""
    for namespace in rows(service, select(NAMESPACE)):
        query = select(CHANGE.c.seq).where(CHANGE.c.namespace_id == namespace.id).order_by(CHANGE.c.seq)
        assert [row.seq for row in rows(service, query)] == list(range(1, namespace.head_seq + 1))


@pytest.mark.parametrize("moves", [[0, 0, 0, 0], [60, -3600, -86_400, 1], [-1, 400 * 86_400, -400 * 86_400, 0]])
def test_intervals_touch_and_are_never_empty(service: Service, clock: HeldClock, moves: list[float]) -> None:
    """Whatever the clock does: each version ends where the next one begins, and has lasted."""
    memory = service.add("version 1")
    for number, seconds in enumerate(moves, start=2):
        clock.move(seconds)
        service.edit(memory, f"version {number}")
    clock.move(-7200)
    service.forget(memory)
    service.restore(memory)
    versions = rows(service, select(VERSION).where(VERSION.c.memory_id == memory).order_by(VERSION.c.version))
    assert [v.version for v in versions] == list(range(1, len(moves) + 4))
    for earlier, later in itertools.pairwise(versions):
        assert earlier.recorded_to == later.recorded_from
        assert earlier.recorded_from < earlier.recorded_to
    assert versions[-1].recorded_to is None
    (now,) = rows(service, select(MEMORY).where(MEMORY.c.id == memory))
    assert now.version == versions[-1].version
    assert now.updated_at == versions[-1].recorded_from
    assert service.differences() == 0


def test_an_edit_that_changes_nothing_makes_no_version(service: Service) -> None:
    memory = service.add("the same", tags=["a"])
    first = service.edit(memory, "the same")
    second = service.edit(memory, tags=["a"])
    assert first["items"][0]["version"] == second["items"][0]["version"] == 1
    assert first["seq"] == second["seq"] == 1


def test_every_change_takes_one_place_in_the_log(service: Service) -> None:
    memory = service.add("one")
    service.edit(memory, "two")
    service.forget(memory)
    service.restore(memory)
    gone = service.add("three")
    last = service.erase(gone)
    assert last["seq"] == 6
    log = rows(service, select(CHANGE).order_by(CHANGE.c.seq))
    assert [(c.seq, c.op, c.memory_id, c.version) for c in log] == [
        (1, ChangeOp.PUT, memory, 1),
        (2, ChangeOp.PUT, memory, 2),
        (3, ChangeOp.PUT, memory, 3),
        (4, ChangeOp.PUT, memory, 4),
        (5, ChangeOp.VOID, None, None),
        (6, ChangeOp.ERASE, gone, None),
    ]


def test_the_log_has_no_holes_under_eight_writers(service: Service) -> None:
    paths = (PATH, "user/bob")

    def work(thread: int) -> None:
        for n in range(6):
            path = paths[(thread + n) % 2]
            memory = service.add(f"writer {thread} says {n}", path)
            service.remember([f"batch {thread} {n} {i}" for i in range(3)], path)
            if n % 3 == 0:
                service.edit(memory, f"writer {thread} changed {n}")
            if n % 3 == 1:
                service.erase(memory)

    assert at_once([lambda t=t: work(t) for t in range(8)]) == [None] * 8
    assert_gap_free(service)
    assert sum(row.head_seq for row in rows(service, select(NAMESPACE))) == 8 * (6 + 18 + 2 + 2)
    assert service.differences() == 0


def test_a_failing_write_leaves_no_hole(service: Service) -> None:
    memory = service.add("one")
    with pytest.raises(PreconditionFailed):
        service.edit(memory, "two", if_match=9)
    service.add("three")
    assert_gap_free(service)


def test_a_reader_cannot_miss_a_late_commit(postgres_url: str, tmp_path: Path) -> None:
    """A transaction that took its number first and commits last: nobody gets a higher number before it is through."""
    with service_on(postgres_url, tmp_path) as service:
        first = service.add("the first")
        key = (service.tenant_id, _namespace_of(service))
        took_number, may_commit = threading.Event(), threading.Event()

        def slow(connection: Connection) -> int:
            namespace = namespaces.get(connection, *key, lock=True)
            assert namespace is not None
            seq = namespaces.advance(connection, namespace, 1)
            row = {"op": int(ChangeOp.PUT), "memory_id": first, "version": 1, "recorded_at": namespace.created_at}
            connection.execute(CHANGE.insert(), {"tenant_id": key[0], "namespace_id": key[1], "seq": seq, **row})
            took_number.set()
            assert may_commit.wait(30)
            return seq

        results: list[Any] = []
        early = threading.Thread(target=lambda: results.append(service.meddle(slow)), daemon=True)
        early.start()
        assert took_number.wait(30)
        late = threading.Thread(target=lambda: results.append(service.remember(["the late one"])["seq"]), daemon=True)
        late.start()
        late.join(0.5)
        assert late.is_alive()  # waits for the lock of the namespace, without a number
        with service.look() as connection:
            seen = namespaces.get(connection, *key)
            assert seen is not None
            assert seen.head_seq == 1
        assert service.container.keeper.catch_up(key, 1).applied_seq == 1
        may_commit.set()
        early.join(30)
        late.join(30)
        assert results == [2, 3]
        assert service.container.keeper.catch_up(key, 3).applied_seq == 3
        assert len(service.found("the late one")) == 2
        assert_gap_free(service)


def _namespace_of(service: Service, path: str = PATH) -> UUID:
    with service.look() as connection:
        found = namespaces.find(connection, service.tenant_id, path)
    assert found is not None
    return found.id


def test_of_sixteen_edits_of_one_version_one_wins(service: Service) -> None:
    memory = service.add("version 1")
    for version in range(1, 6):
        results = at_once(
            [lambda w=w, v=version: service.edit(memory, f"writer {w} on {v}", if_match=v) for w in range(16)]
        )
        won = [r for r in results if not isinstance(r, Exception)]
        assert [r["items"][0]["version"] for r in won] == [version + 1]
        assert [type(r) for r in results if isinstance(r, Exception)] == [PreconditionFailed] * 15
    assert len(rows(service, select(VERSION).where(VERSION.c.memory_id == memory))) == 6


def test_one_external_id_is_one_memory_however_many_write_it(service: Service) -> None:
    def upsert(writer: int) -> list[int]:
        return [
            service.remember([Draft(f"{writer} says {n}", external_id=f"doc-{n}")])["items"][0]["status"]
            for n in range(4)
        ]

    results = at_once([lambda w=w: upsert(w) for w in range(16)])
    assert sorted(status for statuses in results for status in statuses) == [200] * 60 + [201] * 4
    memories = rows(service, select(MEMORY.c.external_id, MEMORY.c.version))
    assert sorted(m.external_id for m in memories) == ["doc-0", "doc-1", "doc-2", "doc-3"]
    assert [m.version for m in memories] == [16] * 4
    assert service.differences() == 0


def test_a_new_namespace_is_made_once(service: Service) -> None:
    results = at_once([lambda n=n: service.remember([f"hello {n}"], "user/new") for n in range(12)])
    assert len({r["namespace_id"] for r in results}) == 1
    assert sorted(r["seq"] for r in results) == list(range(1, 13))
