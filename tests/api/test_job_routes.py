"""Policies, schedules, runs and their reports over HTTP, and what an answer says of a memory's fading."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.fixtures.service import Caller, assert_problem

FADES = {"below": {"archived": 0.1, "forgotten": 0.02}, "share_per_run": 1.0}


def put(caller: Caller, **body: Any) -> Any:
    return caller.ask("PUT", "/v1/policy", json={"namespace": caller.namespace, **body})


def ended(caller: Caller, run: dict[str, Any]) -> dict[str, Any]:
    """A run after its end."""
    by = time.monotonic() + 60
    while run["state"] in ("queued", "running") and time.monotonic() < by:
        time.sleep(0.02)
        run = caller.ask("GET", f"/v1/job-runs/{run['id']}").json()
    return run


def ask(caller: Caller, **more: Any) -> dict[str, Any]:
    answer = caller.ask("POST", "/v1/job-runs", json={"namespace": caller.namespace, "kind": "fade", **more})
    assert answer.status_code == 202, answer.text
    return ended(caller, answer.json())


def test_a_memory_says_how_far_it_has_faded(ada: Caller) -> None:
    memory = ada.remember("a walk in the park", kind="episodic")
    assert memory["level"] == "active"
    assert memory["retention"] == pytest.approx(1.0, abs=1e-3)
    assert (memory["recall_count"], memory["last_recalled_at"]) == (0, None)
    assert memory["fades_at"] > memory["recorded_at"]
    hit = ada.recall("walk park")["hits"][0]["memory"]
    assert {**hit, "retention": memory["retention"]} == memory
    pinned = ada.remember("a pinned walk", kind="episodic", pinned=True)
    assert pinned["fades_at"] is None


def test_feedback_makes_a_memory_last(ada: Caller) -> None:
    memory = ada.remember("a walk in the park", kind="episodic")
    recall_id = ada.recall("walk park")["id"]
    for verdict in ("useful", "used"):  # a second thought is no second use
        said = {"memories": [{"id": memory["id"], "verdict": verdict}]}
        assert ada.ask("POST", f"/v1/recall/{recall_id}/feedback", json=said).status_code == 200
    after = ada.get(memory["id"]).json()
    assert after["recall_count"] == 1
    assert after["last_recalled_at"] >= memory["recorded_at"]
    assert after["version"] == memory["version"]


def test_a_place_in_a_context_is_a_use_and_one_in_a_list_is_not(ada: Caller) -> None:
    memory = ada.remember("a walk in the park", kind="episodic")
    ada.recall("walk park")
    ada.service.container.recalls.flush()
    assert ada.get(memory["id"]).json()["recall_count"] == 0
    for _ in range(3):
        ada.ask("POST", "/v1/context", json={"namespace": ada.namespace, "query": "walk park"})
    ada.service.container.recalls.flush()
    assert ada.get(memory["id"]).json()["recall_count"] == 1


def test_a_policy_is_kept_whole(ada: Caller) -> None:
    ada.remember("hello")
    shown = put(ada, policy=FADES, schedules={"fade": "0 3 * * *"}).json()
    assert shown == ada.ask("GET", "/v1/policy", params={"namespace": ada.namespace}).json()
    assert shown["policy"]["below"] == {"warm": 0.6, "cold": 0.3, "archived": 0.1, "forgotten": 0.02}
    assert [one["schedule"] for one in shown["schedules"]] == ["0 3 * * *"]
    put(ada, screening={"card": "reject"})
    own = put(ada, policy={"below": {"warm": None}, "prior": 0.1}).json()["own"]
    assert own == ["policy.below.warm", "policy.prior", "screening.card"]
    assert ada.ask("GET", "/v1/policy", params={"namespace": "user/nobody"}).json()["own"] == []
    again = put(ada, policy={"below": {"warm": None}}).json()
    assert again["policy"]["below"] == {"warm": None, "cold": 0.3, "archived": None, "forgotten": None}
    assert again["schedules"] == shown["schedules"]  # what is not sent stays
    rescheduled = put(ada, schedules={"conflict": "every 60s"}).json()
    assert rescheduled["policy"] == again["policy"]
    assert [one["kind"] for one in rescheduled["schedules"]] == ["conflict"]
    assert put(ada, policy=None, schedules=None).json() == rescheduled
    assert put(ada, policy={}, schedules={"conflict": None}).json()["schedules"] == []


def test_so_many_runs_may_wait_and_no_more(ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    ada.remember("hello")
    done = ask(ada)
    monkeypatch.setattr("memsvc.jobs.service.MOST_QUEUED", 3)
    ada.service.container.scheduler.close()  # not only from its next round on: one may be under way
    asked = [
        ada.ask("POST", "/v1/job-runs", json={"namespace": ada.namespace, "kind": "fade", "dry_run": True})
        for _ in range(4)
    ]
    assert [answer.status_code for answer in asked[:3]] == [202] * 3
    assert_problem(asked[3], 429)
    assert int(asked[3].headers["retry-after"]) > 0
    assert_problem(ada.ask("POST", f"/v1/job-runs/{done['id']}:undo"), 429)
    for answer in asked[:3]:
        assert ada.ask("POST", f"/v1/job-runs/{answer.json()['id']}:cancel").json()["state"] == "cancelled"
    assert ada.ask("POST", f"/v1/job-runs/{done['id']}:undo").status_code == 202


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"policy": {"below": {"warm": 0.2}}}, None),
        ({"policy": {"below": {"warm": 1.0}}}, "/policy/below/warm"),
        ({"policy": {"below": {"tepid": 0.5}}}, "/policy/below/tepid"),
        ({"policy": {"hysteresis": None}}, "/policy/hysteresis"),
        ({"policy": {"prior": None}}, "/policy/prior"),
        ({"policy": {"gists": None}}, "/policy/gists"),
        ({"policy": {"gists": {"levels": ["year"]}}}, "/policy/gists/levels/0"),
        ({"policy": {"gists": {"least": 1}}}, "/policy/gists/least"),
        ({"policy": {"gists": {"least": 6}}}, None),
        ({"policy": {"gists": {"words": 1e9}}}, "/policy/gists/words"),
        ({"policy": {"share_per_run": 0.0}}, "/policy/share_per_run"),
        ({"policy": {"erase_everything": True}}, "/policy/erase_everything"),
        ({"schedules": {"fade": "every 1s"}}, "/schedules/fade"),
        ({"schedules": {"fade": "0 0 30 2 *"}}, "/schedules/fade"),
        ({"schedules": {"fade": "whenever"}}, "/schedules/fade"),
        ({"schedules": {"fade": "* * * * * *"}}, "/schedules/fade"),  # every second
        ({"schedules": {"launder": "every 60s"}}, "/schedules/launder"),
    ],
)
def test_a_policy_without_sense_is_refused(ada: Caller, body: dict[str, Any], pointer: str | None) -> None:
    ada.remember("hello")
    problem = assert_problem(put(ada, **body), 422)
    if pointer is not None:
        assert problem["errors"][0]["pointer"].startswith(pointer)
    assert ada.ask("GET", "/v1/policy", params={"namespace": ada.namespace}).json()["policy"]["below"]["warm"] == 0.6


def test_a_run_is_reported_page_by_page_and_undone(ada: Caller) -> None:
    ids = sorted(ada.remember(f"walk {n}", kind="episodic", importance=0.1)["id"] for n in range(5))
    put(ada, policy={**FADES, "factors": {"episodic": 1e-6}})  # what takes weeks takes a second
    time.sleep(1.5)
    assert {one["memory_id"] for one in effects(ada, ask(ada, dry_run=True), 2)} == set(ids)
    assert len(ada.recall("walk")["hits"]) == 5
    done = ask(ada)
    assert (done["state"], done["counts"], done["dry_run"]) == ("succeeded", {"fade": 5}, False)
    found = effects(ada, done, 2)
    assert [one["memory_id"] for one in found] == ids
    assert {one["after"]["level"] for one in found} <= {"archived", "forgotten"}
    assert ada.recall("walk")["hits"] == []
    undone = ended(ada, ada.ask("POST", f"/v1/job-runs/{done['id']}:undo").json())
    assert (undone["undoes"], undone["counts"]) == (done["id"], {"undo": 5})
    assert len(ada.recall("walk")["hits"]) == 5
    history = ada.ask("GET", f"/v1/memories/{ids[0]}/history").json()["items"]
    assert [version["writer"] for version in history][1:] == ["job fade", "job fade"]
    listed = ada.ask("GET", "/v1/job-runs", params={"namespace": ada.namespace, "limit": 2}).json()
    assert [run["id"] for run in listed["items"]] == [undone["id"], done["id"]]
    more = ada.ask("GET", "/v1/job-runs", params={"namespace": ada.namespace, "cursor": listed["next_cursor"]}).json()
    assert [run["dry_run"] for run in more["items"]] == [True]


def effects(caller: Caller, run: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """All effects of a run, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        params = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        page = caller.ask("GET", f"/v1/job-runs/{run['id']}/effects", params=params).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_work_that_nobody_knows_is_refused(ada: Caller) -> None:
    ada.remember("hello")
    asked = {"namespace": ada.namespace, "kind": "launder"}
    assert_problem(ada.ask("POST", "/v1/job-runs", json=asked), 422)
    assert_problem(ada.ask("POST", "/v1/job-runs", json={**asked, "kind": "fade", "namespace": "nowhere"}), 404)


def test_a_run_that_is_over_cannot_be_cancelled_and_stays_what_it_is(ada: Caller) -> None:
    ada.remember("hello")
    done = ask(ada)
    assert ada.ask("POST", f"/v1/job-runs/{done['id']}:cancel").json() == done


def test_an_archived_memory_can_be_asked_for_and_brought_back(ada: Caller) -> None:
    memory = ada.remember("a walk in the park", kind="episodic", importance=0.1)
    put(ada, policy={"below": {"archived": 0.1}, "share_per_run": 1.0, "factors": {"episodic": 1e-6}})
    time.sleep(1.5)
    ask(ada)
    assert ada.recall("walk park")["hits"] == []
    asked = ada.recall("walk park", filter={"state": "archived"})
    assert [hit["memory"]["level"] for hit in asked["hits"]] == ["archived"]
    shown = ada.get(memory["id"]).json()
    assert (shown["state"], shown["level"]) == ("archived", "archived")
    assert [one["reason"] for one in ada.history(memory["id"])] == ["created", "archived"]
    for answer in (ada.edit(memory["id"], content="x"), ada.forget(memory["id"])):
        assert assert_problem(answer, 409)["detail"] == "the memory is archived; restore it first"
    assert ada.restore(memory["id"]).status_code == 200
    assert len(ada.recall("walk park")["hits"]) == 1


def test_a_superseded_memory_can_be_read_and_brought_back(ada: Caller) -> None:
    oslo = ada.remember("I live in Oslo.", speaker="Ada", occurred_at="2026-01-05T09:00:00Z")["id"]
    ada.remember("I moved to Bergen.", speaker="Ada", occurred_at="2026-03-05T09:00:00Z")
    assert ask(ada, kind="conflict")["counts"]["supersede"] == 1
    shown = ada.get(oslo).json()
    assert (shown["state"], shown["valid_to"]) == ("superseded", "2026-03-05T09:00:00Z")
    assert [one["relation"] for one in ada.ask("GET", f"/v1/memories/{oslo}/links").json()["items"]] == ["supersedes"]
    assert_problem(ada.forget(oslo), 409)
    back = ada.restore(oslo).json()["memory"]
    assert (back["state"], back["valid_to"]) == ("active", None)
    assert ada.ask("GET", f"/v1/memories/{oslo}/links").json()["items"] == []
    assert ask(ada, kind="conflict")["counts"] == {}
    assert [one["reason"] for one in ada.history(oslo)] == ["created", "superseded", "restored"]


def test_a_merged_memory_says_where_it_went_and_comes_back(ada: Caller) -> None:
    member = ada.merged()
    shown = ada.get(member).json()
    pivot = ada.get(shown["merged_into"]).json()
    assert (shown["state"], pivot["state"], pivot["merged_into"]) == ("merged", "active", None)
    links = ada.ask("GET", f"/v1/memories/{pivot['id']}/links").json()["items"]
    assert links == [{"relation": "same_as", "memory_id": member, "direction": "in"}]
    hits = [hit["memory"]["id"] for hit in ada.recall(shown["content"])["hits"]]
    assert member not in hits
    assert pivot["id"] in hits
    listed = ada.ask("GET", "/v1/memories", params={"namespace": ada.namespace, "filter": '{"state": "merged"}'})
    assert [one["id"] for one in listed.json()["items"]] == [member]
    stale = {"If-Match": '"1"'}
    assert_problem(ada.ask("POST", f"/v1/memories/{member}:unmerge", headers=stale), 412)
    back = ada.ask("POST", f"/v1/memories/{member}:unmerge").json()["memory"]
    assert (back["state"], back["merged_into"]) == ("active", None)
    assert_problem(ada.ask("POST", f"/v1/memories/{member}:unmerge"), 409)
    history = ada.ask("GET", f"/v1/memories/{member}/history").json()["items"]
    assert [version["reason"] for version in history] == ["created", "merged", "unmerged"]


@pytest.mark.parametrize("merge", [{"floor": 1.5}, {"within_s": -1}, {"within_s": 1e9}, {"near": 1}, None])
def test_a_merging_without_sense_is_refused(ada: Caller, merge: Any) -> None:
    ada.remember("hello")
    assert_problem(put(ada, policy={"merge": merge}), 422)
