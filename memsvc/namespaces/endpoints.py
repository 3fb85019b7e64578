"""Routes about namespaces: which there are, and what one holds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field

from gpu.bank.layouts import TIERS
from gpu.bank.records import Kind, State
from memsvc.auth.authenticate import Reader
from memsvc.auth.principal import Principal
from memsvc.core.errors import InvalidInput
from memsvc.http.openapi import problems, query_parameters
from memsvc.http.query import QueryInt, read_query
from memsvc.http.schemas import ApiModel, Bytes, Instant
from memsvc.http.work import run_blocking
from memsvc.memories import repository as memories
from memsvc.memories.schemas import NamespacePath
from memsvc.namespaces import repository
from memsvc.wiring import Container

router = APIRouter()

_ROUTE = "namespaces"


class NamespaceQuery(ApiModel):
    """Which namespaces to list."""

    prefix: Annotated[str, Bytes(512)] | None = Field(None, description="Start of the path.")
    limit: QueryInt = Field(50, ge=1)
    cursor: Annotated[str, Bytes(4096)] | None = None


class NamespaceOut(ApiModel):
    """A namespace."""

    namespace: str
    memories: int
    created_at: Instant
    head_seq: int
    embedding_model: str


class NamespacePage(ApiModel):
    """One page of namespaces, by path."""

    items: list[NamespaceOut]
    next_cursor: str | None


class StatsQuery(ApiModel):
    """Whose figures."""

    namespace: NamespacePath


class StatsOut(ApiModel):
    """What a namespace holds: numbers of memories by kind and state, and its bank's memory in bytes.

    `vector_bytes` is the part of it that vectors take, by how exactly they are kept: fp16 (active memories), int8
    (warm) or int4 (cold).
    """

    namespace: str
    memories: int
    kinds: dict[str, int]
    states: dict[str, int]
    head_seq: int
    bank_bytes: int
    vector_bytes: dict[str, int]


@router.get(
    "/namespaces", response_model=NamespacePage, responses=problems(400, 401, 403, 414, 422, 431, 503),
    openapi_extra=query_parameters(NamespaceQuery),
)  # fmt: skip
async def list_namespaces(request: Request, principal: Reader) -> NamespacePage:
    """Namespaces that the key reaches, by path."""
    container: Container = request.app.state.container
    query = read_query(request, NamespaceQuery, container.settings)
    if query.limit > container.settings.page_max:
        raise InvalidInput.field("/limit", "less_than_equal", f"must be at most {container.settings.page_max}")
    return await run_blocking(request, _page, container, principal, query)


def _page(container: Container, principal: Principal, query: NamespaceQuery) -> NamespacePage:
    """Reads on until the page is full: what the key does not reach is stepped over."""
    prefix = query.prefix or ""
    tenant, digest = principal.tenant_id, prefix.encode()
    after = None
    if query.cursor is not None:
        after = str(container.cursors.decode(query.cursor, tenant_id=tenant, route=_ROUTE, digest=digest))
    shown: list[repository.NamespaceSummary] = []
    with container.database.read(tenant) as connection:
        while len(shown) <= query.limit:
            found = repository.page(connection, principal.tenant_id, prefix, after, query.limit + 1)
            shown += [summary for summary in found if principal.may(summary.namespace.path)]
            if len(found) <= query.limit:
                break
            after = found[-1].namespace.path
    items = [
        NamespaceOut.model_construct(
            namespace=s.namespace.path,
            memories=s.memories,
            created_at=s.namespace.created_at,
            head_seq=s.namespace.head_seq,
            embedding_model=s.model,
        )
        for s in shown[: query.limit]
    ]
    cursor = None
    if len(shown) > query.limit:
        cursor = container.cursors.encode(items[-1].namespace, tenant_id=tenant, route=_ROUTE, digest=digest)
    return NamespacePage.model_construct(items=items, next_cursor=cursor)


@router.get(
    "/stats", response_model=StatsOut, responses=problems(400, 401, 403, 414, 422, 431, 503),
    openapi_extra=query_parameters(StatsQuery),
)  # fmt: skip
async def namespace_stats(request: Request, principal: Reader) -> StatsOut:
    """What a namespace holds. One that does not exist holds nothing."""
    container: Container = request.app.state.container
    query = read_query(request, StatsQuery, container.settings)
    principal.require_namespace(query.namespace)
    return await run_blocking(request, _stats, container, principal, query.namespace)


def _stats(container: Container, principal: Principal, path: str) -> StatsOut:
    with container.database.read(principal.tenant_id) as connection:
        namespace = repository.find(connection, principal.tenant_id, path)
        counts = [] if namespace is None else memories.counts(connection, *namespace.key)
    kinds: dict[str, int] = {kind.name.lower(): 0 for kind in Kind}
    states: dict[str, int] = {state.name.lower(): 0 for state in State}
    for kind, state, number in counts:
        kinds[Kind(kind).name.lower()] += number
        states[State(state).name.lower()] += number
    bank = None if namespace is None else container.keeper.catch_up(namespace.key, namespace.head_seq)
    return StatsOut.model_construct(
        namespace=path,
        memories=sum(kinds.values()),
        kinds=kinds,
        states=states,
        head_seq=0 if namespace is None else namespace.head_seq,
        bank_bytes=0 if bank is None else bank.memory_bytes(),
        vector_bytes={tier.value: 0 if bank is None else bank.vector_bytes()[tier] for tier in TIERS},
    )
