"""Routes of memories and conversations: read the request, call the service, shape the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ValidationError

from gpu.bank.records import State
from memsvc.auth.authenticate import Admin, Eraser, Reader, Writer, note_denied_look, note_look
from memsvc.auth.principal import Principal
from memsvc.core.errors import Forbidden, InvalidInput, ServiceError, TooLarge
from memsvc.filters.ast import Node
from memsvc.filters.grammar import parse
from memsvc.http.answers import json_answer
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems, query_parameters
from memsvc.http.query import check_limit, read_query
from memsvc.http.routes import API
from memsvc.http.schemas import path_id
from memsvc.http.strict_json import parse as parse_json
from memsvc.http.validation import invalid
from memsvc.http.work import run_blocking
from memsvc.memories.conditions import KEYED, claim, etag, if_match
from memsvc.memories.draft import Draft
from memsvc.memories.once import Outcome
from memsvc.memories.read import Located
from memsvc.memories.schemas import (
    BatchAnswer,
    BatchCreate,
    ConversationCreate,
    Describes,
    HistoryAnswer,
    LinkOut,
    LinksAnswer,
    ListQuery,
    MemoryAnswer,
    MemoryCreate,
    MemoryEdit,
    MemoryIn,
    MemoryOut,
    MemoryPage,
    TurnIn,
    WhyIn,
    memory_fields,
    to_draft,
    version_fields,
)
from memsvc.memories.write import Author
from memsvc.models import Relation
from memsvc.wiring import Container

router = APIRouter(prefix=API)

M = TypeVar("M", bound=BaseModel)
_READ = problems(400, 401, 403, 404, 414, 422, 431, 503)
_WRITE = problems(400, 401, 403, 404, 408, 409, 412, 413, 414, 415, 422, 431, 503, 507)
_CREATE: dict[int | str, dict[str, Any]] = {
    200: {"model": MemoryAnswer, "description": "The memory of this `external_id` was edited, or is as it was said."},
    **_WRITE,
}
_CHANGE = [
    *KEYED,
    {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The ETag of the version that is to be changed; 412 if there is a newer one.",
        "schema": {"type": "string", "pattern": '^("[0-9]{1,9}"|[*])$'},
    },
]


def _container(request: Request) -> Container:
    container: Container = request.app.state.container
    return container


def _author(principal: Principal) -> Author:
    return Author(principal.tenant_id, principal.name, principal.key_id, principal.trust)


def parse_filter(text: str | None) -> tuple[Node | None, Any]:
    """A filter from a query string: its meaning, and the JSON it was."""
    if text is None:
        return None, None
    raw = parse_json(text.encode())
    return parse(raw), raw


@router.post(
    "/memories",
    status_code=201,
    response_model=MemoryAnswer,
    responses=_CREATE,
    openapi_extra=json_body(MemoryCreate) | {"parameters": KEYED},
)
async def create_memory(request: Request, principal: Writer) -> Response:
    """Remember one thing. 201 means durable, and found by the next recall; 200 that an `external_id` was edited."""
    container = _container(request)
    body = await read_json(request, MemoryCreate, container.settings)
    principal.require_namespace(body.namespace)
    token = claim(request, principal, container.secrets, "create", body)
    outcome = await run_blocking(
        request, container.remember, _author(principal), body.namespace, [to_draft(body)], claim=token
    )
    item = outcome["items"][0]
    if "problem" in item:
        problem = item["problem"]
        raise InvalidInput.field(problem["errors"][0]["pointer"], problem["errors"][0]["code"], problem["detail"])
    return await _answer(request, principal, outcome, item["status"])


@router.post(
    "/memories:batch", response_model=BatchAnswer, responses=_WRITE,
    openapi_extra=json_body(BatchCreate) | {"parameters": KEYED},
)  # fmt: skip
async def create_memories(request: Request, principal: Writer) -> Response:
    """Remember many things in one transaction. Each item has its own answer; a refused one does not stop the rest."""
    container = _container(request)
    body = await read_json(request, BatchCreate, container.settings)
    principal.require_namespace(body.namespace)
    _check_count(len(body.memories), container)
    token = claim(request, principal, container.secrets, "batch", body)

    def work() -> Outcome:
        drafts = [_draft(MemoryIn, raw, i, "memories", container) for i, raw in enumerate(body.memories)]
        return container.remember(_author(principal), body.namespace, drafts, claim=token)

    return _batch_answer(await run_blocking(request, work), body.memories)


@router.post(
    "/conversations", response_model=BatchAnswer, responses=_WRITE,
    openapi_extra=json_body(ConversationCreate) | {"parameters": KEYED},
)  # fmt: skip
async def create_conversation(request: Request, principal: Writer) -> Response:
    """Remember a conversation: each turn a memory with its speaker and time that follows the turn before."""
    container = _container(request)
    body = await read_json(request, ConversationCreate, container.settings)
    principal.require_namespace(body.namespace)
    _check_count(len(body.turns), container)
    token = claim(request, principal, container.secrets, "conversation", body)
    shared = {"session_id": body.session_id, "user_id": body.user_id, "agent_id": body.agent_id}
    shared = {name: value for name, value in shared.items() if value is not None}

    def turn(raw: dict[str, Any], index: int) -> Draft | ServiceError:
        said = _validated(TurnIn, raw, index, "turns", container)
        if isinstance(said, ServiceError):
            return said
        named = {name: getattr(said, name) for name in said.model_fields_set}
        return to_draft(MemoryIn.model_construct(_fields_set=set(named), **named), follows=index - 1, **shared)

    def work() -> Outcome:
        drafts = [turn(raw, i) for i, raw in enumerate(body.turns)]
        return container.remember(_author(principal), body.namespace, drafts, session_id=body.session_id, claim=token)

    return _batch_answer(await run_blocking(request, work), body.turns)


@router.get("/memories", response_model=MemoryPage, responses=_READ, openapi_extra=query_parameters(ListQuery))
async def list_memories(request: Request, principal: Reader) -> Response:
    """A namespace's memories, page by page. Without `state` in the filter: active ones."""
    container = _container(request)
    query = read_query(request, ListQuery, container.settings)
    principal.require_namespace(query.namespace)
    check_limit(query.limit, container.settings)
    condition, raw = parse_filter(query.filter)
    try:
        page = await run_blocking(
            request,
            container.reading.page,
            principal.tenant_id,
            query.namespace,
            condition,
            raw,
            newest_first=query.order == "newest",
            limit=query.limit,
            cursor=query.cursor,
            reviews="admin" in principal.roles,
        )
    except Forbidden:
        await note_denied_look(request, principal)
        raise
    if any(found.stored.row["state"] == State.QUARANTINED for found in page.memories):
        await note_look(request, principal)
    items = [fields_of(found) for found in page.memories]
    return json_answer({"items": items, "next_cursor": page.next_cursor})


@router.get("/memories/{memory_id}", response_model=MemoryOut, responses=_READ)
async def get_memory(request: Request, principal: Reader, memory_id: str) -> Response:
    """One memory. What is in quarantine is shown to admins alone."""
    container = _container(request)
    found = await run_blocking(
        request,
        container.reading.one,
        principal.tenant_id,
        path_id(memory_id),
        principal.may,
        reviews="admin" in principal.roles,
    )
    if found.stored.row["state"] == State.QUARANTINED:
        await note_look(request, principal)
    return json_answer(fields_of(found), headers={"ETag": etag(found.stored.row["version"])})


@router.patch(
    "/memories/{memory_id}",
    response_model=MemoryAnswer,
    responses=_WRITE,
    openapi_extra=json_body(MemoryEdit) | {"parameters": _CHANGE},
)
async def edit_memory(request: Request, principal: Writer, memory_id: str) -> Response:
    """Change what is named, as a new version. With If-Match only if the memory still has that version."""
    container = _container(request)
    body = await read_json(request, MemoryEdit, container.settings)
    identifier = path_id(memory_id)
    token = claim(request, principal, container.secrets, f"edit {identifier}", body)
    outcome = await run_blocking(
        request,
        container.changer.edit,
        _author(principal),
        identifier,
        principal.may,
        to_draft(body),
        if_match(request),
        token,
    )
    return await _answer(request, principal, outcome)


@router.post(
    "/memories/{memory_id}:forget", response_model=MemoryAnswer, responses=_WRITE, openapi_extra={"parameters": _CHANGE}
)
async def forget_memory(request: Request, principal: Writer, memory_id: str) -> Response:
    """Hide a memory from every read and recall. `:restore` brings it back."""
    container = _container(request)
    identifier = path_id(memory_id)
    token = claim(request, principal, container.secrets, f"forget {identifier}", None)
    outcome = await run_blocking(
        request, container.changer.forget, _author(principal), identifier, principal.may, if_match(request), token
    )
    return await _answer(request, principal, outcome)


@router.post(
    "/memories/{memory_id}:restore",
    response_model=MemoryAnswer,
    responses=_WRITE,
    openapi_extra={"parameters": _CHANGE},
)
async def restore_memory(request: Request, principal: Writer, memory_id: str) -> Response:
    """Bring a forgotten, archived or superseded memory back."""
    container = _container(request)
    identifier = path_id(memory_id)
    token = claim(request, principal, container.secrets, f"restore {identifier}", None)
    outcome = await run_blocking(
        request, container.changer.restore, _author(principal), identifier, principal.may, if_match(request), token
    )
    return await _answer(request, principal, outcome)


@router.post(
    "/memories/{memory_id}:unmerge",
    response_model=MemoryAnswer,
    responses=_WRITE,
    openapi_extra={"parameters": _CHANGE},
)
async def unmerge_memory(request: Request, principal: Writer, memory_id: str) -> Response:
    """Take a memory out of the one that stands for it, or out of one all that it stands for, for good."""
    container = _container(request)
    identifier = path_id(memory_id)
    token = claim(request, principal, container.secrets, f"unmerge {identifier}", None)
    outcome = await run_blocking(
        request, container.changer.unmerge, _author(principal), identifier, principal.may, if_match(request), token
    )
    return await _answer(request, principal, outcome)


@router.post(
    "/memories/{memory_id}:quarantine", response_model=MemoryAnswer, responses=_WRITE,
    openapi_extra=json_body(WhyIn) | {"parameters": _CHANGE},
)  # fmt: skip
async def quarantine_memory(request: Request, principal: Admin, memory_id: str) -> Response:
    """Hide a memory from everyone but admins, with what was derived from it, until `:unquarantine`."""
    return await _held(request, principal, memory_id, "quarantine", _container(request).changer.quarantine)


@router.post(
    "/memories/{memory_id}:unquarantine", response_model=MemoryAnswer, responses=_WRITE,
    openapi_extra=json_body(WhyIn) | {"parameters": _CHANGE},
)  # fmt: skip
async def unquarantine_memory(request: Request, principal: Admin, memory_id: str) -> Response:
    """Let a memory out of quarantine. What was noticed in it stays flagged."""
    return await _held(request, principal, memory_id, "unquarantine", _container(request).changer.unquarantine)


async def _held(
    request: Request, principal: Principal, memory_id: str, op: str, change: Callable[..., Outcome]
) -> Response:
    container = _container(request)
    body = await read_json(request, WhyIn, container.settings)
    identifier = path_id(memory_id)
    token = claim(request, principal, container.secrets, f"{op} {identifier}", body)
    outcome = await run_blocking(
        request, change, _author(principal), identifier, principal.may, body.reason, if_match(request), token
    )
    return await _answer(request, principal, outcome)


@router.delete(
    "/memories/{memory_id}", status_code=204, response_class=Response, responses=_WRITE,
    openapi_extra={"parameters": _CHANGE},
)  # fmt: skip
async def erase_memory(request: Request, principal: Eraser, memory_id: str) -> Response:
    """Erase a memory for good: every version, vector and link. There is no way back."""
    container = _container(request)
    identifier = path_id(memory_id)
    token = claim(request, principal, container.secrets, f"erase {identifier}", None)
    await run_blocking(
        request, container.changer.erase, _author(principal), identifier, principal.may, if_match(request), token
    )
    return Response(status_code=204)


@router.get("/memories/{memory_id}/history", response_model=HistoryAnswer, responses=_READ)
async def memory_history(request: Request, principal: Reader, memory_id: str) -> Response:
    """Every version of a memory, oldest first."""
    container = _container(request)
    rows = await run_blocking(
        request,
        container.reading.history,
        principal.tenant_id,
        path_id(memory_id),
        principal.may,
        reviews="admin" in principal.roles,
    )
    if rows[-1].state == State.QUARANTINED:
        await note_look(request, principal)
    return json_answer({"items": [version_fields(row._mapping) for row in rows]})


@router.get("/memories/{memory_id}/links", response_model=LinksAnswer, responses=_READ)
async def memory_links(request: Request, principal: Reader, memory_id: str) -> LinksAnswer:
    """Links of a memory to other active memories."""
    container = _container(request)
    found = await run_blocking(request, container.reading.links, principal.tenant_id, path_id(memory_id), principal.may)
    items = [
        LinkOut.model_construct(relation=Relation(relation), memory_id=other, direction="out" if outgoing else "in")
        for relation, other, outgoing in found
    ]
    return LinksAnswer.model_construct(items=items)


async def _answer(request: Request, principal: Principal, outcome: Outcome, status: int = 200) -> Response:
    """The memory that a write left, read from the database: a replay shows it as it is now."""
    item = outcome["items"][0]
    found = await run_blocking(request, _container(request).reading.written, principal.tenant_id, UUID(item["id"]))
    memory = None if found is None else fields_of(found)
    answer = {"memory": memory, "seq": outcome["seq"], "degraded": item.get("degraded", [])}
    return json_answer(answer, status, {"ETag": etag(item["version"])})


def fields_of(found: Located) -> dict[str, Any]:
    """A memory as `MemoryOut`."""
    stored = found.stored
    return memory_fields(stored.row, stored.id, stored.content, found.path, found.fading)


def _batch_answer(outcome: Outcome, asked: Sequence[dict[str, Any]]) -> Response:
    """One answer for each item. The caller's ids come from the request: an outcome that is kept holds none of them."""
    items = [
        item if "problem" in item else {**item, "external_id": raw.get("external_id")}
        for item, raw in zip(outcome["items"], asked, strict=True)
    ]
    return json_answer({"items": items, "seq": outcome["seq"]})


def _check_count(count: int, container: Container) -> None:
    most = container.settings.batch_max
    if count > most:
        raise TooLarge(f"at most {most} memories in one call; send several calls")


def _draft(
    model: type[Describes], raw: dict[str, Any], index: int, name: str, container: Container
) -> Draft | ServiceError:
    said = _validated(model, raw, index, name, container)
    return said if isinstance(said, ServiceError) else to_draft(said)


def _validated(model: type[M], raw: dict[str, Any], index: int, name: str, container: Container) -> M | ServiceError:
    """One item of a list as its model, or why it is refused."""
    try:
        return model.model_validate(raw, context={"settings": container.settings})
    except ValidationError as error:
        return invalid(error, raw, (name, index))
