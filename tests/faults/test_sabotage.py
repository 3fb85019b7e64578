"""The tests of durability, order and equality can fail: each promise is broken on purpose, and the break is seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import IntegrityError

from memsvc.db import engine as database_module
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE, Whose
from memsvc.db.writer import GroupCommitWriter, _Waiting
from memsvc.index.keeper import Keeper
from memsvc.memories.draft import Draft
from memsvc.memories.once import Once
from memsvc.models.tables import MEMORY
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from tests.fixtures.storage_service import Service, at_once, claim_of, looker, service_on


def test_sabotage_acknowledged_before_the_commit(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_early(self: GroupCommitWriter, whose: Whose, unit: Callable[[Connection], Any], **given: bool) -> None:
        self._queue.put(_Waiting(unit, given["scrub"], Future()))

    database = Database(sqlite_url)
    database.write(SERVICE, lambda c: c.execute(text("CREATE TABLE note (id INTEGER PRIMARY KEY)")) and None)
    monkeypatch.setattr(GroupCommitWriter, "write", too_early)
    engine = looker(sqlite_url)
    missing = 0
    for n in range(20):

        def unit(connection: Connection, n: int = n) -> None:
            connection.execute(text("INSERT INTO note VALUES (:n)"), {"n": n})
            time.sleep(0.005)

        database.write(SERVICE, unit)
        with engine.connect() as connection:
            missing += connection.execute(text("SELECT 1 FROM note WHERE id = :n"), {"n": n}).first() is None
    engine.dispose()
    database.close()
    assert missing > 0


def test_sabotage_synchronous_off(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pragmas = tuple(p.replace("synchronous=FULL", "synchronous=OFF") for p in database_module._SQLITE_PRAGMAS)
    assert pragmas != database_module._SQLITE_PRAGMAS
    monkeypatch.setattr(database_module, "_SQLITE_PRAGMAS", pragmas)
    database = Database(sqlite_url)
    seen = database.write(SERVICE, lambda c: c.exec_driver_sql("PRAGMA synchronous").scalar())
    database.close()
    assert seen != 2


def test_sabotage_numbers_without_the_lock(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers taken outside of the transaction, as from a sequence: the late commit is missed for good."""
    with service_on(postgres_url, tmp_path) as service:
        service.add("first")
        other = looker(postgres_url)
        real_get, real_advance = namespaces.get, namespaces.advance

        def unlocked(connection: Connection, *key: Any, lock: bool = False) -> NamespaceRow | None:
            return real_get(connection, *key)

        held, go_on = threading.Event(), threading.Event()

        def outside(connection: Connection, namespace: NamespaceRow, by: int, **more: int) -> int:
            with other.begin() as aside:
                head = real_advance(aside, namespace, by, **more)
            if threading.current_thread().name == "late":
                held.set()
                assert go_on.wait(30)
            return head

        monkeypatch.setattr(namespaces, "get", unlocked)
        monkeypatch.setattr(namespaces, "advance", outside)
        late = threading.Thread(target=lambda: at_once([lambda: _as("late", service, "the late one")]), daemon=True)
        late.start()
        assert held.wait(30)
        service.add("the quick one")
        go_on.set()
        late.join(30)
        other.dispose()
        assert service.differences() > 0
        assert len(service.found("one", top_k=50)) < 3


def _as(name: str, service: Service, content: str) -> None:
    threading.current_thread().name = name
    service.add(content)


def test_sabotage_the_bank_is_not_told(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def only_count(self: Keeper, connection: Connection, key: Any, held: Any, *more: Any) -> Any:
        held.applied_seq = self._namespace(connection, key).head_seq
        return held

    with service_on(database_url, tmp_path) as service:
        service.add("before")
        monkeypatch.setattr(Keeper, "_apply", only_count)
        memory = service.add("after")
        assert memory not in service.found("after")
        assert service.differences() == 1


def test_sabotage_the_key_is_not_kept(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(self: Once, tenant_id: Any, claim: Any, unit: Any, **given: bool) -> Any:
        return self._database.write(SERVICE, unit, **given), False

    with service_on(sqlite_url, tmp_path) as service:
        monkeypatch.setattr(Once, "write", forgetful)
        at_once([lambda: service.remember(["only once"], claim=claim_of("key"))] * 4)
        with service.look() as connection:
            assert connection.execute(select(func.count()).select_from(MEMORY)).scalar_one() == 4


def test_sabotage_upsert_without_the_lock(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_get = namespaces.get
    monkeypatch.setattr(namespaces, "get", lambda connection, *key, lock=False: real_get(connection, *key))
    with service_on(postgres_url, tmp_path) as service:
        service.add("the namespace is there")
        found: list[Any] = []
        with _slow_reads(monkeypatch):
            for n in range(5):
                draft = [Draft("the same", external_id=f"doc-{n}")]
                found += at_once([lambda d=draft: service.remember(d)] * 8)
        assert any(isinstance(one, IntegrityError) for one in found)


@contextmanager
def _slow_reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Time between looking and writing, so that what can meet does."""
    from memsvc.memories import repository

    real = repository.by_external_ids

    def slow(*args: Any) -> Any:
        result = real(*args)
        time.sleep(0.02)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(repository, "by_external_ids", slow)
        yield
