"""The tools of the reference memory server, called by the SDK's own client, over memories."""

from __future__ import annotations

from typing import Any

import pytest

from memsvc_client.graph import Relation, observation_memory, relation_memory
from memsvc_client.mcp import graph_memories
from tests.fixtures.mcp_agent import Agent, live, over_http
from tests.fixtures.service import Caller, Service

ADA = {"name": "Ada", "entityType": "person", "observations": ["Lives in Oslo", "Drinks tea"]}
ACME = {"name": "Acme", "entityType": "company", "observations": []}
WORKS = {"from": "Ada", "to": "Acme", "relationType": "works_at"}


def run(caller: Caller, monkeypatch: pytest.MonkeyPatch, story: Any, *, destructive: str = "on") -> Any:
    container = caller.service.container
    settings = container.settings.model_copy(update={"mcp_tools": "graph", "mcp_destructive": destructive})
    monkeypatch.setattr(container, "settings", settings)
    headers = caller.headers | {"memsvc-namespace": caller.namespace}
    return live(over_http(caller.service.app, headers), story)


def test_a_graph_is_told_read_and_taken_back(shared: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = shared.tenant("graph-life")

    async def story(agent: Agent) -> None:
        made = await agent.done("create_entities", entities=[ADA, ACME, {**ADA, "observations": ["twice"]}])
        assert made == {"entities": [ADA, ACME]}
        assert await agent.done("create_entities", entities=[{**ADA, "entityType": "cat"}]) == {"entities": []}
        assert await agent.done("create_relations", relations=[WORKS, WORKS]) == {"relations": [WORKS]}
        assert await agent.done("create_relations", relations=[WORKS]) == {"relations": []}
        new = [{"entityName": "Ada", "contents": ["Drinks tea", "Sings"]}, {"entityName": "Ada", "contents": ["Sings"]}]
        assert await agent.done("add_observations", observations=new) == {
            "results": [
                {"entityName": "Ada", "addedObservations": ["Sings"]},
                {"entityName": "Ada", "addedObservations": []},
            ]
        }
        ada = {**ADA, "observations": [*ADA["observations"], "Sings"]}
        assert await agent.done("read_graph") == {"entities": [ada, ACME], "relations": [WORKS]}
        assert await agent.done("open_nodes", names=["Acme", "Bo"]) == {"entities": [ACME], "relations": [WORKS]}
        assert await agent.done("open_nodes", names=[]) == {"entities": [], "relations": []}
        assert ada in (await agent.done("search_nodes", query="Who drinks tea?"))["entities"]

        gone = await agent.done(
            "delete_observations", deletions=[{"entityName": "Ada", "observations": ["Sings", "?"]}]
        )
        assert gone["message"].startswith("Deleted 1 of 2")
        assert (await agent.done("delete_relations", relations=[WORKS]))["success"]
        assert await agent.done("read_graph") == {"entities": [ADA, ACME], "relations": []}
        await agent.done("create_relations", relations=[WORKS])
        assert (await agent.done("delete_entities", entityNames=["Ada"]))["message"] == "Entities deleted successfully"
        assert await agent.done("read_graph") == {"entities": [ACME], "relations": []}
        assert await agent.done("create_entities", entities=[ADA]) == {"entities": [ADA]}
        assert (await agent.done("read_graph"))["entities"][0]["observations"] == ADA["observations"]

    run(caller, monkeypatch, story)
    assert "Ada: Drinks tea" in caller.found("What does Ada drink?")


def test_what_hangs_on_nothing_is_refused_and_nothing_of_it_written(
    shared: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = shared.tenant("graph-refusals")

    async def story(agent: Agent) -> None:
        await agent.done("create_entities", entities=[ADA])
        await agent.refused("create_relations", relations=[{**WORKS, "to": "Ada"}, WORKS])
        unknown = [{"entityName": "Ada", "contents": ["x"]}, {"entityName": "Bo", "contents": ["y"]}]
        await agent.refused("add_observations", observations=unknown)
        assert await agent.done("read_graph") == {"entities": [ADA], "relations": []}
        await agent.refused("create_entities", entities=[{**ADA, "name": ""}])
        await agent.refused("create_entities", entities=[{**ADA, "colour": "red"}])

    run(caller, monkeypatch, story)


def test_many_and_long_names_are_all_found(shared: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["é" * 255 + end for end in "ab\U0001f600"] + [f"node {n}" for n in range(60)]
    entities = [{"name": name, "entityType": "thing", "observations": []} for name in names]

    async def story(agent: Agent) -> None:
        await agent.done("create_entities", entities=entities)
        assert await agent.done("create_entities", entities=entities) == {"entities": []}
        opened = (await agent.done("open_nodes", names=names))["entities"]
        assert sorted(one["name"] for one in opened) == sorted(names)

    run(shared.tenant("graph-names"), monkeypatch, story)


def test_what_deletes_is_off_until_it_is_switched_on(shared: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = shared.tenant("graph-off")

    async def story(agent: Agent) -> list[str]:
        await agent.done("create_entities", entities=[ADA])
        assert (await agent.refused("delete_entities", entityNames=["Ada"]))["code"] == "switched_off"
        return [tool.name for tool in (await agent.client.list_tools()).tools]

    assert run(caller, monkeypatch, story, destructive="off") == [
        "create_entities", "create_relations", "add_observations", "read_graph", "search_nodes", "open_nodes",
    ]  # fmt: skip


def test_a_graph_too_large_to_read_says_so(shared: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_memories, "MEMORIES_MAX", 2)

    async def story(agent: Agent) -> None:
        await agent.done("create_entities", entities=[ADA])
        assert "search_nodes" in (await agent.refused("read_graph"))["detail"]

    run(shared.tenant("graph-large"), monkeypatch, story)


def test_ids_keep_apart_what_reads_alike() -> None:
    one = relation_memory(Relation(from_="a b", to="c", relation_type="d"))
    other = relation_memory(Relation(from_="a", to="c", relation_type="b d"))
    assert one["external_id"] != other["external_id"]
    assert observation_memory("a", "b")["external_id"] == observation_memory("a", "b")["external_id"]
