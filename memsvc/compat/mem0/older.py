"""Routes of mem0's client before version 2, where they differ.

Whose memories are meant stands beside the question, or in the query string. A list is a page only where a page is asked
for; else it is a plain list, or `results` where `output_format` is `v1.1`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from memsvc.compat.mem0.entities import TYPES
from memsvc.compat.mem0.filters import Filter, joined, translated
from memsvc.compat.mem0.place import PREFIX, Eraser, Place, Reader, page_size
from memsvc.compat.mem0.reads import answers, narrowed, numbered, page_of, scoped
from memsvc.compat.mem0.schemas import (
    Listing,
    OlderGetAll,
    OlderPageQuery,
    OlderSearch,
    OldestGetAll,
    Sent,
)
from memsvc.compat.mem0.writes import erased_of
from memsvc.core.errors import NotFound
from memsvc.filters.ast import Node
from memsvc.http.answers import json_answer
from memsvc.http.json_body import read_json
from memsvc.http.query import read_query

router = APIRouter(prefix=PREFIX, include_in_schema=False)

_PAGE = 100
"""So many memories a list has if nobody says, as at mem0."""


@router.post("/v1/memories/search/")
@router.post("/v2/memories/search/")
async def search(request: Request, principal: Reader) -> Response:
    """Ask for the memories that matter to a question."""
    place = Place(request, principal)
    body = await read_json(request, OlderSearch, place.container.settings)
    top_k = body.limit if body.top_k is None else body.top_k
    return _plain(body, await answers(request, principal, place, body, _within(body.scope, body.filters), top_k))


@router.get("/v1/memories/")
async def get_all_by_query(request: Request, principal: Reader) -> Response:
    """List memories of a user, an agent, an app or a run, the newest first."""
    place = Place(request, principal)
    query = read_query(request, OldestGetAll, place.container.settings)
    categories = None if query.categories is None else [query.categories]
    dates = Listing(start_date=query.start_date, end_date=query.end_date, categories=categories)
    condition = narrowed(_within(query.scope, None), dates)
    return await _listed(request, place, condition, query, query.limit, query)


@router.post("/v2/memories/")
async def get_all(request: Request, principal: Reader) -> Response:
    """List memories by a filter, the newest first."""
    place = Place(request, principal)
    query = read_query(request, OlderPageQuery, place.container.settings)
    body = await read_json(request, OlderGetAll, place.container.settings)
    return await _listed(request, place, narrowed(_within(body.scope, body.filters), body), query, body.limit, body)


@router.delete("/v1/entities/{kind}/{entity_id:path}/")
async def delete_user(request: Request, principal: Eraser, kind: str, entity_id: str) -> Response:
    """Erase the memories of one user, agent, app or run, by the id that the list of entities gives it."""
    place = Place(request, principal)
    listed_as, _, name = entity_id.partition(":")
    if listed_as != kind or kind not in TYPES:
        raise NotFound("there is no such entity; use an id of the list of entities")
    return await erased_of(request, place, kind, name)


async def _listed(
    request: Request, place: Place, condition: Node, page: OlderPageQuery, limit: int | None, sent: Sent
) -> Response:
    if page.page is not None or page.page_size is not None:
        return await numbered(request, place, condition, page.page or 1, page.page_size or _PAGE)
    most = place.container.settings.page_max
    size = min(_PAGE, most) if limit is None else page_size(limit, place.container, "limit")
    found, _ = await page_of(request, place, condition, 1, size)
    return _plain(sent, found)


def _plain(sent: Sent, results: list[dict[str, Any]]) -> Response:
    return json_answer({"results": results} if sent.output_format == "v1.1" else results)


def _within(scope: Mapping[str, str], filters: Mapping[str, Any] | None) -> Filter:
    """Both what is named beside a filter and the filter; one of them has to say whose memories are meant."""
    if not scope:
        return scoped(filters or {})
    return joined([*([translated(filters)] if filters else []), translated(scope, "")])
