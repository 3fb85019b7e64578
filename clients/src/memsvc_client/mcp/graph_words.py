"""What the tools of a knowledge graph take and give: the names and shapes of the reference memory server of MCP.

https://github.com/modelcontextprotocol/servers, `src/memory`.
"""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from memsvc_client.graph import Entity, Name, Part, Relation
from memsvc_client.mcp.arguments import InNamespace
from memsvc_client.types import Model

_ITEMS_MAX = 1000


class Told(Part):
    """What is new of an entity."""

    entity_name: Name = Field(description="The name of the entity that the observations are of.")
    contents: list[str] = Field(max_length=_ITEMS_MAX, description="The observations to add.")


class Untold(Part):
    """What is to go of an entity."""

    entity_name: Name = Field(description="The name of the entity that has the observations.")
    observations: list[str] = Field(max_length=_ITEMS_MAX, description="The observations to delete, word for word.")


class Added(Part):
    """What was new of an entity."""

    entity_name: str
    added_observations: list[str]


class Entities(InNamespace):
    """Entities to create."""

    entities: list[Entity] = Field(max_length=_ITEMS_MAX)


class Relations(InNamespace):
    """Relations to create or delete."""

    relations: list[Relation] = Field(max_length=_ITEMS_MAX)


class Observations(InNamespace):
    """Observations to add."""

    observations: list[Told] = Field(max_length=_ITEMS_MAX)


class Names(InNamespace):
    """Entities to open."""

    names: list[Name] = Field(max_length=_ITEMS_MAX, description="The names of the entities.")


class Doomed(InNamespace):
    """Entities to delete."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    entity_names: list[Name] = Field(max_length=_ITEMS_MAX, description="The names of the entities to delete.")


class Deletions(InNamespace):
    """Observations to delete."""

    deletions: list[Untold] = Field(max_length=_ITEMS_MAX)


class Searching(InNamespace):
    """A search."""

    query: str = Field(min_length=1, max_length=2048, description="A question, or words of what is looked for.")


class Graph(Model):
    """Entities with all their observations, and every relation that touches one of them."""

    entities: list[Entity]
    relations: list[Relation]


class NewEntities(Model):
    """Those that were not there."""

    entities: list[Entity]


class NewRelations(Model):
    """Those that were not there."""

    relations: list[Relation]


class NewObservations(Model):
    """Those that were not there, by entity."""

    results: list[Added]


class Deleted(Model):
    """What became of a deletion."""

    success: bool
    message: str
