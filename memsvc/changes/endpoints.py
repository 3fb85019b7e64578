"""Routes of the change log: page by page, and as it grows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import Field
from starlette.responses import StreamingResponse

from gpu.bank.records import State
from memsvc.auth.authenticate import Reader
from memsvc.changes.service import Between
from memsvc.core.errors import BadCursor, InvalidInput
from memsvc.http.answers import json_answer
from memsvc.http.openapi import problems, query_parameters
from memsvc.http.query import QueryInt, check_limit, read_query
from memsvc.http.routes import API
from memsvc.http.schemas import ApiModel, Bytes, Instant
from memsvc.http.streams import LAST_EVENT_ID, LONGEST_S, MEDIA_TYPE, Event, answer, parameters
from memsvc.http.work import run_blocking
from memsvc.memories.schemas import NamespacePath, StateName
from memsvc.models import ChangeOp
from memsvc.wiring import Container

router = APIRouter(prefix=API)

_ROUTE = "changes"
_AT_ONCE = 200
_SEQ_MAX = 2**62
_DIGITS = 19


class ChangeName(StrEnum):
    """What happened."""

    PUT = "put"
    ERASE = "erase"
    VOID = "void"
    REWRITE = "rewrite"
    RETIER = "retier"
    SWITCH = "switch"


_NAMES = {int(op): ChangeName[op.name].value for op in ChangeOp}
_STATES = {int(state): state.name.lower() for state in State}


class LogQuery(ApiModel):
    """Which part of which log."""

    namespace: NamespacePath
    after: QueryInt = Field(0, ge=0, le=_SEQ_MAX, description="Only changes after the one of this `seq`.")
    since: Instant | None = Field(None, description="Only changes that were recorded then or later.")


class ChangesQuery(LogQuery):
    """Which part of which log, page by page."""

    until: Instant | None = Field(None, description="Only changes that were recorded before then.")
    limit: QueryInt = Field(50, ge=1)
    cursor: Annotated[str, Bytes(4096)] | None = None


class ChangesStreamQuery(LogQuery):
    """Which part of which log, and for how long; the header `Last-Event-ID` goes before `after`."""

    for_s: QueryInt = Field(
        LONGEST_S, ge=0, le=LONGEST_S, description="The stream ends after so many seconds; 0: after what is there now."
    )


class ChangeOut(ApiModel):
    """One change.

    `put`: a version was written, whose `state`, `reason` and `writer` are given. `erase`: the memory was erased;
    `void`: it was so after this change. `rewrite`, `retier`: its versions are what they were, but their vectors were
    made anew, or are kept more or less exactly. `switch`: recalls search the vectors of another embedding model from
    here on; it names no memory. Of a memory in quarantine only keys with the role `admin` learn more
    than `seq`, `op` and `recorded_at`.
    """

    seq: int
    op: ChangeName
    memory_id: UUID | None
    version: int | None
    state: StateName | None
    reason: str | None
    writer: str | None
    recorded_at: Instant


class ChangePage(ApiModel):
    """One page of the log, oldest first."""

    items: list[ChangeOut]
    next_cursor: str | None


@router.get(
    "/changes", response_model=ChangePage, responses=problems(400, 401, 403, 414, 422, 431, 503),
    openapi_extra=query_parameters(ChangesQuery),
)  # fmt: skip
async def list_changes(request: Request, principal: Reader) -> Response:
    """What was changed in a namespace, oldest first. A namespace that does not exist has no changes."""
    container: Container = request.app.state.container
    query = read_query(request, ChangesQuery, container.settings)
    principal.require_namespace(query.namespace)
    check_limit(query.limit, container.settings)
    digest = orjson.dumps([query.namespace, query.after, query.since, query.until])
    part = Between(query.after, query.since, query.until)
    if query.cursor is not None:
        position = container.cursors.decode(query.cursor, tenant_id=principal.tenant_id, route=_ROUTE, digest=digest)
        if not isinstance(position, int):
            raise BadCursor("this cursor was not made for this list; start the list again")
        part = replace(part, after=position)
    found = await run_blocking(
        request,
        container.changes.page,
        principal.tenant_id,
        query.namespace,
        part,
        query.limit + 1,
        reviews="admin" in principal.roles,
    )
    page, cursor = found.rows[: query.limit], None
    if len(found.rows) > query.limit:
        cursor = container.cursors.encode(page[-1]["seq"], tenant_id=principal.tenant_id, route=_ROUTE, digest=digest)
    return json_answer({"items": [_fields(row) for row in page], "next_cursor": cursor})


@router.get(
    "/changes/stream", response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "Events `change`, each with a `ChangeOut` as data."},
               **problems(400, 401, 403, 414, 422, 429, 431, 503)},
    openapi_extra=parameters(ChangesStreamQuery, "Go on after the event of this id, which is a `seq`."),
)  # fmt: skip
async def stream_changes(request: Request, principal: Reader) -> Response:
    """What was changed in a namespace, and what is changed from now on: Server-Sent Events, whose ids are `seq`."""
    container: Container = request.app.state.container
    query = read_query(request, ChangesStreamQuery, container.settings)
    principal.require_namespace(query.namespace)
    given = request.headers.get(LAST_EVENT_ID)
    part = Between(query.after if given is None else _seq(given), query.since)
    reviews = "admin" in principal.roles

    async def look() -> list[Event]:
        nonlocal part
        found = await run_blocking(
            request,
            container.changes.page,
            principal.tenant_id,
            query.namespace,
            part,
            _AT_ONCE,
            reviews=reviews,
        )
        part = replace(part, after=found.through)  # what is before `since` is looked through once, not with every look
        return [Event(str(row["seq"]), "change", bytes(json_answer(_fields(row)).body)) for row in found.rows]

    return answer(request, look, every_s=container.settings.stream_every_s, for_s=query.for_s)


def _seq(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS and int(text) <= _SEQ_MAX):
        raise InvalidInput("the header Last-Event-ID holds the id of no event of this stream")
    return int(text)


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    state = row["state"]
    return {**row, "op": _NAMES[row["op"]], "state": None if state is None else _STATES[state]}
