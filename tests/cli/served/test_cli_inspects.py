"""`memsvc inspect`, `timeline`, `graph`, `why`, `diff`, `tail`, `policies`, `namespaces list --sizes`."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from memsvc_client.cli import completion, main
from memsvc_client.cli.service import _worries
from memsvc_client.types import Stats
from tests.cli.served.conftest import Memsvc
from tests.fixtures.service import Caller, Service


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_one_memory_whole(memsvc: Memsvc, ada: Caller) -> None:
    first = ada.remember("Ada likes coffee.", kind="episodic")["id"]
    link = {"relation": "follows", "memory_id": first}
    memory = ada.remember("Ada drinks three cups a day.", kind="episodic", importance=0.4, links=[link])["id"]
    ada.edit(memory, content="Ada drinks two cups a day.")
    ada.ask("POST", f"/v1/memories/{memory}:hold", json={"reason": "case 17"})
    ada.ask("POST", f"/v1/memories/{memory}:release", json={"reason": "closed"})
    code, out, _ = memsvc("inspect", memory)
    assert code == 0
    for part in ("two cups", "three cups", "Versions", "out follows Ada likes coffee.", "case 17", "warm below 0.6"):
        assert part in " ".join(out.split()) or part in out, part
    assert "falls to the next level at 20" in out
    assert sum("*" in line for line in out.splitlines()) == 6  # a row for each fifth of retention
    found = json.loads(memsvc("inspect", memory, "--json")[1])
    assert (found["memory"]["version"], [one["version"] for one in found["versions"]]) == (2, [1, 2])
    assert (found["links"][0]["memory_id"], found["holds"][0]["reason"]) == (first, "case 17")
    assert found["fading"]["stability_s"] > 3600
    assert found["stays"] is None
    ada.edit(memory, pinned=True)
    assert "it is pinned" in memsvc("inspect", memory)[1]
    reader = ada.key(roles=["read"])
    assert json.loads(memsvc("inspect", memory, "--json", env={"MEMSVC_API_KEY": reader.secret})[1])["holds"] is None
    assert memsvc("inspect", "0198c5a0-0000-7000-8000-000000000001")[0] == 1


def test_timeline(memsvc: Memsvc, ada: Caller) -> None:
    ada.remember("later", occurred_at="2026-02-03T09:00:00Z")
    ada.remember("early", occurred_at="2026-01-31T09:00:00Z", speaker="Bo")
    ada.remember("between", occurred_at="2026-02-03T08:00:00Z", kind="semantic")
    ada.remember("just now")
    code, out, _ = memsvc("timeline")
    assert code == 0
    assert [line.split("  ")[0] for line in out.splitlines() if not line.startswith(" ")][:2] == [
        "2026-01-31 Sat",
        "2026-02-03 Tue",
    ]
    assert out.index("Bo: early") < out.index("between") < out.index("later") < out.index("just now")
    told = lines(memsvc("timeline", "--since", "2026-02-01", "--until", "2026-03-01", "--json")[1])
    assert [one["content"] for one in told] == ["between", "later"]
    narrow = ("--filter", '{"kind": "semantic"}', "--until", "2026-03-01")
    assert [one["content"] for one in lines(memsvc("timeline", *narrow, "--json")[1])] == ["between"]
    assert [one["content"] for one in lines(memsvc("timeline", "--limit", "1", "--json")[1])] == ["just now"]
    assert memsvc("timeline", "--until", "1999-01-01")[:2] == (0, "nothing happened\n")


def test_graph(memsvc: Memsvc, ada: Caller) -> None:
    ada.remember("Cleo Marsh met Boris Lund in Oslo.")
    ada.remember("Cleo Marsh wrote to Boris Lund again.")
    code, out, _ = memsvc("graph", "cleo marsh")
    assert code == 0
    head, *rest = out.splitlines()
    assert head.startswith("Cleo Marsh (2 memories")
    assert "Boris Lund  2 memories together" in rest[0]
    assert "wrote to Boris Lund again" in rest[1]
    found = json.loads(memsvc("graph", "Cleo Marsh", "--json")[1])
    centre = found["entities"][0]
    assert centre["name"] == "Cleo Marsh"
    assert memsvc("graph", centre["id"], "--json")[1] == memsvc("graph", "Cleo Marsh", "--json")[1]
    assert "Boris Lund" in memsvc("graph")[1]
    assert {one["name"] for one in json.loads(memsvc("graph", "--json")[1])["items"]} >= {"Cleo Marsh", "Boris Lund"}
    assert memsvc("graph", "Nobody Atall")[0] == 2
    assert memsvc("graph", "0" * 16)[0] == 1


def test_why(memsvc: Memsvc, ada: Caller) -> None:
    tea = ada.remember("Ada drinks green tea every morning.")["id"]
    rain = ada.remember("It rained in Bergen.")["id"]
    gone = ada.remember("Ada drinks green tea at noon.")["id"]
    ada.forget(gone)
    code, out, _ = memsvc("why", "What does Ada drink? green tea", "-k", "1", "--profile", "fast")
    assert code == 0
    says = ("1 hits of 2 memories", "% sure", "1. Ada drinks green tea", "keyword has it 1st of its list", tea)
    for part in (*says, "adds", "It rained in Bergen.", "--top-k has no room"):
        assert part in " ".join(out.split()), part
    ask = ("why", "green tea", "-k", "1", "--profile", "fast", "--about")
    code, out, _ = memsvc(*ask, tea)
    assert (code, "It is hit 1." in out) == (0, True)
    code, out, _ = memsvc(*ask, gone)
    assert (code, "forgotten or erased" in out) == (1, True)
    code, out, _ = memsvc(*ask, rain, "--json")
    told = json.loads(out)
    assert (code, told["about"]["id"]) == (1, rain)
    assert "comes 2nd" in told["about"]["because"] or "no channel" in told["about"]["because"]
    assert told["explanation"]["eligible"] == 2


def test_two_versions_differ(memsvc: Memsvc, ada: Caller) -> None:
    memory = ada.remember("one\ntwo", place="Oslo")["id"]
    ada.edit(memory, content="one\n2", importance=0.9)
    ada.edit(memory, content="one\n3")
    code, out, _ = memsvc("diff", memory, "--from", "1", "--to", "2")
    assert code == 0
    assert {"-two", "+2", " one", "-importance: 0.5", "+importance: 0.9"} <= set(out.splitlines())
    assert {"-2", "+3"} <= set(memsvc("diff", memory)[1].splitlines())
    found = json.loads(memsvc("diff", memory, "--from", "1", "--json")[1])
    assert (found["before"]["version"], found["after"]["version"]) == (1, 3)
    assert {"content", "importance"} <= set(found["changed"])
    assert memsvc("diff", memory, "--to", "9")[0] == 2


def test_two_moments_differ(memsvc: Memsvc, ada: Caller, service: Service) -> None:
    old, gone, hid = (ada.remember(text)["id"] for text in ("tea", "beer", "milk"))
    same = ada.remember("water")["id"]
    service.clock.move(hours=1)
    between = service.clock.now().isoformat()
    service.clock.move(hours=1)
    ada.edit(old, content="coffee")
    ada.erase(gone)
    ada.forget(hid)
    new = ada.remember("juice")["id"]
    brief = ada.remember("brief")["id"]
    ada.forget(brief)
    ada.edit(same, place="Oslo")
    ada.ask("PATCH", f"/v1/memories/{same}", json={"place": None})
    later = service.clock.now().isoformat()
    service.clock.move(hours=1)
    ada.remember("too late")
    found = {one["memory_id"]: one for one in lines(memsvc("diff", "--since", between, "--until", later, "--json")[1])}
    assert {name: one["change"] for name, one in found.items()} == {
        old: "changed",
        gone: "erased",
        hid: "hidden",
        new: "added",
    }
    assert (found[old]["before"]["content"], found[old]["after"]["content"]) == ("tea", "coffee")
    code, out, err = memsvc("diff", "--since", between)
    assert code == 0
    assert "tea => coffee" in out
    assert "too late" in out
    assert "1 changed" in err
    assert memsvc("diff", "--since", service.clock.now().isoformat())[:2] == (0, "")


@pytest.mark.parametrize("words", [(), ("--until", "2026-01-01"), ("ID", "--since", "2026-01-01"), ("--since", "soon")])
def test_a_difference_of_nothing_is_refused(memsvc: Memsvc, words: tuple[str, ...]) -> None:
    assert memsvc("diff", *words)[0] == 2


def test_tail(memsvc: Memsvc, ada: Caller) -> None:
    memory = ada.remember("one")["id"]
    ada.forget(memory)
    told = lines(memsvc("tail", "--after", "0", "--limit", "2", "--json")[1])
    assert [(one["seq"], one["state"]) for one in told] == [(1, "active"), (2, "forgotten")]
    assert lines(memsvc("tail", "--after", "1", "--limit", "1", "--json")[1]) == told[1:]
    ada.restore(memory)
    code, out, _ = memsvc("tail", "--since", "2026-01-01", "--limit", "3")
    assert code == 0
    assert len(out.splitlines()) == 3
    assert memory in out
    assert out.splitlines()[2].endswith("one")
    assert memsvc("tail", "--since", "2026-01-01", "--after", "1")[0] == 2


def test_tail_begins_with_what_comes(memsvc: Memsvc, ada: Caller) -> None:
    ada.remember("before")
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.1):
            ada.write("after")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        (told,) = lines(memsvc("tail", "--limit", "1", "--json")[1])
    finally:
        done.set()
        writer.join()
    assert told["seq"] > 1


def test_policies_say_where_they_come_from(memsvc: Memsvc, ada: Caller) -> None:
    ada.remember("x")
    put = {"namespace": ada.namespace, "policy": {"below": {"warm": 0.5}, "gists": {"least": 4}}}
    assert ada.ask("PUT", "/v1/policy", json=put | {"schedules": {"fade": "0 3 * * *"}}).status_code == 200
    found = json.loads(memsvc("policies", "--json")[1])
    origin = {one["rule"]: (one["value"], one["from"]) for one in found["items"]}
    assert origin["policy.below.warm"] == (0.5, "namespace")
    assert origin["policy.below.cold"] == (0.3, "default")
    assert origin["policy.gists.least"] == (4, "namespace")
    assert origin["policy.quarantine"][1] == "default"
    assert origin["screening.credential"][1] == "default"
    assert origin["schedules.fade"] == ("0 3 * * *", "namespace")
    code, out, _ = memsvc("policies")
    assert code == 0
    assert "policy.below.warm  0.5" in " ".join(out.split()).replace(" 0.5", "  0.5")


def test_sizes_and_health_of_namespaces(memsvc: Memsvc, ada: Caller) -> None:
    ada.remember("x")
    code, out, _ = memsvc("namespaces", "list", "--prefix", ada.namespace, "--sizes")
    assert code == 0
    assert "active 1" in out
    assert "well" in out
    (one,) = json.loads(memsvc("namespaces", "list", "--prefix", ada.namespace, "--sizes", "--json")[1])["items"]
    assert one["levels"]["active"] == 1
    waits = Stats.model_validate(one | {"pending_embeddings": 2})
    assert [*_worries(waits)] == ["2 texts wait for the embedding model"]


def test_a_shell_completes_namespaces(memsvc: Memsvc, ada: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    ada.remember("x")
    env = {
        "_MEMSVC_COMPLETE": "complete_bash",
        "COMP_WORDS": f"memsvc recall -n {ada.namespace[:-3]}",
        "COMP_CWORD": "3",
    }
    assert memsvc(env=env)[1].split() == [ada.namespace]
    monkeypatch.setattr(completion, "TIMEOUT_S", 0.05)
    slow = env | {"MEMSVC_URL": "http://127.0.0.1:1"}
    code, out, _ = memsvc(env=slow)
    assert (code, out.strip()) == (0, "")


def test_every_new_command_has_an_example(memsvc: Memsvc) -> None:
    for name in ("inspect", "timeline", "graph", "why", "diff", "tail", "policies"):
        assert f"Example: memsvc {name}" in memsvc(name, "--help")[1], name
    assert "Exit codes:" in main.EPILOG
