"""What is encrypted is read as if it were not, and stands nowhere in the clear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, create_engine, make_url, text

from memsvc.core.errors import Damaged, StartupRefused
from memsvc.filters.grammar import parse
from memsvc.memories.draft import Draft
from tests.fixtures.storage_service import PATH, Service, anywhere, service_on

ROOT, OTHER = "r" * 32, "o" * 32
WORD = "canaryzq7f3a91"


def full(number: int, **more: Any) -> Draft:
    """A memory that says the word in every field that may."""
    fields: dict[str, Any] = {
        "speaker": f"S {WORD}",
        "place": f"{WORD} lane",
        "tags": [f"t-{WORD}", f"n{number}"],
        "metadata": {"k": WORD, "n": number},
        "source": {"from": WORD},
        "session_id": f"s{number}",
        **more,
    }
    return Draft(f"Ada told {WORD} about number {number}", fields, external_id=f"{WORD}-{number}")


def raw(service: Service, statement: str) -> list[Any]:
    with service.look() as connection:
        return list(connection.execute(text(statement)).scalars())


def everything(service: Service) -> bytes:
    """All values of all tables that hold something of memories, end to end, as they are stored."""
    found = []
    for table in ("memory", "memory_version", "analysis", "embedding", "token_embedding"):
        with service.look() as connection:
            for row in connection.execute(text(f"SELECT * FROM {table}")):
                found += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"|".join(found)


def listed(service: Service, condition: dict[str, Any]) -> list[Any]:
    page = service.container.reading.page(
        service.tenant_id, PATH, parse(condition), condition, newest_first=False, limit=50, cursor=None
    )
    return [one.stored for one in page.memories]


def test_it_is_read_as_it_was_written(database_url: str, tmp_path: Path) -> None:
    with service_on(database_url, tmp_path, jobs="off", root_key=ROOT) as service:
        made = service.remember([full(n) for n in range(3)])["items"]
        service.edit(UUID(made[0]["id"]), f"Ada told {WORD} something else", place="home")
        one = service.container.reading.one(service.tenant_id, UUID(made[0]["id"]), anywhere).stored
        assert (one.content, one.row["place"]) == (f"Ada told {WORD} something else", "home")
        assert one.row["metadata"] == {"k": WORD, "n": 0}
        assert (one.row["source"], one.row["external_id"]) == ({"from": WORD}, f"{WORD}-0")
        history = service.container.reading.history(service.tenant_id, UUID(made[0]["id"]), anywhere)
        assert [row.text for row in history] == [f"Ada told {WORD} about number 0", one.content]
        # The same external id is the same memory.
        again = service.remember([full(1, place="elsewhere")])["items"][0]
        assert (again["status"], again["id"]) == (200, made[1]["id"])
        assert service.found(f"what did Ada tell {WORD}") == {UUID(item["id"]) for item in made}
        assert service.differences() == 0
        stored = everything(service)
        assert WORD.encode() not in stored
        assert b"Ada" not in stored
        assert len(raw(service, "SELECT 1 FROM memory_key")) == 3
    with service_on(database_url, tmp_path, jobs="off", root_key=ROOT) as service:
        assert service.found(f"what did Ada tell {WORD}") == {UUID(item["id"]) for item in made}
        assert service.differences() == 0


def test_an_edit_encrypts_what_was_plain_whole(database_url: str, tmp_path: Path) -> None:
    with service_on(database_url, tmp_path, jobs="off") as service:
        made = service.remember([full(n) for n in range(2)])["items"]
        service.edit(UUID(made[0]["id"]), f"{WORD} once more")
    with service_on(database_url, tmp_path, jobs="off", root_key=ROOT) as service:
        assert service.found(f"what did Ada tell {WORD}")  # plain ones are read beside
        assert service.remember([full(0, place="elsewhere")])["items"][0]["id"] == made[0]["id"]
        assert len(raw(service, "SELECT 1 FROM memory_key")) == 1
        assert everything(service).count(f"told {WORD}".encode()) == 1  # the other one's
        history = service.container.reading.history(service.tenant_id, UUID(made[0]["id"]), anywhere)
        assert [row.text.split()[0] for row in history] == ["Ada", WORD, "Ada"]
        assert {one.row["external_id"] for one in listed(service, {})} == {f"{WORD}-0", f"{WORD}-1"}
        assert service.differences() == 0


def test_without_the_key_nothing_starts(database_url: str, tmp_path: Path) -> None:
    with service_on(database_url, tmp_path, jobs="off", root_key=ROOT) as service:
        service.remember([full(0)])
    with pytest.raises(StartupRefused, match="MEMSVC_ROOT_KEY is not given"), service_on(database_url, tmp_path):
        pass
    with pytest.raises(StartupRefused, match="MEMSVC_ROOT_KEY is not the one"):
        with service_on(database_url, tmp_path, root_key=OTHER):
            pass


def _swap(connection: Connection) -> None:
    """Puts the text of one memory in the place of the other's."""
    rows = connection.execute(text("SELECT memory_id, content FROM memory_version ORDER BY memory_id")).all()
    connection.execute(
        text("UPDATE memory_version SET content = :content WHERE memory_id = :id"),
        {"content": rows[0].content, "id": rows[1].memory_id},
    )


def _swap_keys(connection: Connection) -> None:
    """The same with its key beside it."""
    _swap(connection)
    rows = connection.execute(text("SELECT memory_id, wrapped FROM memory_key ORDER BY memory_id")).all()
    connection.execute(
        text("UPDATE memory_key SET wrapped = :wrapped WHERE memory_id = :id"),
        {"wrapped": rows[0].wrapped, "id": rows[1].memory_id},
    )


def _lose_key(connection: Connection) -> None:
    connection.execute(
        text("DELETE FROM memory_key WHERE memory_id = (SELECT max(CAST(memory_id AS text)) FROM memory_key)")
        if connection.dialect.name == "sqlite"
        else text("DELETE FROM memory_key WHERE memory_id::text = (SELECT max(memory_id::text) FROM memory_key)")
    )


@pytest.mark.parametrize("damage", [_swap, _swap_keys, _lose_key])
def test_what_does_not_open_is_refused_and_the_rest_is_served(
    database_url: str, tmp_path: Path, damage: Callable[[Connection], None]
) -> None:
    with service_on(database_url, tmp_path, jobs="off", root_key=ROOT) as service:
        first, second = (UUID(item["id"]) for item in service.remember([full(0), full(1)])["items"])
        service.meddle(damage)
    with service_on(database_url, tmp_path, jobs="off", root_key=ROOT) as service:
        assert service.found(WORD) == {first}
        with pytest.raises(Damaged, match=str(second)):
            service.container.reading.one(service.tenant_id, second, anywhere)
        assert service.container.reading.one(service.tenant_id, first, anywhere).stored.content
