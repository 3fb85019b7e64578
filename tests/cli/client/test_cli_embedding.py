"""`memsvc embedding`."""

from __future__ import annotations

import json

import pytest

from tests.cli.client.conftest import Memsvc
from tests.unit.client.recorder import Recorder


def test_it_shows_how_far_a_move_is(memsvc: Memsvc, service: Recorder) -> None:
    code, out, _ = memsvc("embedding", "show")
    assert code == 0
    assert all(said in out for said in ("old (64 numbers)", "new (48 numbers)", "growing", "3 of 4 texts"))
    code, out, _ = memsvc("--json", "embedding", "start", "--model", "new", "--hold")
    assert json.loads(out)["beside"]["state"] == "growing"
    body = service.last.body
    assert body is not None
    assert (body["action"], body["model"], body["switch_when_complete"]) == ("start", "new", False)


@pytest.mark.parametrize("action", ["switch", "back", "drop"])
def test_the_other_actions_are_asked_for(memsvc: Memsvc, service: Recorder, action: str) -> None:
    assert memsvc("embedding", action)[0] == 0
    assert service.last.body is not None
    assert service.last.body["action"] == action
