"""Keys: made, listed and revoked by a key with the role `admin`, inside its own tenant."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from lifecycle.trust import Trust
from memsvc.auth.authenticate import Admin
from memsvc.auth.principal import Principal, pattern_matches
from memsvc.auth.record import KeyRecord, NewKey
from memsvc.auth.schemas import KeyCreate, KeyCreated, KeyPage, KeyQuery, KeyRead, KeyRotate
from memsvc.core.errors import Forbidden, InvalidInput
from memsvc.http.container import container_of
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems, query_parameters
from memsvc.http.query import read_query
from memsvc.http.routes import API
from memsvc.http.schemas import path_id
from memsvc.http.work import run_blocking

router = APIRouter(prefix=API, tags=["keys"])

_ROUTE = "keys"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


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
    _check_grant(principal, asked.roles, asked.namespaces, asked.networks, asked.trust)
    _check_end(asked.expires_at, container.clock.now())
    key = NewKey(
        principal.tenant_id,
        asked.name,
        tuple(dict.fromkeys(asked.roles)),
        tuple(dict.fromkeys(asked.namespaces)),
        asked.expires_at,
        None if asked.networks is None else tuple(dict.fromkeys(asked.networks)),
        asked.trust,
    )
    record, secret = await run_blocking(request, container.keys.create, key, principal)
    return KeyCreated(**_read(record).model_dump(), secret=secret)


@router.post(
    "/keys/{key_id}:rotate",
    status_code=201,
    response_model=KeyCreated,
    openapi_extra=json_body(KeyRotate),
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 503, 507),
)
async def rotate_key(request: Request, key_id: str, principal: Admin) -> KeyCreated:
    """Make the key that follows a key and may do the same. Both work until the old one's time is over."""
    container = container_of(request)
    asked = await read_json(request, KeyRotate, container.settings)
    _check_end(asked.expires_at, container.clock.now())

    def may_give(key: KeyRecord) -> None:
        _check_grant(principal, key.roles, key.namespaces, key.networks, key.trust)

    record, secret = await run_blocking(
        request,
        container.keys.rotate,
        principal.tenant_id,
        path_id(key_id),
        principal,
        may_give,
        overlap_s=asked.overlap_s,
        expires_at=asked.expires_at,
    )
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
    await run_blocking(request, container_of(request).keys.revoke, principal.tenant_id, path_id(key_id), principal)
    return Response(status_code=204)


def _check_end(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidInput.field("/expires_at", "in_the_past", "give a time in the future")


def _check_grant(
    principal: Principal, roles: Sequence[str], namespaces: Sequence[str], networks: Sequence[str] | None, trust: Trust
) -> None:
    """Refuse a key that could do what the asking one cannot.

    Raises:
        Forbidden: it could.
    """
    missing = sorted(set(roles) - principal.roles)
    if missing:
        raise Forbidden(f"this key cannot give the role '{missing[0]}', which it lacks itself")
    for pattern in namespaces:
        if not any(pattern_matches(own, pattern) for own in principal.namespaces):
            raise Forbidden("this key cannot give namespaces that it does not reach itself")
    if trust.rank > principal.trust.rank:
        raise Forbidden(f"this key cannot give the trust '{trust}', which is more than its own")
    if principal.networks is not None:
        within = [ipaddress.ip_network(own) for own in principal.networks]
        if networks is None or not all(_lies_within(ipaddress.ip_network(one), within) for one in networks):
            raise Forbidden("this key is bound to networks; give only some within these")


def _lies_within(one: Network, own: Sequence[Network]) -> bool:
    # Networks of two versions cannot be compared, as far as types go.
    return any(one.version == other.version and one.subnet_of(other) for other in own)  # type: ignore[arg-type]


def _read(record: KeyRecord) -> KeyRead:
    return _KEY_READ.validate_python(record, from_attributes=True)


_KEY_READ = TypeAdapter(KeyRead)
