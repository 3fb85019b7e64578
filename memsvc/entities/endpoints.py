"""Routes about entities: who and what is mentioned, under which names."""

from __future__ import annotations

import re
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from memsvc.auth.authenticate import Reader, Writer
from memsvc.core.errors import NotFound
from memsvc.core.settings import Settings
from memsvc.entities.service import Entities, Party
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems, query_parameters
from memsvc.http.query import QueryInt, check_limit, read_query
from memsvc.http.routes import API
from memsvc.http.schemas import ApiModel, Bytes
from memsvc.http.work import run_blocking
from memsvc.memories.schemas import NamespacePath

router = APIRouter(prefix=API)

_READ = problems(400, 401, 403, 404, 414, 422, 431, 503)
_WRITE = problems(400, 401, 403, 404, 408, 413, 414, 415, 422, 431, 503, 507)
_HEX = re.compile(r"[0-9a-f]{16}", re.ASCII)
_PATTERN = "^[0-9a-f]{16}$"


class EntityContainer(Protocol):
    """What these routes need of the assembled service."""

    settings: Settings
    entities: Entities


def _parse(value: object) -> int:
    if isinstance(value, str) and _HEX.fullmatch(value):
        return int(value, 16)
    raise PydanticCustomError("entity_id", "give 16 hexadecimal digits in small letters")


def _shown(mention_id: int) -> str:
    return f"{mention_id:016x}"


EntityId = Annotated[
    int,
    PlainValidator(_parse),
    PlainSerializer(_shown, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _PATTERN}),
]
"""The id of an entity or of one of its names: 64 bits in hexadecimal."""


class EntitiesQuery(ApiModel):
    """Which entities to list."""

    namespace: NamespacePath
    limit: QueryInt = Field(50, ge=1)
    cursor: Annotated[str, Bytes(4096)] | None = None


class EntityQuery(ApiModel):
    """Where an entity is looked for."""

    namespace: NamespacePath


class GraphQuery(EntityQuery):
    """How much of what is around an entity."""

    limit: QueryInt = Field(20, ge=1, le=50, description="Most entities beside the one that is asked for.")


class EntityMerge(ApiModel):
    """Entities that are one."""

    namespace: NamespacePath
    entity_ids: Annotated[list[EntityId], Field(min_length=2, max_length=64)]


class EntitySplit(ApiModel):
    """Names that do not stand for the entity that they are held for."""

    namespace: NamespacePath
    entity_id: EntityId
    alias_ids: Annotated[list[EntityId], Field(max_length=64)] = Field(
        default_factory=list, description="The names to take out; without any every name stands for itself."
    )


class AliasOut(ApiModel):
    """A name of an entity: how it is mostly written, and how many memories mention it."""

    id: EntityId
    name: str
    memories: int


class TieOut(ApiModel):
    """Why two names are held for one, and how far that is to be trusted.

    `told_by` are the ids of memories that say so, at most 16; empty unless the rule is `told`.
    """

    one: str
    other: str
    rule: str
    confidence: float
    told_by: list[UUID]


class EntityOut(ApiModel):
    """An entity: its most frequent name, all its names, and what holds them together.

    `decided` says that somebody joined or parted some of its names; `confidence` is that of the weakest tie.
    """

    id: EntityId
    name: str
    memories: int
    aliases: list[AliasOut]
    ties: list[TieOut]
    confidence: float
    decided: bool


class EntityPageOut(ApiModel):
    """One page of entities, those that most memories mention first."""

    items: list[EntityOut]
    next_cursor: str | None


class SharedOut(ApiModel):
    """That memories mention two entities together: how many, and the ids of the newest, at most 16."""

    one: EntityId
    other: EntityId
    memories: int
    memory_ids: list[UUID]


class EntityGraphOut(ApiModel):
    """An entity, first, and those that most memories mention together with it, the nearest first; what two share."""

    entities: list[EntityOut]
    links: list[SharedOut]


class EntitiesOut(ApiModel):
    """The entities that came of a split."""

    items: list[EntityOut]


def _entity(party: Party) -> EntityOut:
    group = party.group
    return EntityOut.model_construct(
        id=party.id,
        name=group.names[0].text,
        memories=group.memories,
        aliases=[
            AliasOut.model_construct(id=name.id, name=name.text, memories=count)
            for name, count in zip(group.names, group.counts, strict=True)
        ],
        ties=[
            TieOut.model_construct(
                one=tie.one,
                other=tie.other,
                rule=tie.rule,
                confidence=tie.confidence,
                told_by=[memory for memory in tie.told_by if isinstance(memory, UUID)],
            )
            for tie in group.ties
        ],
        confidence=group.confidence,
        decided=party.decided,
    )


@router.get(
    "/entities", response_model=EntityPageOut, responses=_READ, openapi_extra=query_parameters(EntitiesQuery),
)  # fmt: skip
async def list_entities(request: Request, principal: Reader) -> EntityPageOut:
    """Who and what the active memories of a namespace mention, each with the names that stand for it."""
    container: EntityContainer = request.app.state.container
    query = read_query(request, EntitiesQuery, container.settings)
    principal.require_namespace(query.namespace)
    check_limit(query.limit, container.settings)
    page = await run_blocking(
        request, container.entities.page, principal.tenant_id, query.namespace, query.limit, query.cursor
    )
    items = [_entity(party) for party in page.parties]
    return EntityPageOut.model_construct(items=items, next_cursor=page.next_cursor)


@router.get(
    "/entities/{entity_id}", response_model=EntityOut, responses=_READ, openapi_extra=query_parameters(EntityQuery),
)  # fmt: skip
async def get_entity(request: Request, principal: Reader, entity_id: str) -> EntityOut:
    """One entity, by its id or that of any of its names."""
    container: EntityContainer = request.app.state.container
    query = read_query(request, EntityQuery, container.settings)
    principal.require_namespace(query.namespace)
    if not _HEX.fullmatch(entity_id):
        raise NotFound("there is no such entity")
    mention = int(entity_id, 16)
    return _entity(await run_blocking(request, container.entities.one, principal.tenant_id, query.namespace, mention))


@router.get(
    "/entities/{entity_id}/graph",
    response_model=EntityGraphOut, responses=_READ, openapi_extra=query_parameters(GraphQuery),
)  # fmt: skip
async def get_entity_graph(request: Request, principal: Reader, entity_id: str) -> EntityGraphOut:
    """What is around an entity: whom active memories mention together with it."""
    container: EntityContainer = request.app.state.container
    query = read_query(request, GraphQuery, container.settings)
    principal.require_namespace(query.namespace)
    if not _HEX.fullmatch(entity_id):
        raise NotFound("there is no such entity")
    company = await run_blocking(
        request, container.entities.company, principal.tenant_id, query.namespace, int(entity_id, 16), query.limit
    )
    return EntityGraphOut.model_construct(
        entities=[_entity(party) for party in company.parties],
        links=[
            SharedOut.model_construct(
                one=company.parties[link.one].id,
                other=company.parties[link.other].id,
                memories=link.memories,
                memory_ids=[memory for memory in link.told_by if isinstance(memory, UUID)],
            )
            for link in company.shared
        ],
    )


@router.post("/entities:merge", response_model=EntityOut, responses=_WRITE, openapi_extra=json_body(EntityMerge))
async def merge_entities(request: Request, principal: Writer) -> EntityOut:
    """Say that entities are one. Memories keep what they mention: a split takes it back. Safe to repeat."""
    container: EntityContainer = request.app.state.container
    body = await read_json(request, EntityMerge, container.settings)
    principal.require_namespace(body.namespace)
    return _entity(
        await run_blocking(
            request, container.entities.merge, principal.tenant_id, body.namespace, body.entity_ids, principal.name
        )
    )


@router.post("/entities:split", response_model=EntitiesOut, responses=_WRITE, openapi_extra=json_body(EntitySplit))
async def split_entity(request: Request, principal: Writer) -> EntitiesOut:
    """Take names out of an entity: undoes a merge, and corrects what was learned. A merge takes it back."""
    container: EntityContainer = request.app.state.container
    body = await read_json(request, EntitySplit, container.settings)
    principal.require_namespace(body.namespace)
    parties = await run_blocking(
        request,
        container.entities.split,
        principal.tenant_id,
        body.namespace,
        body.entity_id,
        body.alias_ids,
        principal.name,
    )
    return EntitiesOut.model_construct(items=[_entity(party) for party in parties])
