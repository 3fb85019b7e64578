"""A namespace as it was at a moment: by new versions, whole, and back again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.service import Caller, Service, assert_problem, serving


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    with serving(tmp_path, database_url, jobs_every_s=0.05) as made:
        yield made


@pytest.fixture
def ada(service: Service) -> Caller:
    return service.tenant()


def ended(caller: Caller, run: dict[str, Any]) -> dict[str, Any]:
    by = time.monotonic() + 60
    while run["state"] in ("queued", "running") and time.monotonic() < by:
        time.sleep(0.02)
        run = caller.ask("GET", f"/v1/job-runs/{run['id']}").json()
    assert run["state"] == "succeeded", run
    return run


def rewind(caller: Caller, to: datetime, **asked: Any) -> dict[str, Any]:
    body = {"namespace": caller.namespace, "kind": "rewind", "as_of": to.isoformat(), **asked}
    answer = caller.ask("POST", "/v1/job-runs", json=body)
    assert answer.status_code == 202, answer.text
    return ended(caller, answer.json())


def undo(caller: Caller, run: dict[str, Any]) -> dict[str, Any]:
    return ended(caller, caller.ask("POST", f"/v1/job-runs/{run['id']}:undo").json())


def shown(caller: Caller, ids: list[str]) -> dict[str, Any]:
    """What callers see of memories, but for what every version has of its own."""
    own = {"version", "updated_at", "retention", "level", "fades_at", "etag"}
    answers = {one: caller.get(one) for one in ids}
    return {
        one: {k: v for k, v in a.json().items() if k not in own} if a.status_code == 200 else a.status_code
        for one, a in answers.items()
    }


def test_everything_is_as_it_was_and_back_again(ada: Caller, service: Service) -> None:
    kept, edited, moved, hidden, gone = (
        ada.remember(f"The {word} stands in the hall.", tags=[word])["id"]
        for word in ("clock", "piano", "lamp", "chair", "bench")
    )
    service.clock.move(seconds=60)
    then = service.clock.now()
    before = shown(ada, [kept, edited, moved, hidden])
    service.clock.move(seconds=60)
    assert ada.edit(edited, content="The piano was sold to Greta.").status_code == 200
    assert ada.edit(moved, tags=["spoilt"], importance=0.9).status_code == 200
    assert ada.forget(hidden).status_code == 200
    assert ada.erase(gone).status_code in (200, 204)
    later = ada.remember("An intruder wrote this.")["id"]
    ids = [kept, edited, moved, hidden]
    after = shown(ada, [*ids, later])

    dry = rewind(ada, then, dry_run=True)
    assert dry["counts"] == {"rewind": 3, "hide": 1}
    assert dry["report"] == {"rewound": 3, "hidden": 1, "held": 0}
    assert shown(ada, [*ids, later]) == after

    service.clock.move(seconds=1)
    run = rewind(ada, then)
    assert run["counts"] == {"rewind": 3, "hide": 1}
    assert shown(ada, ids) == before
    assert ada.get(later).status_code == 404
    assert ada.get(gone).status_code == 404
    assert "The piano stands in the hall." in ada.found("Where does the piano stand?")
    assert "The piano was sold to Greta." not in ada.found("piano sold to Greta")
    assert "An intruder wrote this." not in ada.found("What did the intruder write?")
    assert [one["reason"] for one in ada.history(edited)][-1] == "rewound"
    assert len(ada.history(edited)) == 3
    assert sum(v.missing + v.unexpected for v in service.container.keeper.verify()) == 0

    service.clock.move(seconds=1)
    assert rewind(ada, then)["counts"] == {}  # nothing is left to do

    undone = undo(ada, run)
    assert undone["counts"] == {"undo": 4} or sum(undone["counts"].values()) == 4
    assert shown(ada, [*ids, later]) == after
    assert "The piano was sold to Greta." in ada.found("piano sold to Greta")
    assert sum(v.missing + v.unexpected for v in service.container.keeper.verify()) == 0


def test_what_is_held_and_what_moves_on_stays(ada: Caller, service: Service) -> None:
    held, moved = (ada.remember(f"The {word} is in the safe.")["id"] for word in ("will", "key"))
    service.clock.move(seconds=60)
    then = service.clock.now()
    service.clock.move(seconds=60)
    ada.edit(held, content="The will was changed.")
    ada.edit(moved, content="The key was lost.")
    assert ada.ask("POST", f"/v1/memories/{held}:hold", json={"reason": "a court"}).status_code == 200
    service.clock.move(seconds=1)
    run = rewind(ada, then)
    assert run["report"] == {"rewound": 1, "hidden": 0, "held": 1}
    assert ada.get(held).json()["content"] == "The will was changed."
    assert ada.get(moved).json()["content"] == "The key is in the safe."
    ada.edit(moved, content="The key hangs on the wall.")
    assert undo(ada, run)["counts"].get("undo", 0) == 0
    assert ada.get(moved).json()["content"] == "The key hangs on the wall."


def test_merged_memories_stand_by_themselves(ada: Caller, service: Service) -> None:
    service.clock.move(seconds=1)
    member = ada.merged()
    service.clock.move(seconds=60)
    then = service.clock.now()
    service.clock.move(seconds=60)
    text = ada.get(member).json()["content"]
    ada.edit(member, content="Something else altogether.")
    service.clock.move(seconds=1)
    rewind(ada, then)
    memory = ada.get(member).json()
    assert (memory["content"], memory["state"]) == (text, "active")
    assert sum(v.missing + v.unexpected for v in service.container.keeper.verify()) == 0


def test_one_namespace_and_one_tenant_alone(service: Service) -> None:
    ada, eve = service.tenant("one"), service.tenant("two")
    other = ada.remember("Elsewhere.", namespace="user/ada/other")["id"]
    ada.remember("Here.")
    mine = eve.remember("Eve's.")["id"]
    service.clock.move(seconds=60)
    then = service.clock.now()
    service.clock.move(seconds=60)
    for caller, memory in ((ada, other), (eve, mine)):
        caller.edit(memory, content="Changed.")
    service.clock.move(seconds=1)
    assert rewind(ada, then)["counts"] == {}
    assert (ada.get(other).json()["content"], eve.get(mine).json()["content"]) == ("Changed.", "Changed.")


def test_what_makes_no_sense_is_refused(ada: Caller, service: Service) -> None:
    ada.remember("Here.")
    body = {"namespace": ada.namespace, "kind": "rewind"}
    past = service.clock.now().isoformat()
    service.clock.move(seconds=60)
    ahead = "2999-01-01T00:00:00Z"
    for given in (body, body | {"as_of": ahead}, body | {"kind": "fade", "as_of": past}, body | {"as_of": "yesterday"}):
        problem = assert_problem(ada.ask("POST", "/v1/job-runs", json=given), 422)
        assert problem["errors"][0]["pointer"] == "/as_of"
    schedules = {"namespace": ada.namespace, "schedules": {"rewind": "every 60s"}}
    assert_problem(ada.ask("PUT", "/v1/policy", json=schedules), 422)
