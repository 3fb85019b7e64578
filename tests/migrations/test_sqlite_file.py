"""A file that cannot be read is refused by name and left as it was; the service never starts empty in its place."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from memsvc.core.errors import StartupRefused
from memsvc.db import migrate
from memsvc.db.migrate import SchemaState


@pytest.fixture
def path(sqlite_url: str) -> Path:
    """A migrated database with some pages of data."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(
            "INSERT INTO tenant (id, name, created_at) VALUES (?, ?, 0)",
            [(f"{i:032x}", f"tenant {i} " + "x" * 150) for i in range(500)],
        )
        connection.commit()
    return path


def refusal(path: Path) -> str:
    """What both entry points say about the file; fails if either lets it through or changes a byte in the folder."""
    before = {file.name: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}
    said = set()
    for attempt in (migrate.check, migrate.upgrade):
        engine = create_engine(f"sqlite:///{path}")
        with pytest.raises(StartupRefused) as refused:
            attempt(engine)
        engine.dispose()
        said.add(str(refused.value))
    assert {file.name: file.read_bytes() for file in path.parent.iterdir() if file.is_file()} == before
    assert len(said) == 1
    return said.pop()


def garbage(path: Path) -> None:
    path.write_bytes(b"These are not the bytes you are looking for." * 200)


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def nothing_beside_a_log(path: Path) -> None:
    path.write_bytes(b"")
    path.with_name(path.name + "-wal").write_bytes(b"\0" * 4096)


def missing_beside_a_log(path: Path) -> None:
    path.unlink()
    path.with_name(path.name + "-wal").write_bytes(b"\0" * 4096)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeroed_pages(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[4096 : 4096 * 4] = bytes(4096 * 3)
    path.write_bytes(whole)


def flipped_schema(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[100] ^= 0xFF  # type of the root page of the schema
    path.write_bytes(whole)


@pytest.mark.parametrize(
    "damage",
    [garbage, nothing, nothing_beside_a_log, missing_beside_a_log, cut_short, zeroed_pages, flipped_schema],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_file_is_refused_by_name_and_left_alone(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path)
    assert str(path) in refusal(path)


def test_a_foreign_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "firefox.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE moz_places (id INTEGER)")
        connection.commit()
    assert "something else" in refusal(path)


def test_a_sound_file_passes_and_looking_leaves_nothing_beside_it(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    assert migrate.check(engine) is SchemaState.AT_HEAD
    engine.dispose()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_commits_that_only_the_log_has_are_seen(path: Path) -> None:
    """After a crash the log holds the newest commits; the check reads them and does not throw them away."""
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("INSERT INTO tenant (id, name, created_at) VALUES ('ff', 'late', 0)")
        writer.commit()
        copy = path.with_name("crashed.db")
        for suffix in ("", "-wal"):
            copy.with_name(copy.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
    engine = create_engine(f"sqlite:///{copy}")
    assert migrate.check(engine) is SchemaState.AT_HEAD
    assert migrate.upgrade(engine) == []
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM tenant WHERE id = 'ff'")).scalar_one() == "late"
    engine.dispose()


def test_a_first_start_is_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / "memsvc.db"
    engine = create_engine(f"sqlite:///{path}")
    assert migrate.check(engine) is SchemaState.EMPTY
    assert not path.exists(), "looking creates nothing"
    with pytest.raises(StartupRefused, match="folder"):
        migrate.upgrade(engine)
    path.parent.mkdir()
    assert migrate.upgrade(engine) != []
    engine.dispose()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o077 == 0, "memories are nobody else's to read"
