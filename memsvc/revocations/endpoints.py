"""Routes of revocations; for admins alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request

from memsvc.auth.authenticate import Admin
from memsvc.erasures.service import Wanted
from memsvc.http.answers import json_answer
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems
from memsvc.http.routes import API
from memsvc.http.schemas import path_id
from memsvc.http.work import run_blocking
from memsvc.memories.conditions import KEYED, claim
from memsvc.memories.write import Author
from memsvc.revocations.schemas import RevocationIn, RevocationOut, RevocationPreview, UndoneOut
from memsvc.revocations.service import Preview, Revoked
from memsvc.wiring import Container

router = APIRouter(prefix=API)

SHOWN_MAX = 1_000
"""Ids that a dry run names at most."""
_ASK: dict[int | str, dict[str, Any]] = {
    200: {"model": RevocationPreview, "description": "What would be revoked (`dry_run`)."},
    **problems(400, 401, 403, 408, 409, 413, 414, 415, 422, 431, 503, 507),
}


@router.post(
    "/revocations", status_code=201, response_model=RevocationOut, responses=_ASK,
    openapi_extra=json_body(RevocationIn) | {"parameters": KEYED},
)  # fmt: skip
async def revoke(request: Request, principal: Admin) -> Any:
    """Take back everything that a key, a source or a session brought in, with what was derived from it."""
    container: Container = request.app.state.container
    body = await read_json(request, RevocationIn, container.settings)
    if body.namespace is not None:
        principal.require_namespace(body.namespace)
    wanted = Revoked(body.namespace, _written(body))
    tenant = principal.tenant_id
    if body.dry_run:
        return json_answer(
            _preview(await run_blocking(request, container.revocations.preview, tenant, wanted, principal.may))
        )
    token = claim(request, principal, container.secrets, "revocation", body)
    author = Author(tenant, principal.name, principal.key_id, principal.trust)
    if body.erase:
        principal.require("erase")
        erasing = Wanted(body.namespace, {"written": wanted.written})
        seen = await run_blocking(request, container.erasures.ask, author, erasing, principal.may, token)
        counts = seen.erasure.counts
        return RevocationOut(
            id=seen.erasure.id,
            memories=counts.get("memory", 0) - counts.get("derived", 0),
            derived=counts.get("derived", 0),
            erasure_id=seen.erasure.id,
        )
    done = await run_blocking(request, container.revocations.revoke, author, wanted, principal.may, token)
    return RevocationOut(id=done.id, memories=done.memories, derived=done.derived)


@router.post(
    "/revocations/{revocation_id}:undo", response_model=UndoneOut,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 414, 415, 422, 431, 503, 507),
)  # fmt: skip
async def undo_revocation(request: Request, principal: Admin, revocation_id: str) -> UndoneOut:
    """Bring back what a revocation hid. What was derived is made again by the next run of `consolidate`."""
    container: Container = request.app.state.container
    identifier: UUID = path_id(revocation_id)
    author = Author(principal.tenant_id, principal.name, principal.key_id, principal.trust)
    shown = await run_blocking(request, container.revocations.undo, author, identifier, principal.may)
    return UndoneOut(id=identifier, memories=shown)


def _written(body: RevocationIn) -> dict[str, Any]:
    """What is named, as it is stored."""
    named = {name: getattr(body, name) for name in ("writer", "origin", "session_id")}
    times = {name: getattr(body, name) for name in ("since", "until")}
    said = named | {name: None if at is None else at.isoformat() for name, at in times.items()}
    return {name: value for name, value in said.items() if value is not None}


def _preview(found: Preview) -> dict[str, Any]:
    return RevocationPreview(
        memories=len(found.memory_ids),
        derived=len(found.derived_ids),
        held=found.held,
        edited=len(found.edited_ids),
        memory_ids=[*found.memory_ids[:SHOWN_MAX]],
        derived_ids=[*found.derived_ids[:SHOWN_MAX]],
        edited_ids=[*found.edited_ids[:SHOWN_MAX]],
    ).model_dump()
