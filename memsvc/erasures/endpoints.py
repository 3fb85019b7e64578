"""Routes of erasures."""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

from fastapi import APIRouter, Request, Response

from memsvc.auth.authenticate import Eraser
from memsvc.auth.principal import Principal
from memsvc.core.errors import BadCursor, InvalidInput
from memsvc.core.secrets import Secrets
from memsvc.core.settings import Settings
from memsvc.erasures.schemas import (
    ErasureIn,
    ErasureOut,
    ErasurePage,
    ErasuresQuery,
    ErasureStateName,
    PreviewOut,
    ReceiptIn,
    ReceiptOut,
    VerdictOut,
)
from memsvc.erasures.selection import Selection
from memsvc.erasures.service import SHOWN_MAX, Erasures, Preview, Seen, Wanted
from memsvc.filters.grammar import parse
from memsvc.http.answers import json_answer
from memsvc.http.cursor import CursorCodec
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems, query_parameters
from memsvc.http.query import check_limit, read_query
from memsvc.http.routes import API
from memsvc.http.schemas import path_id
from memsvc.http.work import run_blocking
from memsvc.memories.conditions import KEYED, claim
from memsvc.memories.write import Author

router = APIRouter(prefix=API)

_READ = problems(400, 401, 403, 404, 414, 422, 431, 503)
_ROUTE = "erasures"
_ASK: dict[int | str, dict[str, Any]] = {
    200: {"model": PreviewOut, "description": "With `dry_run`: what would be erased."},
    202: {"model": ErasureOut, "description": "It goes on after the answer."},
    **problems(400, 401, 403, 408, 413, 414, 415, 422, 431, 503, 507),
}


class ErasuresContainer(Protocol):
    """What these routes need of the assembled service."""

    settings: Settings
    secrets: Secrets
    cursors: CursorCodec
    erasures: Erasures


def _container(request: Request) -> ErasuresContainer:
    container: ErasuresContainer = request.app.state.container
    return container


@router.post(
    "/erasures", status_code=201, response_model=ErasureOut, responses=_ASK,
    openapi_extra=json_body(ErasureIn) | {"parameters": KEYED},
)  # fmt: skip
async def ask_for_erasure(request: Request, principal: Eraser, response: Response) -> Any:
    """Erase for good, with all that was derived from it. 201: it is done; 202: it goes on, whatever happens to you."""
    container = _container(request)
    body = await read_json(request, ErasureIn, container.settings)
    if body.namespace is not None:
        principal.require_namespace(body.namespace)
    token = claim(request, principal, container.secrets, "erasure", body)
    wanted = Wanted(body.namespace, await run_blocking(request, _selection, container.erasures, principal, body))
    if body.dry_run:
        found = await run_blocking(request, container.erasures.preview, principal.tenant_id, wanted, principal.may)
        return json_answer(_preview(found).model_dump())
    author = Author(principal.tenant_id, principal.name, principal.key_id)
    seen = await run_blocking(request, container.erasures.ask, author, wanted, principal.may, token)
    response.status_code = 202 if seen.erasure.ended_at is None else 201
    return _erasure(seen)


@router.get("/erasures", response_model=ErasurePage, responses=_READ, openapi_extra=query_parameters(ErasuresQuery))
async def list_erasures(request: Request, principal: Eraser) -> ErasurePage:
    """Erasures of namespaces that the key reaches, the newest first."""
    container = _container(request)
    query = read_query(request, ErasuresQuery, container.settings)
    check_limit(query.limit, container.settings)
    tenant = principal.tenant_id
    before = _place(container, tenant, query.cursor)
    found = await run_blocking(request, container.erasures.page, tenant, before, query.limit + 1, principal.may)
    items = [_erasure(seen) for seen in found[: query.limit]]
    cursor = None
    if len(found) > query.limit:
        cursor = container.cursors.encode(str(items[-1].id), tenant_id=tenant, route=_ROUTE)
    return ErasurePage.model_construct(items=items, next_cursor=cursor)


@router.get("/erasures/{erasure_id}", response_model=ErasureOut, responses=_READ)
async def get_erasure(request: Request, principal: Eraser, erasure_id: str) -> ErasureOut:
    """One erasure, how far it is, and its receipt once it is over."""
    erasures = _container(request).erasures
    return _erasure(await run_blocking(request, erasures.one, principal.tenant_id, path_id(erasure_id), principal.may))


@router.post(
    "/erasures:verify", response_model=VerdictOut,
    responses=problems(400, 401, 403, 408, 413, 414, 415, 422, 431, 503), openapi_extra=json_body(ReceiptIn),
)  # fmt: skip
async def verify_receipt(request: Request, principal: Eraser) -> VerdictOut:
    """Whether a receipt is genuine, and still true: nothing of what it is of is back."""
    container = _container(request)
    body = await read_json(request, ReceiptIn, container.settings)
    verdict = await run_blocking(request, container.erasures.verify, principal.tenant_id, body.receipt)
    return VerdictOut.model_construct(
        genuine=verdict.is_genuine,
        holds=verdict.holds,
        back=verdict.back,
        without_tombstone=verdict.without_tombstone,
    )


def _selection(erasures: Erasures, principal: Principal, body: ErasureIn) -> Selection:
    """What is asked for, as it is stored.

    Raises:
        InvalidInput: the filter means nothing, or the receipt is not genuine.
    """
    if body.memory_ids is not None:
        return {"memory_ids": [str(one) for one in body.memory_ids]}
    if body.filter is not None:
        parse(body.filter, every_state=True)
        return {"filter": body.filter}
    if body.user_id is not None:
        return {"user_id": body.user_id}
    if body.writer is not None:
        return {"writer": body.writer}
    if body.entity_id is not None and body.namespace is not None:
        return erasures.names(principal.tenant_id, body.namespace, body.entity_id)
    found = erasures.of_receipt(principal.tenant_id, body.receipt or {})
    if found is None:
        raise InvalidInput.field("/receipt", "not_genuine", "is no receipt that this server signed for this tenant")
    return found


def _place(container: ErasuresContainer, tenant_id: UUID, cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    try:
        return UUID(str(container.cursors.decode(cursor, tenant_id=tenant_id, route=_ROUTE)))
    except ValueError:
        raise BadCursor("this cursor was not made for this list; start the list again") from None


def _preview(found: Preview) -> PreviewOut:
    return PreviewOut(
        memories=len(found.memory_ids),
        derived=len(found.derived_ids),
        memory_ids=[*found.memory_ids[:SHOWN_MAX]],
        derived_ids=[*found.derived_ids[:SHOWN_MAX]],
    )


def _erasure(seen: Seen) -> ErasureOut:
    erasure = seen.erasure
    state: ErasureStateName = "waiting" if erasure.started_at is None else "running"
    return ErasureOut.model_construct(
        id=erasure.id,
        namespaces=[*seen.paths],
        state=state if erasure.ended_at is None else "erased",
        asked_by=erasure.asked_by,
        asked_at=erasure.asked_at,
        started_at=erasure.started_at,
        ended_at=erasure.ended_at,
        overwritten_at=erasure.overwritten_at,
        overwriting=erasure.overwriting,
        counts=dict(erasure.counts),
        problem=erasure.problem,
        receipt=_receipt(seen),
    )


def _receipt(seen: Seen) -> ReceiptOut | None:
    if seen.receipt is None:
        return None
    moments = {name: getattr(seen.erasure, name) for name in ("asked_at", "ended_at", "overwritten_at")}
    return ReceiptOut.model_construct(**{**seen.receipt, **moments, "erasure_id": seen.erasure.id})
