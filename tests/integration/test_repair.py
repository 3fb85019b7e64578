"""What `memsvc doctor --repair` finds and mends: each damage is planted, seen, mended, and gone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, insert, select, text, update
from typer.testing import CliRunner

from memsvc.commands.root import app
from memsvc.core.errors import EmbedderUnavailable
from memsvc.core.ids import new_id
from memsvc.memories.prepare import Preparer
from memsvc.models import ChangeOp
from memsvc.models.tables import ANALYSIS, CHANGE, EMBEDDING, ERASURE, LEASE, MEMORY, NAMESPACE, VERSION
from memsvc.repair import change_log, texts
from memsvc.repair.repairs import Workshop
from memsvc.repair.service import Repairs
from tests.fixtures.service import DIM, Caller, Service, serving


@pytest.fixture
def service(tmp_path: Path, database_url: str) -> Iterator[Service]:
    with serving(tmp_path, database_url, jobs="off") as made:
        yield made


def _repairs(service: Service) -> Repairs:
    made = service.container
    return Repairs(Workshop(made.database, made.clock, made.secrets, made.keeper, lambda: made.preparer))


Plant = Callable[[Connection, UUID, UUID, UUID], None]
"""With a tenant, a namespace and a memory."""


def _own(table: Any, tenant: UUID, namespace: UUID) -> Any:
    return (table.c.tenant_id == tenant) & (table.c.namespace_id == namespace)


def _head_behind(connection: Connection, tenant: UUID, namespace: UUID, memory: UUID) -> None:
    connection.execute(update(NAMESPACE).where(NAMESPACE.c.id == namespace).values(head_seq=NAMESPACE.c.head_seq - 1))


def _gap(connection: Connection, tenant: UUID, namespace: UUID, memory: UUID) -> None:
    connection.execute(CHANGE.delete().where(_own(CHANGE, tenant, namespace), CHANGE.c.seq == 1))


def _gaps(connection: Connection, tenant: UUID, namespace: UUID, memory: UUID) -> None:
    """In the middle and at the end."""
    (head,) = connection.execute(select(NAMESPACE.c.head_seq).where(NAMESPACE.c.id == namespace)).scalars()
    connection.execute(CHANGE.delete().where(_own(CHANGE, tenant, namespace), CHANGE.c.seq.in_((2, 3, head))))


def _untold(connection: Connection, tenant: UUID, namespace: UUID, memory: UUID) -> None:
    lost = {"op": int(ChangeOp.VOID), "memory_id": None, "version": None}
    connection.execute(update(CHANGE).where(CHANGE.c.memory_id == memory).values(lost))


def _no_vectors(connection: Connection, tenant: UUID, namespace: UUID, memory: UUID) -> None:
    home = select(MEMORY.c.namespace_id).where(MEMORY.c.id == memory).scalar_subquery()
    beside = select(MEMORY.c.id).where(MEMORY.c.namespace_id == home)
    connection.execute(EMBEDDING.delete().where(EMBEDDING.c.memory_id.in_(beside)))


def _no_analysis(connection: Connection, tenant: UUID, namespace: UUID, memory: UUID) -> None:
    connection.execute(ANALYSIS.delete().where(ANALYSIS.c.memory_id == memory))


def _counters(connection: Connection, tenant: UUID, namespace: UUID, memory: UUID) -> None:
    connection.execute(update(NAMESPACE).where(NAMESPACE.c.id == namespace).values(n_memories=77, n_bytes=-5))


def _lease(connection: Connection, tenant: UUID, namespace: UUID, memory: UUID) -> None:
    moment = connection.execute(select(MEMORY.c.recorded_at).where(MEMORY.c.id == memory)).scalar_one()
    held = {"holder": "gone", "fence": 3, "until": moment + timedelta(days=3)}
    connection.execute(insert(LEASE).values(tenant_id=tenant, namespace_id=namespace, **held))


def _erasure(connection: Connection, tenant: UUID, namespace: UUID, memory: UUID) -> None:
    moment = connection.execute(select(MEMORY.c.recorded_at).where(MEMORY.c.id == memory)).scalar_one()
    row = {
        "tenant_id": tenant, "id": new_id(), "namespaces": [str(namespace)], "asked_by": "x", "asked_at": moment,
        "selection": {"memory_ids": [str(memory)]}, "started_at": moment, "fence": 1, "counts": {},
        "held_until": moment + timedelta(days=3),
    }  # fmt: skip
    connection.execute(insert(ERASURE).values(row))


PLANTS: dict[str, tuple[str, Plant]] = {
    "head": ("change_log_head", _head_behind),
    "gap": ("change_log_gaps", _gap),
    "gaps": ("change_log_gaps", _gaps),
    "untold": ("change_log_memories", _untold),
    "vectors": ("texts", _no_vectors),
    "analysis": ("texts", _no_analysis),
    "counters": ("counters", _counters),
    "lease": ("leases", _lease),
    "erasure": ("erasures", _erasure),
}


def test_each_damage_is_found_and_mended(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (texts, change_log):
        monkeypatch.setattr(module, "_CHUNK", 1)
    ada = service.tenant()
    homes = {name: Caller(service, ada.secret, f"home/{name}") for name in ("sound", *PLANTS)}
    written = {name: UUID(home.remember(f"The tea of {name} is green.")["id"]) for name, home in homes.items()}
    for home in homes.values():
        home.remember("The bicycle stands in the yard.")
    for hour in (8, 9, 10):
        homes["gaps"].remember(f"The bus of {hour} o'clock.")
    repairs = _repairs(service)
    assert list(repairs.found()) == []
    assert list(repairs.unloadable()) == []
    where: dict[UUID, str] = {}
    for name, (_, plant) in PLANTS.items():
        with service.look() as connection:
            asked = select(MEMORY.c.tenant_id, MEMORY.c.namespace_id).where(MEMORY.c.id == written[name])
            tenant, namespace = connection.execute(asked).one()
        where[namespace] = name
        service.meddle(lambda c, at=(tenant, namespace, written[name]), plant=plant: plant(c, *at))
    found = list(repairs.found())
    at = {(where[one.where.id] if not isinstance(one.where, UUID) else "erasure", one.repair.name) for one in found}
    lost_with_it = {(name, "change_log_memories") for name in ("gap", "gaps")}
    assert at == {*((name, check) for name, (check, _) in PLANTS.items()), *lost_with_it}
    assert [str(one.n) in one.found for one in found] == [True] * len(found)
    assert [one.found for one in repairs.found()] == [one.found for one in found]  # looking changes nothing
    for damage in repairs.found():
        assert repairs.mend(damage) == damage.n, damage.found
    assert list(repairs.found()) == []
    assert list(repairs.unloadable()) == []
    for name, home in homes.items():
        assert (f"The tea of {name} is green." in home.found(f"tea of {name}")) is (name != "erasure"), name
    assert homes["counters"].stats()["memories"] == 2


def test_a_text_that_is_analysed_anew_keeps_the_vector_that_came_with_it(service: Service) -> None:
    ada = service.tenant()
    memory = UUID(ada.remember("The tea of Oslo.", embedding=[1.0] + [0.0] * (DIM - 1))["id"])

    def vectors() -> list[bytes]:
        with service.look() as connection:
            return list(connection.execute(select(EMBEDDING.c.vector)).scalars())

    before = vectors()
    service.meddle(lambda connection: _no_analysis(connection, uuid4(), uuid4(), memory))
    repairs = _repairs(service)
    (damage,) = repairs.found()
    assert repairs.mend(damage) == 1
    assert vectors() == before
    assert list(repairs.found()) == []
    assert list(repairs.unloadable()) == []


def test_rows_of_nothing_are_deleted(tmp_path: Path) -> None:
    """On SQLite alone: PostgreSQL has no way to such rows."""
    with serving(tmp_path) as service:
        ada = service.tenant()
        kept, lost = (UUID(ada.remember(f"The tea of {name}.")["id"]) for name in ("Oslo", "Bergen"))
        driver = service.container.database.engine.raw_connection()
        driver.execute("PRAGMA foreign_keys = OFF")
        driver.execute("DELETE FROM memory WHERE id = ?", (lost.hex,))
        driver.commit()
        driver.execute("PRAGMA foreign_keys = ON")
        driver.close()
        repairs = _repairs(service)
        orphans = next(one for one in repairs.found() if one.repair.name == "orphans")
        for damage in repairs.found():
            repairs.mend(damage)
        assert orphans.n >= 1
        assert list(repairs.found()) == []
        with service.look() as connection:
            ids = [set(connection.execute(select(t.c.memory_id)).scalars()) for t in (VERSION, ANALYSIS, EMBEDDING)]
        assert ids == [{kept}] * 3


def test_a_trail_is_reported_and_left(service: Service) -> None:
    service.tenant()

    def forge(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        else:
            for name in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars():
                connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text("UPDATE audit SET actor = 'somebody else'"))

    service.meddle(forge)
    repairs = _repairs(service)
    (damage,) = repairs.found()
    assert (damage.repair.name, damage.can_be_mended) == ("audit", False)
    with pytest.raises(ValueError, match="audit"):
        repairs.mend(damage)


def _doctor(folder: Path, *options: str, answer: str | None = None) -> tuple[int, str]:
    environment = {"MEMSVC_EMBEDDER": f"hashing:{DIM}", "MEMSVC_RERANKER": "none", "MEMSVC_AUTH": "keys"}
    done = CliRunner().invoke(
        app, ["doctor", "--data-dir", str(folder), *options], input=answer, env=environment, catch_exceptions=False
    )
    return done.exit_code, done.output


def test_the_command_asks_first(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        memory = UUID(service.tenant().remember("The tea of Oslo.")["id"])
        service.meddle(lambda connection: _no_vectors(connection, uuid4(), uuid4(), memory))
        service.meddle(lambda connection: connection.execute(update(NAMESPACE).values(n_memories=5)))
    for options, answer in ((("--dry-run",), None), (("--repair",), "n\nn\n")):
        code, said = _doctor(tmp_path, *options, answer=answer)
        assert (code, said.count("left; it would")) == (1, 2), said
    code, said = _doctor(tmp_path, "--repair", answer="y\nn\n")
    assert (code, "mended, 1 of 1: analyse them" in said, said.count("left; it would")) == (1, True, 1), said
    code, said = _doctor(tmp_path, "--repair", "--yes", "--json")
    assert code == 0
    assert [(one["check"], one["left"]) for one in json.loads(said)["repairs"]] == [("counters", 0)]
    assert "nothing in the rows is wrong" in _doctor(tmp_path, "--repair")[1]


def test_what_cannot_be_mended_now_keeps_nothing_from_being_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path) as service:
        memory = UUID(service.tenant().remember("The tea of Oslo.")["id"])
        service.meddle(lambda connection: _no_vectors(connection, uuid4(), uuid4(), memory))
        service.meddle(lambda connection: connection.execute(update(NAMESPACE).values(n_memories=5)))

    def away(*given: Any, **named: Any) -> Any:
        raise EmbedderUnavailable("the model is away")

    with monkeypatch.context() as patched:
        patched.setattr(Preparer, "encode", away)
        code, said = _doctor(tmp_path, "--repair", "--yes", "--json")
    outcomes = {one["check"]: (one["done"], one["left"]) for one in json.loads(said)["repairs"]}
    assert code == 1
    assert outcomes["texts"] == ("left: the model is away", 1)
    assert outcomes["counters"][1] == 0
