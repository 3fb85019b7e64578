"""`memsvc erase` and `memsvc erasures`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.client.conftest import Memsvc
from tests.unit.client.recorder import ERASURE_ID, ID, Recorder


def test_the_command_says_what_would_go_asks_and_erases(memsvc: Memsvc, service: Recorder) -> None:
    code, out, _ = memsvc("erase", "--user", "bo", "--everywhere", "--dry-run")
    assert code == 0
    assert ID in out
    assert service.last.body == {"user_id": "bo", "dry_run": True}
    code, _, err = memsvc("erase", "--user", "bo")
    assert (code, "nothing was erased" in err) == (1, True)
    assert service.last.body["dry_run"]
    code, out, _ = memsvc("--json", "erase", "--id", ID, "--id", ID, "--yes")
    assert (code, json.loads(out)["state"]) == (0, "erased")
    assert service.seen[-2].body == {"memory_ids": [ID, ID]}


def test_erasures_are_listed_shown_and_verified(memsvc: Memsvc, service: Recorder, tmp_path: Path) -> None:
    assert ERASURE_ID in memsvc("erasures", "list")[1]
    code, out, _ = memsvc("--json", "erasures", "show", ERASURE_ID)
    assert code == 0
    file = tmp_path / "receipt.json"
    file.write_text(out)
    assert memsvc("erasures", "verify", str(file))[0] == 0
    assert service.last.body == {"receipt": {"signature": "s"}}


@pytest.mark.parametrize("words", [("--filter", "["), ("--user", "a", "--writer", "b"), (), ("--receipt", "/nowhere")])
def test_what_means_nothing_is_refused_here(memsvc: Memsvc, service: Recorder, words: tuple[str, ...]) -> None:
    assert memsvc("erase", "--yes", *words)[0] == 2
    assert service.seen == []
