"""What was compiled for one engine serves every other that would compile the same, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, literal, select

from memsvc.db.compiled import CompiledStatements
from memsvc.models.sealed import give_keyring
from memsvc.sealing.keyring import Keyring


@pytest.fixture
def kept() -> CompiledStatements:
    return CompiledStatements(10)


def engine(path: Path, kept: CompiledStatements, keyring: Keyring | None = None) -> Engine:
    made = create_engine(f"sqlite:///{path}", execution_options={"compiled_cache": kept})
    if keyring is not None:
        give_keyring(made, keyring)
    return made


def run(on: Engine) -> None:
    with on.connect() as connection:
        assert connection.execute(select(literal(1), literal("a"))).one() == (1, "a")
    on.dispose()


def test_engines_of_one_kind_share(tmp_path: Path, kept: CompiledStatements) -> None:
    for name in ("a", "b", "a"):
        run(engine(tmp_path / name, kept))
    assert len(kept) == 1


def test_what_is_sealed_with_other_keys_is_compiled_anew(tmp_path: Path, kept: CompiledStatements) -> None:
    keyrings = [Keyring(bytes([number]) * 32) for number in range(2)]
    for keyring in (None, keyrings[0], keyrings[1], keyrings[0]):
        run(engine(tmp_path / "a", kept, keyring))
    assert len(kept) == 3
