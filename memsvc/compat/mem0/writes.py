"""Routes that mem0's client writes and deletes by."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from memsvc.compat.mem0 import entities
from memsvc.compat.mem0.filters import moment
from memsvc.compat.mem0.messages import drafts
from memsvc.compat.mem0.place import PREFIX, Eraser, Place, Writer, check_count, memory_answer
from memsvc.compat.mem0.schemas import (
    Add,
    BatchDelete,
    BatchItem,
    BatchUpdate,
    DeleteQuery,
    Scoped,
    Update,
)
from memsvc.core.errors import InvalidInput, NotFound, TooLarge
from memsvc.erasures.service import Wanted
from memsvc.http.answers import json_answer
from memsvc.http.json_body import read_json
from memsvc.http.query import read_query
from memsvc.http.schemas import path_id
from memsvc.http.work import run_blocking
from memsvc.memories.schemas import MemoryEdit, to_draft

router = APIRouter(prefix=PREFIX, include_in_schema=False)

_GONE = "Memories deleted successfully!"
_GOING = "These memories are being deleted; it goes on after this answer"


@router.post("/v1/memories/")
@router.post("/v3/memories/add/")
async def add(request: Request, principal: Writer) -> Response:
    """Remember messages. The answer comes when they are durable and found."""
    place = Place(request, principal)
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


@router.put("/v1/memories/{memory_id}/")
async def update(request: Request, principal: Writer, memory_id: str) -> Response:
    """Change a memory."""
    place = Place(request, principal)
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
    return await memory_answer(request, place, identifier)


@router.delete("/v1/memories/{memory_id}/")
async def delete(request: Request, principal: Eraser, memory_id: str) -> Response:
    """Erase a memory for good."""
    place = Place(request, principal)
    read_query(request, DeleteQuery, place.container.settings)
    await run_blocking(request, place.container.changer.erase, place.author, path_id(memory_id), place.only, None, None)
    return json_answer({"message": "Memory deleted successfully!"})


@router.delete("/v1/memories/")
async def delete_all(request: Request, principal: Eraser) -> Response:
    """Erase the memories of a user, an agent, an app or a run, or of what is of several of them; never all."""
    place = Place(request, principal)
    scope = read_query(request, Scoped, place.container.settings).scope
    if not scope:
        raise InvalidInput("give at least one of user_id, agent_id, app_id and run_id: everything is not deleted here")
    return await _erased(request, place, entities.selection(scope))


@router.delete("/v2/entities/{kind}/{name:path}/")
async def delete_user(request: Request, principal: Eraser, kind: str, name: str) -> Response:
    """Erase the memories of one user, agent, app or run."""
    return await erased_of(request, Place(request, principal), kind, name)


async def erased_of(request: Request, place: Place, kind: str, name: str) -> Response:
    """The erasure of the memories of one user, agent, app or run."""
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
    """Change several memories, one after the other; the first that is refused ends it."""
    place = Place(request, principal)
    body = await read_json(request, BatchUpdate, place.container.settings)
    check_count(len(body.memories), place.container)
    changes = [(one.memory_id, _named(one)) for one in body.memories]

    def work() -> None:
        for memory_id, _ in changes:  # before anything is changed: the ids may be wrong
            place.container.reading.one(place.tenant_id, memory_id, place.only)
        for memory_id, named in changes:
            _edit(place, memory_id, named, {})

    await run_blocking(request, work)
    return json_answer({"message": f"Successfully updated {len(body.memories)} memories"})


@router.delete("/v1/batch/")
async def batch_delete(request: Request, principal: Eraser) -> Response:
    """Erase several memories. Ids that lead to nothing are passed over."""
    place = Place(request, principal)
    body = await read_json(request, BatchDelete, place.container.settings)
    check_count(len(body.memories), place.container)
    return await _erased(request, place, {"memory_ids": sorted({str(one.memory_id) for one in body.memories})})


async def _erased(request: Request, place: Place, selection: dict[str, Any]) -> Response:
    """An erasure with its receipt among the tenant's (docs/erasure.md); 202 while it goes on."""
    wanted = Wanted(place.path, selection)
    seen = await run_blocking(request, place.container.erasures.ask, place.author, wanted, place.only, None)
    if seen.erasure.ended_at is None:
        return json_answer({"message": _GOING}, 202)
    return json_answer({"message": _GONE})


def _edit(place: Place, memory_id: UUID, named: dict[str, Any], more: dict[str, Any]) -> None:
    said = MemoryEdit.model_construct(_fields_set=set(named), **named)
    place.container.changer.edit(place.author, memory_id, place.only, to_draft(said, **more), None, None)


def _named(item: BatchItem) -> dict[str, Any]:
    given = {"content": item.text, "metadata": item.metadata}
    named = {name: value for name, value in given.items() if value is not None}
    if not named:
        raise InvalidInput("give each memory a text or metadata")
    return named


def _expiry(day: str | None, now: datetime) -> datetime | None:
    """The end of a day, in UTC, that is not over."""
    if day is None:
        return None
    ends = moment(day, "/expiration_date", is_end=True)
    if len(day) != len("2026-01-31") or ends < now + timedelta(seconds=1):
        raise InvalidInput.field("/expiration_date", "expiry", "give a day that is not over, such as 2026-01-31")
    return ends
