"""Routes about limits: what is in force and used, and what a tenant's admin sets for its keys."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from fastapi import APIRouter, Request
from sqlalchemy import Connection

from memsvc.audit import trail
from memsvc.auth.authenticate import Admin, Reader
from memsvc.auth.principal import Principal
from memsvc.core.errors import NotFound
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems, query_parameters
from memsvc.http.query import read_query
from memsvc.http.routes import API
from memsvc.http.schemas import path_id
from memsvc.http.work import run_blocking
from memsvc.limits import repository
from memsvc.limits.limits import of_key, told
from memsvc.limits.schemas import (
    KeyLimitsOut,
    LimitsOut,
    LimitsQuery,
    RatesIn,
    RatesOut,
    TenantLimitsOut,
    UsedOut,
)
from memsvc.namespaces import repository as namespaces
from memsvc.wiring import Container

router = APIRouter(prefix=API, tags=["limits"])


@router.get(
    "/limits", response_model=LimitsOut, responses=problems(400, 401, 403, 414, 422, 431, 503),
    openapi_extra=query_parameters(LimitsQuery),
)  # fmt: skip
async def limits_in_force(request: Request, principal: Reader) -> LimitsOut:
    """What the tenant and this key may ask for and keep, and what of it is used."""
    container: Container = request.app.state.container
    query = read_query(request, LimitsQuery, container.settings)
    if query.namespace is not None:
        principal.require_namespace(query.namespace)
    return await run_blocking(request, _limits, container, principal, query.namespace)


def _limits(container: Container, principal: Principal, path: str | None) -> LimitsOut:
    limits = container.limiter.in_force(principal.tenant_id, principal.key_id)
    with container.database.read(principal.tenant_id) as connection:
        used = repository.used(connection, principal.tenant_id)
        namespace = None if path is None else namespaces.find(connection, principal.tenant_id, path)
    inside = None
    if path is not None:
        memories, size = (0, 0) if namespace is None else (namespace.n_memories, namespace.n_bytes)
        inside = UsedOut(memories=memories, bytes=size)
    return LimitsOut(
        tenant=TenantLimitsOut(**asdict(limits.tenant)),
        key=RatesOut(**asdict(limits.key)),
        used=UsedOut(**asdict(used)),
        namespace_used=inside,
    )


@router.put(
    "/keys/{key_id}/limits", response_model=KeyLimitsOut, openapi_extra=json_body(RatesIn),
    responses=problems(400, 401, 403, 404, 408, 413, 414, 415, 422, 431, 503, 507),
)  # fmt: skip
async def set_key_limits(request: Request, key_id: str, principal: Admin) -> KeyLimitsOut:
    """Set the limits of a key, in the place of those set before. Every process follows within two seconds."""
    container: Container = request.app.state.container
    body = await read_json(request, RatesIn, container.settings)
    wanted = body.model_dump(exclude_unset=True)
    return await run_blocking(request, _set_key_limits, container, principal, path_id(key_id), wanted)


def _set_key_limits(
    container: Container, principal: Principal, key_id: UUID, wanted: dict[str, float | None]
) -> KeyLimitsOut:
    tenant_id = principal.tenant_id

    def unit(connection: Connection) -> None:
        if not repository.store_of_key(connection, tenant_id, key_id, wanted):
            raise NotFound("there is no such key")
        trail.append(
            connection, tenant_id, "key.limits", principal.name, container.clock.now(), key_id=principal.key_id,
            subject=key_id, facts=told(wanted),
        )  # fmt: skip

    container.database.write(tenant_id, unit)
    container.limiter.forget()
    return KeyLimitsOut(key_id=key_id, limits=RatesOut(**asdict(of_key(container.settings, wanted))))
