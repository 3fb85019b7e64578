"""A knowledge graph that is in memories (`memsvc_client.graph`): reading it, and changing it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from memsvc_client.async_client import AsyncMemoryClient
from memsvc_client.errors import InvalidArgument, api_error
from memsvc_client.graph import Entity, Relation
from memsvc_client.mcp.graph_words import Graph
from memsvc_client.types import Memory

MEMORIES_MAX = 20_000
"""Of a graph that is read as a whole; more is no answer that a model could read."""
IS_PART: Mapping[str, Any] = {"metadata.graph": {"exists": True}}
_PAGE = 200
_NAMES_BYTES = 5_000
"""Of names in one filter, as a URL spells them; the service takes 8 KiB of URL, and the longest name is 4 KiB."""


class Known:
    """Part of a graph, as its memories say it, oldest first.

    Attributes:
        ids: of all memories that name an entity.
    """

    def __init__(self, memories: Iterable[Memory]) -> None:
        self.ids: dict[str, list[str]] = {}
        self._types: dict[str, str] = {}
        self._observations: dict[str, dict[str, str]] = {}
        self._relations: dict[Relation, str] = {}
        for memory in memories:
            self._add(memory, memory.metadata.get("graph"))

    def _add(self, memory: Memory, part: Any) -> None:
        match part:
            case {"entity": str(name), "type": str(kind)}:
                self._types[name] = kind
                self.ids.setdefault(name, []).append(memory.id)
            case {"of": str(name)}:
                self._observations.setdefault(name, {})[memory.content.removeprefix(f"{name}: ")] = memory.id
                self.ids.setdefault(name, []).append(memory.id)
            case {"from": str(start), "to": str(end), "relation": str(kind)}:
                self._relations[Relation(from_=start, to=end, relation_type=kind)] = memory.id
                for name in {start, end}:
                    self.ids.setdefault(name, []).append(memory.id)

    def __contains__(self, name: str) -> bool:
        return name in self._types

    def observations(self, name: str) -> dict[str, str]:
        """Of an entity, with the ids of their memories."""
        return self._observations.get(name, {})

    def id_of(self, relation: Relation) -> str | None:
        """The memory of a relation."""
        return self._relations.get(relation)

    def graph(self, names: Iterable[str] | None = None) -> Graph:
        """All, or these entities and what touches them."""
        wanted = self._types.keys() if names is None else {name for name in names if name in self}
        entities = [
            Entity(name=name, entity_type=kind, observations=list(self.observations(name)))
            for name, kind in self._types.items()
            if name in wanted
        ]
        touching = [one for one in self._relations if names is None or one.from_ in wanted or one.to in wanted]
        return Graph(entities=entities, relations=touching)


async def read(client: AsyncMemoryClient, namespace: str | None, condition: Mapping[str, Any]) -> Known:
    """The graph of what fits a filter; raises what `_listed` does."""
    return Known(await _listed(client, namespace, condition))


async def _listed(client: AsyncMemoryClient, namespace: str | None, condition: Mapping[str, Any]) -> list[Memory]:
    """What fits a filter, oldest first.

    Raises:
        InvalidArgument: There is more of it than can be answered.
    """
    found: list[Memory] = []
    pager = client.list(namespace=namespace, filter=condition, order="oldest", page_size=_PAGE, limit=MEMORIES_MAX + 1)
    async for memory in pager:
        found.append(memory)
    if len(found) > MEMORIES_MAX:
        raise InvalidArgument(f"the graph has more than {MEMORIES_MAX} parts; ask for some with search_nodes")
    return found


async def about(client: AsyncMemoryClient, namespace: str | None, names: Iterable[str]) -> Known:
    """Everything that names one of these entities."""
    found: list[Memory] = []
    for part in _parts(sorted(set(names))):
        for key in ("entity", "of", "from", "to"):
            found += await _listed(client, namespace, {f"metadata.graph.{key}": {"in": part}})
    return Known(found)


def _parts(names: Sequence[str]) -> Iterator[list[str]]:
    """Names in parts, each of which fits into the filter of a URL."""
    part: list[str] = []
    size = 0
    for name in names:
        own = len(quote(json.dumps(name))) + len("%2C")
        if part and size + own > _NAMES_BYTES:
            yield part
            part, size = [], 0
        part.append(name)
        size += own
    if part:
        yield part


async def write(client: AsyncMemoryClient, namespace: str | None, memories: Sequence[dict[str, Any]]) -> None:
    """All of them.

    Raises:
        ApiError: One is refused; the others may have been written, and can be written again.
    """
    if not memories:
        return
    for _, item in (await client.remember_many(memories, namespace=namespace)).failed:
        if item.problem is not None:
            raise api_error(item.problem)


async def forget(client: AsyncMemoryClient, memory_ids: Iterable[str]) -> None:
    """Each once."""
    for memory_id in dict.fromkeys(memory_ids):
        await client.forget(memory_id)


def check_known(known: Known, names: Iterable[str]) -> None:
    """Refuses what hangs on nothing.

    Raises:
        InvalidArgument: An entity is not there.
    """
    missing = [name for name in dict.fromkeys(names) if name not in known]
    if missing:
        raise InvalidArgument(f"{len(missing)} of these entities are not there; create them first")
