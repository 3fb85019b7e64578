"""Keys: made, listed and revoked by a key with the role `admin`, inside its own tenant."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from memsvc.auth.authenticate import Admin
from memsvc.auth.keys import KeyRecord, NewKey
from memsvc.auth.principal import Principal, pattern_matches
from memsvc.auth.schemas import KeyCreate, KeyCreated, KeyPage, KeyQuery, KeyRead
from memsvc.core.errors import Forbidden, InvalidInput
from memsvc.http.container import container_of
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems, query_parameters
from memsvc.http.query import read_query
from memsvc.http.schemas import path_id
from memsvc.http.work import run_blocking

router = APIRouter(tags=["keys"])

_ROUTE = "keys"


@router.post(
    "/keys",
    status_code=201,
    response_model=KeyCreated,
    openapi_extra=json_body(KeyCreate),
    responses=problems(400, 401, 403, 408, 413, 415, 422, 503, 507),
)
async def create_key(request: Request, principal: Admin) -> KeyCreated:
    """Make a key. The answer shows its secret once; only a keyed digest of it is kept."""
    container = container_of(request)
    asked = await read_json(request, KeyCreate, container.settings)
    _check_grant(principal, asked)
    if asked.expires_at is not None and asked.expires_at <= container.clock.now():
        raise InvalidInput.field("/expires_at", "in_the_past", "give a time in the future")
    key = NewKey(
        principal.tenant_id,
        asked.name,
        tuple(dict.fromkeys(asked.roles)),
        tuple(dict.fromkeys(asked.namespaces)),
        asked.expires_at,
        asked.trust,
    )
    record, secret = await run_blocking(request, container.keys.create, key)
    return KeyCreated(**_read(record).model_dump(), secret=secret)


@router.get(
    "/keys",
    response_model=KeyPage,
    openapi_extra=query_parameters(KeyQuery),
    responses=problems(400, 401, 403, 422, 503),
)
async def list_keys(request: Request, principal: Admin) -> KeyPage:
    """List the tenant's keys in the order they were made, revoked ones too."""
    container = container_of(request)
    asked = read_query(request, KeyQuery, container.settings)
    after = None
    if asked.cursor is not None:
        position = container.cursors.decode(asked.cursor, tenant_id=principal.tenant_id, route=_ROUTE)
        after = UUID(position)
    records = await run_blocking(request, container.keys.page, principal.tenant_id, after, asked.limit + 1)
    items = [_read(record) for record in records[: asked.limit]]
    more = len(records) > asked.limit
    cursor = container.cursors.encode(str(items[-1].id), tenant_id=principal.tenant_id, route=_ROUTE) if more else None
    return KeyPage(items=items, next_cursor=cursor)


@router.delete("/keys/{key_id}", status_code=204, responses=problems(400, 401, 403, 404, 503, 507))
async def revoke_key(request: Request, key_id: str, principal: Admin) -> Response:
    """Revoke a key. Every process refuses it after two seconds at most."""
    await run_blocking(request, container_of(request).keys.revoke, principal.tenant_id, path_id(key_id))
    return Response(status_code=204)


def _check_grant(principal: Principal, asked: KeyCreate) -> None:
    missing = sorted(set(asked.roles) - principal.roles)
    if missing:
        raise Forbidden(f"this key cannot give the role '{missing[0]}', which it lacks itself")
    for pattern in asked.namespaces:
        if not any(pattern_matches(own, pattern) for own in principal.namespaces):
            raise Forbidden("this key cannot give namespaces that it does not reach itself")


def _read(record: KeyRecord) -> KeyRead:
    return _KEY_READ.validate_python(record, from_attributes=True)


_KEY_READ = TypeAdapter(KeyRead)
