"""When an erasure says that its bytes have left the database's files, they have."""

from __future__ import annotations

import random
import re
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import JSON, Connection, LargeBinary, Text, create_engine, make_url, select, text

from memsvc.db import vacuum
from memsvc.db.engine import Database
from memsvc.db.limits import Limits
from memsvc.db.tenancy import SERVICE
from memsvc.erasures.service import Seen, Wanted
from memsvc.memories.draft import Draft
from memsvc.memories.residue import TOUCHED
from memsvc.models.tables import EMBEDDING
from tests.fixtures.storage_service import Service, anywhere, looker, service_on, table_files

CANARY = "canaryzq7f3a91"


def lived(service: Service) -> list[bytes]:
    """Memories of the canary among others, edited and answered; returns their vectors."""
    ids = []
    for n in range(40):
        fields = {"user_id": CANARY, "place": f"{CANARY} lane", "session_id": "s"} if n % 2 else {"session_id": "s"}
        said = f"{CANARY} said {n} " + "more " * 20 if n % 2 else f"nobody said {n} " + "filler " * 20
        ids.append(UUID(service.remember([Draft(said, fields)])["items"][0]["id"]))
    for one in ids[1::4]:
        service.edit(one, f"{CANARY} said something else")
    with service.look() as connection:
        rows = connection.execute(select(EMBEDDING.c.memory_id, EMBEDDING.c.vector)).all()
    return [bytes(row.vector) for row in rows if row.memory_id in ids[1::2]]


def erased(service: Service) -> Seen:
    wanted = Wanted(None, {"user_id": CANARY})
    seen = service.container.erasures.ask(service.author, wanted, anywhere, None, within_s=None)
    assert seen.erasure.counts["memory"] == 20
    return seen


def left(folder: Path, vectors: list[bytes]) -> tuple[int, int]:
    """How often the canary stands in the files, and how many of the vectors do."""
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return (
        sum(data.count(CANARY.encode()) for data in files),
        sum(any(vector in data for data in files) for vector in vectors),
    )


def test_on_sqlite_they_are_gone_when_the_call_returns(sqlite_url: str, tmp_path: Path) -> None:
    with service_on(sqlite_url, tmp_path, jobs="off") as service:
        vectors = lived(service)
        assert min(left(tmp_path, vectors)) >= 20
        seen = erased(service)
        assert left(tmp_path, vectors) == (0, 0)
        assert (seen.erasure.overwriting, seen.erasure.overwritten_at is not None) == ("vacuum", True)


def test_on_sqlite_nothing_is_left_in_unused_parts_of_pages(sqlite_url: str, tmp_path: Path) -> None:
    """SQLite moves rows between pages when it makes and deletes others, and leaves copies in what it does not use."""
    database = Database(sqlite_url, limits=Limits(pool=1))
    rng = random.Random(5)
    words = [f"canary{rng.getrandbits(48):012x}" for _ in range(1_500)]
    rows = [{"id": rng.randbytes(16), "body": f"{word} " * rng.randint(5, 25)} for word in words]
    gone = rng.sample(rows, 1_000)
    try:
        database.write(
            SERVICE, lambda c: c.exec_driver_sql("CREATE TABLE told (id BLOB PRIMARY KEY, body TEXT)") and None
        )
        for start in range(0, len(rows), 50):
            database.write(
                SERVICE, partial(_executed, "INSERT INTO told VALUES (:id, :body)", rows[start : start + 50])
            )
        for start in range(0, len(gone), 50):
            database.write(SERVICE, partial(_executed, "DELETE FROM told WHERE id = :id", gone[start : start + 50]))
        assert database.overwrite(["told"], full=True) == "vacuum"
        data = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    finally:
        database.close()
    left = {word.decode() for word in re.findall(rb"canary[0-9a-f]{12}", data)}
    assert left == {str(row["body"]).split()[0] for row in rows if row not in gone}


def _executed(statement: str, rows: list[dict[str, object]], connection: Connection) -> None:
    connection.execute(text(statement), rows)


def test_a_large_sqlite_file_is_written_anew_a_tenth_of_the_time_at_most(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service_on(sqlite_url, tmp_path, jobs="off") as service:
        lived(service)
        clock = iter([0.0, 3.0, 3.0, 29.0, 30.1, 33.0, 33.0])
        monkeypatch.setattr("memsvc.erasures.runner.monotonic", lambda: next(clock))
        runner = service.container.erasing
        assert runner._overwritten() == "vacuum"  # from 0 to 3: not again before 30
        assert runner._overwritten() is None
        assert runner._overwritten() == "vacuum"


def test_on_postgresql_tables_written_anew_hold_nothing(postgres_url: str, tmp_path: Path) -> None:
    with service_on(postgres_url, tmp_path, jobs="off", vacuum="full") as service:
        vectors = lived(service)
        _analyse(postgres_url)
        folder = table_files(postgres_url)
        assert min(left(folder, vectors)) >= 20
        seen = erased(service)
        assert seen.erasure.overwritten_at is None
        assert service.container.erasing.overwrite() == 1
        table_files(postgres_url)
        assert left(folder, vectors) == (0, 0)
        again = service.container.erasures.one(service.tenant_id, seen.erasure.id, anywhere)
        assert again.erasure.overwriting == "vacuum full"


def test_on_postgresql_nothing_is_promised_while_somebody_may_still_see_the_rows(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vacuum, "_WAIT_S", 0.2)
    with service_on(postgres_url, tmp_path, jobs="off") as service:
        lived(service)
        engine = looker(postgres_url)
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as other:
            other.execute(text("SELECT count(*) FROM memory"))
            seen = erased(service)
            assert service.container.erasing.overwrite() == 0
        engine.dispose()
        assert service.container.erasing.overwrite() == 1
        assert service.container.erasing.overwrite() == 0
        again = service.container.erasures.one(service.tenant_id, seen.erasure.id, anywhere)
        assert again.erasure.overwriting == "vacuum"
        with service.look() as connection:
            dead = connection.execute(text("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'memory'"))
            assert dead.scalar_one() == 0


def test_postgresql_keeps_samples_of_nothing_that_was_said_or_computed_from_it(
    postgres_url: str, tmp_path: Path
) -> None:
    with service_on(postgres_url, tmp_path, jobs="off") as service:
        lived(service)
        _analyse(postgres_url)
        with service.look() as connection:
            rows = connection.execute(text("SELECT tablename, attname FROM pg_stats WHERE schemaname = 'public'"))
            sampled = {(row.tablename, row.attname) for row in rows}
    of_content = {
        (table.name, column.name)
        for table in TOUCHED
        for column in table.columns
        if not column.primary_key and isinstance(getattr(column.type, "impl", column.type), LargeBinary | Text | JSON)
    }
    assert sampled  # something was analysed
    assert sampled & of_content == set()


def _analyse(url: str) -> None:
    """Has the database sample its tables, as it does by itself after a while: that must keep nothing of them."""
    engine = create_engine(make_url(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()
