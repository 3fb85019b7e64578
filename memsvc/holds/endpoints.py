"""Routes of legal holds."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import Field

from memsvc.auth.authenticate import Admin
from memsvc.auth.principal import Principal
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems
from memsvc.http.routes import API
from memsvc.http.schemas import ApiModel, Bytes, Instant, path_id
from memsvc.http.work import run_blocking
from memsvc.memories.conditions import KEYED, claim
from memsvc.memories.write import Author
from memsvc.wiring import Container

router = APIRouter(prefix=API)

_WRITE = problems(400, 401, 403, 404, 408, 409, 413, 414, 415, 422, 431, 503, 507)


class HoldIn(ApiModel):
    """Why a memory is held, or released."""

    reason: Annotated[str, Bytes(1000), Field(min_length=1)]


class HoldOut(ApiModel):
    """A legal hold; in force while `released_at` is null."""

    memory_id: UUID
    held_at: Instant
    held_by: str
    reason: str
    released_at: Instant | None
    released_by: str | None
    release_reason: str | None


class HoldsAnswer(ApiModel):
    """Every hold of a memory, the oldest first."""

    items: list[HoldOut]


@router.post(
    "/memories/{memory_id}:hold", response_model=HoldOut, responses=_WRITE,
    openapi_extra=json_body(HoldIn) | {"parameters": KEYED},
)  # fmt: skip
async def hold_memory(request: Request, principal: Admin, memory_id: str) -> HoldOut:
    """Put a memory under a legal hold: until it is released, nobody and nothing can hide or erase it."""
    return await _put(request, principal, memory_id, is_held=True)


@router.post(
    "/memories/{memory_id}:release", response_model=HoldOut, responses=_WRITE,
    openapi_extra=json_body(HoldIn) | {"parameters": KEYED},
)  # fmt: skip
async def release_memory(request: Request, principal: Admin, memory_id: str) -> HoldOut:
    """End the legal hold of a memory."""
    return await _put(request, principal, memory_id, is_held=False)


@router.get(
    "/memories/{memory_id}/holds",
    response_model=HoldsAnswer,
    responses=problems(400, 401, 403, 404, 414, 422, 431, 503),
)
async def memory_holds(request: Request, principal: Admin, memory_id: str) -> HoldsAnswer:
    """Every legal hold that a memory was ever under, who said so and why."""
    container: Container = request.app.state.container
    rows = await run_blocking(request, container.holds.of, principal.tenant_id, path_id(memory_id), principal.may)
    return HoldsAnswer.model_construct(items=[_shown(row) for row in rows])


async def _put(request: Request, principal: Principal, memory_id: str, *, is_held: bool) -> HoldOut:
    container: Container = request.app.state.container
    body = await read_json(request, HoldIn, container.settings)
    identifier = path_id(memory_id)
    token = claim(request, principal, container.secrets, f"{'hold' if is_held else 'release'} {identifier}", body)
    put = container.holds.hold if is_held else container.holds.release
    author = Author(principal.tenant_id, principal.name, principal.key_id)
    return _shown(await run_blocking(request, put, author, identifier, principal.may, body.reason, token))


def _shown(row: Any) -> HoldOut:
    return HoldOut.model_construct(**row._mapping)
