"""Routes that mem0's client reads by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from memsvc.auth.principal import Principal
from memsvc.compat.mem0 import entities, shapes
from memsvc.compat.mem0.filters import Filter, created, joined, moment, names_scope, translated
from memsvc.compat.mem0.place import PREFIX, Place, Reader, memory_answer, page_size
from memsvc.compat.mem0.schemas import GetAll, Listing, PageQuery, Question, Search
from memsvc.core.errors import InvalidInput
from memsvc.filters.ast import Node
from memsvc.filters.grammar import parse
from memsvc.http.answers import json_answer
from memsvc.http.json_body import read_json
from memsvc.http.query import read_query
from memsvc.http.schemas import format_instant, path_id
from memsvc.http.validation import invalid
from memsvc.http.work import run_blocking
from memsvc.memories.endpoints import fields_of
from memsvc.memories.schemas import memory_fields, version_fields
from memsvc.namespaces import repository as namespaces
from memsvc.recall.asking import ask
from memsvc.recall.schemas import RecallRequest

router = APIRouter(prefix=PREFIX, include_in_schema=False)

_TOP_K = 10


@router.get("/v1/ping/")
async def ping(request: Request, principal: Reader) -> Response:
    """Whether the key is good. The tenant stands for the organisation, the namespace for the project."""
    place = Place(request, principal)
    return json_answer({"status": "ok", "org_id": place.tenant_id, "project_id": place.path, "user_email": None})


@router.post("/v3/memories/search/")
async def search(request: Request, principal: Reader) -> Response:
    """Ask for the memories that matter to a question."""
    place = Place(request, principal)
    body = await read_json(request, Search, place.container.settings)
    return json_answer({"results": await answers(request, principal, place, body, scoped(body.filters), body.top_k)})


@router.post("/v3/memories/")
async def get_all(request: Request, principal: Reader) -> Response:
    """List memories page by page, the newest first."""
    place = Place(request, principal)
    query = read_query(request, PageQuery, place.container.settings)
    body = await read_json(request, GetAll, place.container.settings)
    return await numbered(request, place, narrowed(scoped(body.filters), body), query.page, query.page_size)


async def answers(
    request: Request, principal: Principal, place: Place, body: Question, within: Filter, top_k: int | None
) -> list[dict[str, Any]]:
    """The memories that matter to a question, the best first.

    Args:
        within: whose memories are asked.
        top_k: how many, `_TOP_K` if nobody says.
    """
    parts = [within, *_categories(body.categories)]
    if body.metadata:
        parts.append(translated({"metadata": body.metadata}, ""))
    asked: dict[str, Any] = {
        "namespace": place.path,
        "query": body.query,
        "filter": joined(parts),
        "top_k": _TOP_K if top_k is None else top_k,
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
    return results


async def numbered(request: Request, place: Place, condition: Node, page: int, size: int) -> Response:
    """A page of the memories for which a condition holds, the newest first."""
    found, count = await page_of(request, place, condition, page, size)
    return json_answer(shapes.page_out(found, count, page, size, str(request.url.replace(query=""))))


async def page_of(
    request: Request, place: Place, condition: Node, page: int, size: int
) -> tuple[list[dict[str, Any]], int]:
    """The memories of a page, and how many there are on all."""
    size = page_size(size, place.container)
    reading = place.container.reading
    found, count = await run_blocking(
        request, reading.numbered, place.tenant_id, place.path, condition, offset=(page - 1) * size, limit=size
    )
    return [shapes.memory_out(fields_of(one)) for one in found], count


def narrowed(within: Filter, body: Listing) -> Node:
    """What a list is narrowed to."""
    parts = [within, *_categories(body.categories)]
    if body.start_date is not None:
        parts.append(created({"gte": format_instant(moment(body.start_date, "/start_date"))}))
    if body.end_date is not None:
        op = "lt" if len(body.end_date) == len("2026-01-31") else "lte"
        parts.append(created({op: format_instant(moment(body.end_date, "/end_date", is_end=True))}))
    return parse(joined(parts), "/filters")


@router.get("/v1/memories/{memory_id}/")
async def get(request: Request, principal: Reader, memory_id: str) -> Response:
    """One memory."""
    place = Place(request, principal)
    return await memory_answer(request, place, path_id(memory_id))


@router.get("/v1/memories/{memory_id}/history/")
async def history(request: Request, principal: Reader, memory_id: str) -> Response:
    """Every change of a memory, oldest first."""
    place = Place(request, principal)
    identifier = path_id(memory_id)
    rows = await run_blocking(request, place.container.reading.history, place.tenant_id, identifier, place.only)
    return json_answer(shapes.history_out(identifier, [version_fields(row._mapping) for row in rows]))


@router.get("/v1/entities/")
async def users(request: Request, principal: Reader) -> Response:
    """Users, agents, apps and runs that have memories."""
    place = Place(request, principal)
    query = read_query(request, PageQuery, place.container.settings)
    size = page_size(query.page_size, place.container)

    def look() -> tuple[list[dict[str, Any]], int]:
        with place.container.database.read(place.tenant_id) as connection:
            namespace = namespaces.find(connection, place.tenant_id, place.path)
            if namespace is None:
                return [], 0
            now = place.container.clock.now()
            return entities.listed(connection, namespace, now, offset=(query.page - 1) * size, limit=size)

    found, count = await run_blocking(request, look)
    return json_answer(shapes.page_out(found, count, query.page, size, str(request.url.replace(query=""))))


def scoped(filters: Mapping[str, Any]) -> Filter:
    """The filter of a read, which has to say whose memories are meant, as mem0 demands it."""
    if not names_scope(filters):
        raise InvalidInput.field("/filters", "scope_missing", "name a user_id, agent_id, app_id or run_id; '*' is any")
    return translated(filters)


def _categories(wanted: list[str] | None) -> list[Filter]:
    return [translated({"categories": wanted}, "")] if wanted else []


def _chosen(memory: dict[str, Any], fields: list[str] | None) -> dict[str, Any]:
    return {name: value for name, value in memory.items() if fields is None or name in {*fields, "id", "score"}}
