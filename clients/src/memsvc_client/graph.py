"""A knowledge graph in memories of a namespace.

An entity, an observation and a relation are a memory each, with an external id made of what it says: to say it again
writes nothing twice, and two agents that say it at once write it once. `metadata.graph` holds its part in the graph,
its content says it in words, so that recalls find it like any other memory. They are pinned, because a graph with holes
where something has faded is none. To delete is to forget: a person can restore it, and so can saying it again.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Name = Annotated[str, Field(min_length=1, max_length=256)]
"""Of an entity, its type, or a relation; filters compare it."""


class Part(BaseModel):
    """Base of what stands inside: it is taken and given alike."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel, populate_by_name=True)


class Entity(Part):
    """A node."""

    name: Name = Field(description="The name of the entity.")
    entity_type: Name = Field(description="The type of the entity.")
    observations: list[str] = Field(description="What is known of the entity, one thing each.")


class Relation(Part):
    """A directed edge between two entities, in the active voice."""

    from_: Name = Field(alias="from", description="The name of the entity where the relation starts.")
    to: Name = Field(description="The name of the entity where the relation ends.")
    relation_type: Name = Field(description="The type of the relation, in the active voice.")


def entity_memory(entity: Entity) -> dict[str, Any]:
    """The memory that an entity is, without its observations."""
    return _memory(
        f"{entity.name} ({entity.entity_type})", {"entity": entity.name, "type": entity.entity_type}, entity.name
    )


def observation_memory(name: str, observation: str) -> dict[str, Any]:
    """The memory that an observation is. Its content names the entity, which many an observation leaves out."""
    return _memory(f"{name}: {observation}", {"of": name}, name, observation)


def relation_memory(relation: Relation) -> dict[str, Any]:
    """The memory that a relation is."""
    part = {"from": relation.from_, "to": relation.to, "relation": relation.relation_type}
    return _memory(f"{relation.from_} {relation.relation_type} {relation.to}", part, *part.values())


def _memory(content: str, part: dict[str, str], *said: str) -> dict[str, Any]:
    kind = next(iter(part))
    digest = hashlib.sha256("\0".join((kind, *said)).encode()).hexdigest()
    return {
        "content": content,
        "kind": "semantic",
        "external_id": f"graph:{kind}:{digest}",
        "pinned": True,
        "metadata": {"graph": part},
    }
