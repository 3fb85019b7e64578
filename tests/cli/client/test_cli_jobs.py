"""`memsvc jobs`: policies, runs, reports, undo."""

from __future__ import annotations

import json

import pytest

from tests.cli.client.conftest import Memsvc
from tests.unit.client.recorder import RUN_ID, Recorder


def test_the_command_shows_sets_runs_and_undoes(memsvc: Memsvc, service: Recorder) -> None:
    code, out, _ = memsvc("jobs", "policy", "--set", "{}", "--schedule", "fade=0 3 * * *")
    assert (code, service.last.body["schedules"]) == (0, {"fade": "0 3 * * *"})
    assert "warm 0.6, archived never" in out
    assert "floor 0.9" in out
    assert "quota_memories" in out  # what is not set is shown, too
    assert memsvc("jobs", "policy", "--schedule", "fade=0 4 * * *", "--schedule", "conflict=")[0] == 0
    assert service.last.body == {"namespace": "user/ada", "schedules": {"fade": "0 4 * * *", "conflict": None}}
    code, out, err = memsvc("jobs", "run", "fade", "--dry-run")
    assert code == 0
    assert "fade 2" in out
    assert "nothing was changed" in err
    for words in (("list",), ("show", RUN_ID), ("effects", RUN_ID), ("undo", RUN_ID), ("cancel", RUN_ID), ("policy",)):
        code, out, _ = memsvc("--json", "jobs", *words)
        assert code == 0
        assert json.loads(out)


def test_what_is_due_is_listed(memsvc: Memsvc, service: Recorder) -> None:
    code, out, _ = memsvc("memories", "due", "--horizon-s", "60")
    assert (code, service.last.path) == (0, "/v1/memories:due")
    assert "rehearsals" in out


@pytest.mark.parametrize(
    "words", [("--set", "{"), ("--set", "[]"), ("--set", "{}", "--schedule", "daily"), ("--schedule", "fade")]
)
def test_what_is_no_policy_is_refused_here(memsvc: Memsvc, service: Recorder, words: tuple[str, ...]) -> None:
    assert memsvc("jobs", "policy", *words)[0] == 2
    assert service.seen == []
