"""The tools of the reference memory server of MCP, over memories (`memsvc_client.mcp.graph_memories`)."""

from __future__ import annotations

from collections.abc import Iterable

from memsvc_client.async_client import AsyncMemoryClient
from memsvc_client.graph import Entity, entity_memory, observation_memory, relation_memory
from memsvc_client.mcp.arguments import InNamespace
from memsvc_client.mcp.graph_memories import (
    IS_PART,
    about,
    check_known,
    forget,
    read,
    write,
)
from memsvc_client.mcp.graph_words import (
    Added,
    Deleted,
    Deletions,
    Doomed,
    Entities,
    Graph,
    Names,
    NewEntities,
    NewObservations,
    NewRelations,
    Observations,
    Relations,
    Searching,
)
from memsvc_client.mcp.tools import UNTRUSTED, MemoryTool

_FOUND = 10


async def _create_entities(client: AsyncMemoryClient, asked: Entities) -> NewEntities:
    known = await about(client, asked.namespace, (one.name for one in asked.entities))
    new: dict[str, Entity] = {}
    for one in asked.entities:
        if one.name not in known:
            new.setdefault(one.name, one.model_copy(update={"observations": _distinct(one.observations)}))
    made = list(new.values())
    memories = [entity_memory(one) for one in made]
    memories += [observation_memory(one.name, said) for one in made for said in one.observations]
    await write(client, asked.namespace, memories)
    return NewEntities(entities=made)


async def _create_relations(client: AsyncMemoryClient, asked: Relations) -> NewRelations:
    names = [name for one in asked.relations for name in (one.from_, one.to)]
    known = await about(client, asked.namespace, names)
    check_known(known, names)
    new = [one for one in dict.fromkeys(asked.relations) if known.id_of(one) is None]
    await write(client, asked.namespace, [relation_memory(one) for one in new])
    return NewRelations(relations=new)


async def _add_observations(client: AsyncMemoryClient, asked: Observations) -> NewObservations:
    names = [one.entity_name for one in asked.observations]
    known = await about(client, asked.namespace, names)
    check_known(known, names)
    said = {name: set(known.observations(name)) for name in names}
    results = []
    for one in asked.observations:
        new = [text for text in _distinct(one.contents) if text not in said[one.entity_name]]
        said[one.entity_name].update(new)
        results.append(Added(entity_name=one.entity_name, added_observations=new))
    memories = [observation_memory(one.entity_name, text) for one in results for text in one.added_observations]
    await write(client, asked.namespace, memories)
    return NewObservations(results=results)


async def _delete_entities(client: AsyncMemoryClient, asked: Doomed) -> Deleted:
    known = await about(client, asked.namespace, asked.entity_names)
    names = dict.fromkeys(asked.entity_names)
    there = [name for name in names if name in known]
    await forget(client, (memory_id for name in names for memory_id in known.ids.get(name, ())))
    return _deleted("entities", len(there), len(names))


async def _delete_observations(client: AsyncMemoryClient, asked: Deletions) -> Deleted:
    known = await about(client, asked.namespace, (one.entity_name for one in asked.deletions))
    wanted = dict.fromkeys((one.entity_name, text) for one in asked.deletions for text in one.observations)
    there = [memory_id for name, text in wanted if (memory_id := known.observations(name).get(text))]
    await forget(client, there)
    return _deleted("observations", len(there), len(wanted))


async def _delete_relations(client: AsyncMemoryClient, asked: Relations) -> Deleted:
    known = await about(client, asked.namespace, (one.from_ for one in asked.relations))
    wanted = dict.fromkeys(asked.relations)
    there = [memory_id for one in wanted if (memory_id := known.id_of(one))]
    await forget(client, there)
    return _deleted("relations", len(there), len(wanted))


async def _read_graph(client: AsyncMemoryClient, asked: InNamespace) -> Graph:
    return (await read(client, asked.namespace, IS_PART)).graph()


async def _search_nodes(client: AsyncMemoryClient, asked: Searching) -> Graph:
    answer = await client.recall(asked.query, namespace=asked.namespace, filter=IS_PART, top_k=_FOUND)
    names: dict[str, None] = {}
    for hit in answer.hits:
        part = hit.memory.metadata["graph"]
        names |= dict.fromkeys(part[key] for key in ("entity", "of", "from", "to") if key in part)
    return (await about(client, asked.namespace, names)).graph(names)


async def _open_nodes(client: AsyncMemoryClient, asked: Names) -> Graph:
    return (await about(client, asked.namespace, asked.names)).graph(asked.names)


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _deleted(what: str, done: int, asked: int) -> Deleted:
    whole = f"{what.capitalize()} deleted successfully"
    return Deleted(
        success=True, message=whole if done == asked else f"Deleted {done} of {asked} {what}; the rest is not there"
    )


GRAPH_TOOLS = (
    MemoryTool(
        "create_entities",
        "Create entities",
        "Create several new entities in the knowledge graph, with what is known of each. Those whose name is there "
        "already are left as they are.",
        Entities,
        NewEntities,
        _create_entities,
        repeats=True,
    ),
    MemoryTool(
        "create_relations",
        "Create relations",
        "Create several new relations between entities of the knowledge graph, in the active voice. Both entities must "
        "be there.",
        Relations,
        NewRelations,
        _create_relations,
        repeats=True,
    ),
    MemoryTool(
        "add_observations",
        "Add observations",
        "Add what is newly known of entities that are in the knowledge graph, one thing each.",
        Observations,
        NewObservations,
        _add_observations,
        repeats=True,
    ),
    MemoryTool(
        "delete_entities",
        "Delete entities",
        "Take several entities out of the knowledge graph, with their observations and relations. A person can restore "
        "them.",
        Doomed,
        Deleted,
        _delete_entities,
        repeats=True,
        destroys=True,
    ),
    MemoryTool(
        "delete_observations",
        "Delete observations",
        "Take observations of entities out of the knowledge graph; they have to be said word for word.",
        Deletions,
        Deleted,
        _delete_observations,
        repeats=True,
        destroys=True,
    ),
    MemoryTool(
        "delete_relations",
        "Delete relations",
        "Take several relations between entities out of the knowledge graph; the entities stay.",
        Relations,
        Deleted,
        _delete_relations,
        repeats=True,
        destroys=True,
    ),
    MemoryTool(
        "read_graph",
        "Read the graph",
        f"Read the whole knowledge graph: every entity, what is known of it, and all relations. {UNTRUSTED}",
        InNamespace,
        Graph,
        _read_graph,
        reads=True,
        repeats=True,
    ),
    MemoryTool(
        "search_nodes",
        "Search nodes",
        "Find the entities of the knowledge graph that matter to a question, with their observations and relations. "
        f"{UNTRUSTED}",
        Searching,
        Graph,
        _search_nodes,
        reads=True,
        repeats=True,
    ),
    MemoryTool(
        "open_nodes",
        "Open nodes",
        f"Read several entities of the knowledge graph by name, with their observations and relations. {UNTRUSTED}",
        Names,
        Graph,
        _open_nodes,
        reads=True,
        repeats=True,
    ),
)
