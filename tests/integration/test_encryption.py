"""What is encrypted is read as if it were not, and stands nowhere in the clear."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from memsvc.commands.doctor import examine
from memsvc.commands.store import encrypt, rotate_root
from memsvc.core.errors import Damaged, StartupRefused, Unavailable
from memsvc.core.settings import Settings
from memsvc.erasures import selection
from memsvc.erasures.service import Wanted
from memsvc.filters.grammar import parse
from memsvc.memories import held, merged, repository
from memsvc.memories.draft import Draft
from memsvc.memories.ledger import Ledger
from memsvc.namespaces import repository as namespaces
from memsvc.recall.service import Question
from retrieval.types import Profile
from tests.fixtures.operator import as_app
from tests.fixtures.service import serving
from tests.fixtures.storage_service import PATH, Service, anywhere, service_on, table_files

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
            for row in connection.execute(text(f"SELECT * FROM {table}")):  # noqa: S608
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
    with (
        pytest.raises(StartupRefused, match="MEMSVC_ROOT_KEY is not the one"),
        service_on(database_url, tmp_path, root_key=OTHER),
    ):
        pass


def test_a_server_that_was_there_before_the_key_shows_no_noise(postgres_url: str, tmp_path: Path) -> None:
    with service_on(postgres_url, tmp_path, jobs="off") as without:
        with service_on(postgres_url, tmp_path, jobs="off", root_key=ROOT) as service:
            made = UUID(service.remember([full(0)])["items"][0]["id"])
        with pytest.raises(Unavailable, match="MEMSVC_ROOT_KEY"):
            without.container.reading.one(without.tenant_id, made, anywhere)


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
        service.container.erasures.ask(
            service.author, Wanted(None, {"memory_ids": [str(second)]}), anywhere, None, within_s=30.0
        )
        assert [one.id for one in listed(service, {})] == [first]


def test_where_nearly_nothing_opens_nothing_starts(tmp_path: Path) -> None:
    with serving(tmp_path, root_key=ROOT) as service:
        caller = service.tenant()
        memories = [{"content": f"{WORD} {number}"} for number in range(30)]
        caller.ask("POST", "/v1/memories:batch", json={"namespace": caller.namespace, "memories": memories})
        one = "(SELECT content FROM memory_version ORDER BY memory_id LIMIT 1)"
        service.meddle(lambda c: c.execute(text(f"UPDATE memory_version SET content = {one}")).rowcount)  # noqa: S608
    with pytest.raises(StartupRefused, match="backup"), serving(tmp_path, root_key=ROOT):
        pass


@pytest.mark.parametrize("damage", [_swap_keys, _lose_key])
def test_doctor_says_which_keys_do_not_open(
    database_url: str, tmp_path: Path, damage: Callable[[Connection], None]
) -> None:
    given = {"data_dir": tmp_path, "database_url": as_app(database_url), "embedder": "hashing:64"}
    with service_on(database_url, tmp_path, jobs="off", root_key=ROOT) as service:
        service.remember([full(0), full(1)])
        assert told(Settings(**given, root_key=ROOT)) == ("ok", "on; the key of every encrypted memory opens")
        service.meddle(damage)
        assert "1 memories have no key" in told(Settings(**given, root_key=ROOT))[1]
        assert told(Settings(**given, root_key=OTHER))[0] == told(Settings(**given))[0] == "fail"


def told(settings: Settings) -> tuple[str, str]:
    (one,) = (finding for finding in examine(settings) if finding.check == "encryption")
    return one.level, one.message


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({"metadata.n": 1}, [1]),
    ({"metadata.n": {"gte": 1}}, [1, 2]),
    ({"metadata.k": {"ne": WORD}}, []),
    ({"tags": "n2"}, [2]),
    ({"place": {"contains": "lane"}}, [0, 1, 2]),
    ({"not": {"tags": "n2"}}, [0, 1]),
    ({"or": [{"tags": "n2"}, {"session_id": "s0"}]}, [0, 2]),
    ({"external_id": f"{WORD}-1"}, [1]),
    ({"external_id": {"contains": "-1"}}, [1]),
    ({"external_id": {"nin": [f"{WORD}-1"]}}, [0, 2]),
    ({"source.from": {"exists": False}}, []),
    ({"session_id": "s1", "metadata.n": {"lt": 5}}, [1]),
]


def test_filters_answer_as_if_nothing_were_encrypted(database_url: str, tmp_path: Path) -> None:
    with service_on(database_url, tmp_path, jobs="off") as service:
        before = [UUID(service.remember([full(0)])["items"][0]["id"])]
    with service_on(database_url, tmp_path, jobs="off", root_key=ROOT) as service:  # one plain, two encrypted
        made = [*before, *(UUID(service.remember([full(n)])["items"][0]["id"]) for n in (1, 2))]
        moment = service.container.clock.now()
        for condition, wanted in FILTERS:
            ids = [made[n] for n in wanted]
            assert [one.id for one in listed(service, condition)] == ids, condition
            assert recalled(service, condition, None) == set(ids), condition
            assert recalled(service, condition, moment) == set(ids), condition
            with service.container.database.read(service.tenant_id) as connection:
                namespace = namespaces.find(connection, service.tenant_id, PATH)
                assert namespace is not None
                assert selection.page(connection, namespace, {"filter": condition}, None, 2) == ids[:2], condition


def recalled(service: Service, condition: dict[str, Any], as_of: datetime | None) -> set[UUID]:
    question = Question(
        PATH, WORD, 10, frozenset(), parse(condition), condition, as_of, None, None, Profile.BALANCED, None, None
    )
    return {one.hit.memory_id for one in service.container.recall(service.tenant_id, question).found}


def test_what_was_there_is_encrypted_and_the_root_key_replaced(database_url: str, tmp_path: Path) -> None:
    with service_on(database_url, tmp_path, jobs="off") as service:
        made = [UUID(item["id"]) for item in service.remember([full(n) for n in range(3)])["items"]]
        service.edit(made[0], f"{WORD} again")
        service.forget(made[1])
    given = {"data_dir": tmp_path, "database_url": as_app(database_url)}
    assert encrypt(Settings(**given, root_key=ROOT), lambda text: None) == (3, True)
    assert encrypt(Settings(**given, root_key=ROOT), lambda text: None)[0] == 0
    with service_on(database_url, tmp_path, jobs="off", root_key=ROOT) as service:
        assert WORD.encode() not in everything(service)
        service.restore(made[1])
    assert rotate_root(Settings(**given, root_key=OTHER, root_key_former=ROOT)) == 1
    assert rotate_root(Settings(**given, root_key=OTHER, root_key_former=ROOT)) == 0
    with service_on(database_url, tmp_path, jobs="off", root_key=OTHER) as service:
        assert service.found(WORD) == set(made)
        assert service.differences() == 0


def test_a_merge_and_its_undoing_are_encrypted(sqlite_url: str, tmp_path: Path) -> None:
    with service_on(sqlite_url, tmp_path, jobs="off", root_key=ROOT) as service:
        ids = [service.add(f"Ada told {WORD} twice", tags=[f"t-{WORD}"], session_id=f"s{n}") for n in range(2)]

        def unit(connection: Connection) -> int:
            namespace = namespaces.find(connection, service.tenant_id, PATH)
            assert namespace is not None
            ledger = Ledger(connection, namespace, service.container.clock.now(), "test")
            there = repository.by_ids(connection, *namespace.key, ids)
            merged.merge(ledger, there[ids[0]], [there[ids[1]]])
            return ledger.flush()

        service.container.database.write(service.tenant_id, unit)
        assert service.found(WORD) == {ids[0]}
        assert raw(service, "SELECT count(*) FROM embedding WHERE view = -1") == [1]
        assert raw(service, "SELECT count(*) FROM memory WHERE before_merge IS NOT NULL") == [1]
        assert WORD.encode() not in everything(service)
        service.container.changer.unmerge(service.author, ids[0], anywhere, None, None)
        assert service.found(WORD) == set(ids)
        assert service.differences() == 0


def test_sizes_are_those_of_what_is_opened(database_url: str, tmp_path: Path) -> None:
    with service_on(database_url, tmp_path, jobs="off") as service:
        ids = [UUID(item["id"]) for item in service.remember([full(n) for n in range(3)])["items"]]
        before = sizes_of(service, ids)
    given = Settings(data_dir=tmp_path, database_url=as_app(database_url), root_key=ROOT)
    assert encrypt(given, lambda text: None) == (3, True)
    with service_on(database_url, tmp_path, jobs="off", root_key=ROOT) as service:
        assert sizes_of(service, ids) == before


def sizes_of(service: Service, ids: list[UUID]) -> list[int]:
    with service.container.database.read(service.tenant_id) as connection:
        namespace = namespaces.find(connection, service.tenant_id, PATH)
        assert namespace is not None
        places = {one: place for place, one in enumerate(ids)}
        found: list[int] = held.sizes(connection, namespace, places, service.container.clock.now()).tolist()
    return found


def test_an_erasure_on_postgresql_leaves_noise_and_no_key(postgres_url: str, tmp_path: Path) -> None:
    with service_on(postgres_url, tmp_path, jobs="off", root_key=ROOT) as service:
        gone, kept = (UUID(item["id"]) for item in service.remember([full(0), full(1)])["items"])
        with service.look() as connection:
            wrapped = connection.execute(text("SELECT wrapped FROM memory_key WHERE memory_id = :id"), {"id": gone})
            key = wrapped.scalar_one().encode()
        assert key in files_of(postgres_url)
        service.erase(gone)
        assert service.container.erasing.overwrite() == 1
        left = files_of(postgres_url)
        assert key not in left
        assert WORD.encode() not in left
        assert service.found(WORD) == {kept}


def files_of(url: str) -> bytes:
    """All bytes of the files of a database's tables."""
    return b"".join(path.read_bytes() for path in table_files(url).iterdir() if path.is_file())
