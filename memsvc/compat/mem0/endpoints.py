"""Routes that mem0's client calls: read the request, call the service, answer in mem0's shape."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError
from starlette.routing import BaseRoute

from memsvc.auth.authenticate import RequireRole
from memsvc.auth.principal import Principal
from memsvc.compat.mem0 import entities, shapes
from memsvc.compat.mem0.filters import Filter, created, joined, moment, names_scope, translated
from memsvc.compat.mem0.messages import drafts
from memsvc.compat.mem0.schemas import (
    Add,
    BatchDelete,
    BatchItem,
    BatchUpdate,
    DeleteQuery,
    GetAll,
    PageQuery,
    Scoped,
    Search,
    Update,
)
from memsvc.core.errors import InvalidInput, NotFound, TooLarge
from memsvc.erasures.service import Wanted
from memsvc.filters.grammar import parse
from memsvc.http.answers import json_answer
from memsvc.http.json_body import read_json
from memsvc.http.query import read_query
from memsvc.http.schemas import format_instant, path_id
from memsvc.http.validation import invalid
from memsvc.http.work import run_blocking
from memsvc.memories.change import Allowed
from memsvc.memories.endpoints import fields_of
from memsvc.memories.schemas import MemoryEdit, memory_fields, to_draft, version_fields
from memsvc.memories.write import Author
from memsvc.namespaces import repository as namespaces
from memsvc.recall.asking import ask
from memsvc.recall.schemas import RecallRequest
from memsvc.wiring import Container

router = APIRouter(include_in_schema=False)

SCHEMES = frozenset({"token", "bearer"})
Reader = Annotated[Principal, Depends(RequireRole("read", SCHEMES))]
Writer = Annotated[Principal, Depends(RequireRole("write", SCHEMES))]
Eraser = Annotated[Principal, Depends(RequireRole("erase", SCHEMES))]

_TOP_K = 10
_GONE = "Memories deleted successfully!"
_GOING = "These memories are being deleted; it goes on after this answer"


def mounted(prefix: str) -> Sequence[BaseRoute]:
    """The routes under a prefix."""
    whole = APIRouter()
    whole.include_router(router, prefix=prefix)
    return whole.routes


class _Place:
    """The namespace of mem0's clients, as one caller reaches it."""

    def __init__(self, request: Request, principal: Principal) -> None:
        self.container: Container = request.app.state.container
        path = self.container.settings.mem0_namespace
        if path is None:
            raise NotFound("there is nothing here")
        principal.require_namespace(path)
        self.path: str = path
        self.tenant_id = principal.tenant_id
        self.author = Author(principal.tenant_id, principal.name, principal.key_id)

    @property
    def only(self) -> Allowed:
        """Ids lead to memories of this namespace alone."""
        return lambda path: path == self.path


@router.get("/v1/ping/")
async def ping(request: Request, principal: Reader) -> Response:
    """Whether the key is good. The tenant stands for the organisation, the namespace for the project."""
    place = _Place(request, principal)
    return json_answer({"status": "ok", "org_id": place.tenant_id, "project_id": place.path, "user_email": None})


@router.post("/v1/memories/")
@router.post("/v3/memories/add/")
async def add(request: Request, principal: Writer) -> Response:
    """Remember messages. The answer comes when they are durable and found."""
    place = _Place(request, principal)
    body = await read_json(request, Add, place.container.settings)
    if len(body.messages) > place.container.settings.batch_max:
        raise TooLarge(f"at most {place.container.settings.batch_max} messages in one call; send several calls")
    now = place.container.clock.now()
    at = now if body.timestamp is None else moment(body.timestamp, "/timestamp")
    told = drafts(body, place.container.settings, occurred_at=at, expires_at=_expiry(body.expiration_date, now))
    if not told:
        return json_answer({"results": []})
    outcome = await run_blocking(request, place.container.remember, place.author, place.path, told)
    results = [
        {"id": item["id"], "memory": draft.content, "event": "ADD"}
        for item, draft in zip(outcome["items"], told, strict=True)
    ]
    return json_answer({"results": results})


@router.post("/v3/memories/search/")
async def search(request: Request, principal: Reader) -> Response:
    """Ask for the memories that matter to a question."""
    place = _Place(request, principal)
    body = await read_json(request, Search, place.container.settings)
    parts = [_scoped(body.filters), *_categories(body.categories)]
    if body.metadata:
        parts.append(translated({"metadata": body.metadata}, ""))
    asked: dict[str, Any] = {
        "namespace": place.path,
        "query": body.query,
        "filter": joined(parts),
        "top_k": _TOP_K if body.top_k is None else body.top_k,
        "profile": "thorough" if body.rerank else "balanced",
    }
    if body.reference_date is not None:
        asked["asked_at"] = format_instant(moment(body.reference_date, "/reference_date"))
    try:
        question = RecallRequest.model_validate(asked, context={"settings": place.container.settings})
    except ValidationError as error:
        raise invalid(error, asked) from None
    outcome = await ask(request, principal, question, question.top_k)
    results = []
    for hit, score in zip(outcome.hits, shapes.scores(outcome.hits, outcome.gathered.confidence), strict=True):
        if body.threshold is not None and score < body.threshold:
            continue
        found = hit.found.memory
        fields = memory_fields(found._mapping, hit.found.hit.memory_id, found.text, hit.path, hit.found.fading)
        results.append(_chosen(shapes.memory_out(fields) | {"score": score}, body.fields))
    return json_answer({"results": results})


@router.post("/v3/memories/")
async def get_all(request: Request, principal: Reader) -> Response:
    """List memories page by page, the newest first."""
    place = _Place(request, principal)
    query = read_query(request, PageQuery, place.container.settings)
    size = _page_size(query, place.container)
    body = await read_json(request, GetAll, place.container.settings)
    parts = [_scoped(body.filters), *_categories(body.categories)]
    if body.start_date is not None:
        parts.append(created({"gte": format_instant(moment(body.start_date, "/start_date"))}))
    if body.end_date is not None:
        op = "lt" if len(body.end_date) == len("2026-01-31") else "lte"
        parts.append(created({op: format_instant(moment(body.end_date, "/end_date", is_end=True))}))
    condition = parse(joined(parts), "/filters")
    found, count = await run_blocking(
        request,
        place.container.reading.numbered,
        place.tenant_id,
        place.path,
        condition,
        offset=(query.page - 1) * size,
        limit=size,
    )
    results = [shapes.memory_out(fields_of(one)) for one in found]
    return json_answer(shapes.page_out(results, count, query.page, size, str(request.url.replace(query=""))))


@router.get("/v1/memories/{memory_id}/")
async def get(request: Request, principal: Reader, memory_id: str) -> Response:
    """One memory."""
    place = _Place(request, principal)
    return await _memory(request, place, path_id(memory_id))


@router.put("/v1/memories/{memory_id}/")
async def update(request: Request, principal: Writer, memory_id: str) -> Response:
    """Change a memory."""
    place = _Place(request, principal)
    body = await read_json(request, Update, place.container.settings)
    named: dict[str, Any] = {}
    if body.text is not None:
        named["content"] = body.text
    if body.metadata is not None:
        named["metadata"] = body.metadata
    if body.timestamp is not None:
        named["occurred_at"] = moment(body.timestamp, "/timestamp")
    more: dict[str, Any] = {}
    if "expiration_date" in body.model_fields_set:
        more["expires_at"] = _expiry(body.expiration_date, place.container.clock.now())
    if not named and not more:
        raise InvalidInput("give at least one of text, metadata, timestamp and expiration_date")
    identifier = path_id(memory_id)
    await run_blocking(request, _edit, place, identifier, named, more)
    return await _memory(request, place, identifier)


@router.delete("/v1/memories/{memory_id}/")
async def delete(request: Request, principal: Eraser, memory_id: str) -> Response:
    """Erase a memory for good."""
    place = _Place(request, principal)
    read_query(request, DeleteQuery, place.container.settings)
    await run_blocking(request, place.container.changer.erase, place.author, path_id(memory_id), place.only, None, None)
    return json_answer({"message": "Memory deleted successfully!"})


@router.delete("/v1/memories/")
async def delete_all(request: Request, principal: Eraser) -> Response:
    """Erase the memories of a user, an agent, an app or a run, or of what is of several of them; never all."""
    place = _Place(request, principal)
    scope = read_query(request, Scoped, place.container.settings).scope
    if not scope:
        raise InvalidInput("give at least one of user_id, agent_id, app_id and run_id: everything is not deleted here")
    return await _erased(request, place, entities.selection(scope))


@router.get("/v1/memories/{memory_id}/history/")
async def history(request: Request, principal: Reader, memory_id: str) -> Response:
    """Every change of a memory, oldest first."""
    place = _Place(request, principal)
    identifier = path_id(memory_id)
    rows = await run_blocking(request, place.container.reading.history, place.tenant_id, identifier, place.only)
    return json_answer(shapes.history_out(identifier, [version_fields(row._mapping) for row in rows]))


@router.get("/v1/entities/")
async def users(request: Request, principal: Reader) -> Response:
    """Users, agents, apps and runs that have memories."""
    place = _Place(request, principal)
    query = read_query(request, PageQuery, place.container.settings)
    size = _page_size(query, place.container)

    def look() -> tuple[list[dict[str, Any]], int]:
        with place.container.database.read(place.tenant_id) as connection:
            namespace = namespaces.find(connection, place.tenant_id, place.path)
            if namespace is None:
                return [], 0
            now = place.container.clock.now()
            return entities.listed(connection, namespace, now, offset=(query.page - 1) * size, limit=size)

    found, count = await run_blocking(request, look)
    return json_answer(shapes.page_out(found, count, query.page, size, str(request.url.replace(query=""))))


@router.delete("/v2/entities/{kind}/{name:path}/")
async def delete_user(request: Request, principal: Eraser, kind: str, name: str) -> Response:
    """Erase the memories of one user, agent, app or run."""
    place = _Place(request, principal)
    if kind not in entities.TYPES:
        raise NotFound("there is no such kind of entity; there are user, agent, app and run")
    try:
        scope = Scoped.model_validate(
            {entities.TYPES[kind]: name}, context={"settings": place.container.settings}
        ).scope
    except ValidationError:
        raise NotFound("there is no such entity") from None
    return await _erased(request, place, entities.selection(scope))


@router.put("/v1/batch/")
async def batch_update(request: Request, principal: Writer) -> Response:
    """Change several memories, one after the other; the first that is refused ends it, and is named."""
    place = _Place(request, principal)
    body = await read_json(request, BatchUpdate, place.container.settings)
    _check_count(len(body.memories), place.container)

    def work() -> None:
        for one in body.memories:  # before anything is changed: the ids may be wrong
            place.container.reading.one(place.tenant_id, one.memory_id, place.only)
        for one in body.memories:
            _edit(place, one.memory_id, _named(one), {})

    await run_blocking(request, work)
    return json_answer({"message": f"Successfully updated {len(body.memories)} memories"})


@router.delete("/v1/batch/")
async def batch_delete(request: Request, principal: Eraser) -> Response:
    """Erase several memories. Ids that lead to nothing are passed over."""
    place = _Place(request, principal)
    body = await read_json(request, BatchDelete, place.container.settings)
    _check_count(len(body.memories), place.container)
    return await _erased(request, place, {"memory_ids": sorted({str(one.memory_id) for one in body.memories})})


@router.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def elsewhere(request: Request, principal: Reader, rest: str) -> Response:
    """The rest of mem0's platform."""
    del request, principal, rest
    raise NotFound("this call of mem0 is not offered here; docs/compat.md lists those that are")


async def _memory(request: Request, place: _Place, memory_id: UUID) -> Response:
    found = await run_blocking(request, place.container.reading.one, place.tenant_id, memory_id, place.only)
    return json_answer(shapes.memory_out(fields_of(found)))


async def _erased(request: Request, place: _Place, selection: dict[str, Any]) -> Response:
    """An erasure with its receipt among the tenant's (docs/erasure.md); 202 while it goes on."""
    wanted = Wanted(place.path, selection)
    seen = await run_blocking(request, place.container.erasures.ask, place.author, wanted, place.only, None)
    if seen.erasure.ended_at is None:
        return json_answer({"message": _GOING}, 202)
    return json_answer({"message": _GONE})


def _edit(place: _Place, memory_id: UUID, named: dict[str, Any], more: dict[str, Any]) -> None:
    said = MemoryEdit.model_construct(_fields_set=set(named), **named)
    place.container.changer.edit(place.author, memory_id, place.only, to_draft(said, **more), None, None)


def _named(item: BatchItem) -> dict[str, Any]:
    given = {"content": item.text, "metadata": item.metadata}
    named = {name: value for name, value in given.items() if value is not None}
    if not named:
        raise InvalidInput("give each memory a text or metadata")
    return named


def _scoped(filters: dict[str, Any]) -> Filter:
    """The filter of a read, which has to say whose memories are meant, as mem0 demands it."""
    if not names_scope(filters):
        raise InvalidInput.field("/filters", "scope_missing", "name a user_id, agent_id, app_id or run_id; '*' is any")
    return translated(filters)


def _categories(wanted: list[str] | None) -> list[Filter]:
    return [translated({"categories": wanted}, "")] if wanted else []


def _chosen(memory: dict[str, Any], fields: list[str] | None) -> dict[str, Any]:
    return {name: value for name, value in memory.items() if fields is None or name in {*fields, "id", "score"}}


def _expiry(day: str | None, now: datetime) -> datetime | None:
    """The end of a day, in UTC, that is not over."""
    if day is None:
        return None
    ends = moment(day, "/expiration_date", is_end=True)
    if len(day) != len("2026-01-31") or ends < now + timedelta(seconds=1):
        raise InvalidInput.field("/expiration_date", "expiry", "give a day that is not over, such as 2026-01-31")
    return ends


def _page_size(query: PageQuery, container: Container) -> int:
    most = container.settings.page_max
    if query.page_size > most:
        raise InvalidInput.field("/page_size", "less_than_equal", f"must be at most {most}")
    return query.page_size


def _check_count(count: int, container: Container) -> None:
    most = container.settings.batch_max
    if count > most:
        raise TooLarge(f"at most {most} memories in one call; send several calls")
