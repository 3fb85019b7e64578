"""Routes of rehearsal."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field
from starlette.responses import StreamingResponse

from memsvc.auth.authenticate import Reader, Writer
from memsvc.core.clock import from_us, to_us
from memsvc.core.errors import BadCursor
from memsvc.http.answers import json_answer
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems, query_parameters
from memsvc.http.query import QueryInt, check_limit, read_query
from memsvc.http.routes import API
from memsvc.http.schemas import ApiModel, Bytes, Instant, path_id
from memsvc.http.streams import LAST_EVENT_ID, LONGEST_S, MEDIA_TYPE, Event, answer, parameters
from memsvc.http.work import run_blocking
from memsvc.memories.conditions import KEYED, claim
from memsvc.memories.endpoints import fields_of
from memsvc.memories.schemas import MemoryOut, NamespacePath
from memsvc.memories.write import Author
from memsvc.rehearsal.service import Announced, Due
from memsvc.wiring import Container

router = APIRouter(prefix=API)

_ROUTE = "memories-due"
_STREAM = "memories-due-stream"
_AT_ONCE = 50
_MARK_US = 10 * 366 * 86_400 * 1_000_000  # a namespace in which nothing is due for months is still followed


class DueQuery(ApiModel):
    """Whose memories, and how far ahead."""

    namespace: NamespacePath
    horizon_s: QueryInt = Field(0, ge=0, le=100 * 366 * 86_400, description="Also those that will be due so soon.")
    limit: QueryInt = Field(50, ge=1)
    cursor: Annotated[str, Bytes(4096)] | None = None


class DueStreamQuery(ApiModel):
    """Whose memories, how far ahead, and for how long."""

    namespace: NamespacePath
    horizon_s: QueryInt = Field(0, ge=0, le=100 * 366 * 86_400, description="Also those that will be due so soon.")
    for_s: QueryInt = Field(
        LONGEST_S, ge=0, le=LONGEST_S, description="The stream ends after so many seconds; 0: after what is due now."
    )
    after: Annotated[str, Bytes(4096)] | None = Field(
        None, description="Go on after the event of this id; the header `Last-Event-ID` goes before it."
    )


class DueOut(ApiModel):
    """A memory, when it is due to be looked at again, and how it went so far."""

    memory: MemoryOut
    due_at: Instant
    rehearsals: int = Field(description="How often in a row it was remembered.")
    rehearsed_at: Instant | None


class DuePage(ApiModel):
    """One page of memories that are due, those due first at the front."""

    items: list[DueOut]
    next_cursor: str | None


class RehearsedIn(ApiModel):
    """How it went."""

    outcome: Literal["remembered", "failed"]


@router.get(
    "/memories:due", response_model=DuePage, responses=problems(400, 401, 403, 414, 422, 431, 503),
    openapi_extra=query_parameters(DueQuery),
)  # fmt: skip
async def due_memories(request: Request, principal: Reader) -> Response:
    """Important memories that are about to fade, those due first at the front. Looking changes nothing."""
    container: Container = request.app.state.container
    query = read_query(request, DueQuery, container.settings)
    principal.require_namespace(query.namespace)
    check_limit(query.limit, container.settings)
    digest = f"{query.namespace} {query.horizon_s}".encode()
    after = None if query.cursor is None else _place(container, query.cursor, principal.tenant_id, digest)
    found = await run_blocking(
        request,
        container.rehearsals.due,
        principal.tenant_id,
        query.namespace,
        query.horizon_s,
        after,
        query.limit + 1,
    )
    page, cursor = found[: query.limit], None
    if len(found) > query.limit:
        due_at, last = page[-1].place
        cursor = container.cursors.encode(
            [to_us(due_at), str(last)], tenant_id=principal.tenant_id, route=_ROUTE, digest=digest
        )
    return json_answer({"items": [_fields(one) for one in page], "next_cursor": cursor})


@router.get(
    "/memories:due/stream", response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "Events `due`, each with a `DueOut` as data."},
               **problems(400, 401, 403, 414, 422, 429, 431, 503)},
    openapi_extra=parameters(DueStreamQuery, "Go on after the event of this id."),
)  # fmt: skip
async def due_memories_stream(request: Request, principal: Reader) -> Response:
    """Important memories as they come to be due, and first those that are: Server-Sent Events. Changes nothing."""
    container: Container = request.app.state.container
    query = read_query(request, DueStreamQuery, container.settings)
    principal.require_namespace(query.namespace)
    digest = f"{query.namespace} {query.horizon_s}".encode()
    given = request.headers.get(LAST_EVENT_ID) or query.after
    place = None if given is None else _place(container, given, principal.tenant_id, digest, _STREAM)

    async def look() -> list[Event]:
        nonlocal place
        found = await run_blocking(
            request,
            container.rehearsals.announced,
            principal.tenant_id,
            query.namespace,
            query.horizon_s,
            place,
            _AT_ONCE,
        )
        if found:
            place = found[-1].place
        return [event(one) for one in found]

    def event(one: Announced) -> Event:
        since, last = one.place
        position = [to_us(since), str(last)]
        mark = container.cursors.encode(
            position, tenant_id=principal.tenant_id, route=_STREAM, digest=digest, ttl_us=_MARK_US
        )
        return Event(mark, "due", bytes(json_answer(_fields(one.due)).body))

    return answer(request, look, every_s=container.settings.stream_every_s, for_s=query.for_s)


@router.post(
    "/memories/{memory_id}:rehearsed", response_model=DueOut,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 414, 415, 422, 431, 503, 507),
    openapi_extra=json_body(RehearsedIn) | {"parameters": KEYED},
)  # fmt: skip
async def rehearsed_memory(request: Request, principal: Writer, memory_id: str) -> Response:
    """Say that a memory was looked at again, and whether it was remembered. The answer says when it is due next."""
    container: Container = request.app.state.container
    body = await read_json(request, RehearsedIn, container.settings)
    identifier = path_id(memory_id)
    token = claim(request, principal, container.secrets, f"rehearsed {identifier}", body)

    def work() -> Due:
        author = Author(principal.tenant_id, principal.name, principal.key_id)
        is_remembered = body.outcome == "remembered"
        return container.rehearsals.rehearsed(author, identifier, principal.may, token, is_remembered=is_remembered)

    return json_answer(_fields(await run_blocking(request, work)))


def _fields(due: Due) -> dict[str, Any]:
    row = due.memory.stored.row
    rehearsed = {"rehearsals": row["rehearsals"], "rehearsed_at": row["rehearsed_at"]}
    return {"memory": fields_of(due.memory), "due_at": due.due_at, **rehearsed}


def _place(
    container: Container, cursor: str, tenant_id: UUID, digest: bytes, route: str = _ROUTE
) -> tuple[datetime, UUID]:
    position = container.cursors.decode(cursor, tenant_id=tenant_id, route=route, digest=digest)
    try:
        due_us, last = position
        return from_us(due_us), UUID(last)
    except (TypeError, ValueError):
        raise BadCursor("this cursor was not made for this list; start the list again") from None
