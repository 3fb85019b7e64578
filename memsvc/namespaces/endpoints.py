"""Routes about namespaces: which there are, and what one holds."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import Field

from gpu.bank.layouts import TIERS
from gpu.bank.records import Kind, State
from memsvc.auth.authenticate import Reader
from memsvc.auth.principal import Principal
from memsvc.http.openapi import problems, query_parameters
from memsvc.http.query import QueryInt, check_limit, read_query
from memsvc.http.routes import API
from memsvc.http.schemas import ApiModel, Bytes, Instant
from memsvc.http.work import run_blocking
from memsvc.jobs.schemas import STATE_NAMES, RunStateName
from memsvc.memories.schemas import NamespacePath
from memsvc.models import RunState
from memsvc.namespaces import repository, stats
from memsvc.wiring import Container

router = APIRouter(prefix=API)

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


class LastRunOut(ApiModel):
    """The newest run of a kind of work."""

    id: UUID
    state: RunStateName
    asked_at: Instant
    ended_at: Instant | None


class StatsOut(ApiModel):
    """What a namespace holds: numbers of memories by kind, state and level, and bytes.

    `levels` counts the active ones. `oldest_at` and `newest_at` are when a memory was recorded. `applied_seq` is the
    last change that the bank of the process that answers had applied when it was asked. `pending_embeddings`
    counts texts, of all versions, that wait for the embedding model to answer. `bank_bytes` is its bank's
    memory; `vector_bytes` the part of it that vectors take, by how exactly they are kept: fp16 (active memories), int8
    (warm) or int4 (cold). `database_bytes` is what contents, vectors, token codes and analysis take in the database,
    every version included. `last_runs` has the newest run of each kind of work.
    """

    namespace: str
    memories: int
    kinds: dict[str, int]
    states: dict[str, int]
    levels: dict[str, int]
    oldest_at: Instant | None
    newest_at: Instant | None
    embedding_model: str | None
    head_seq: int
    applied_seq: int
    pending_embeddings: int
    bank_bytes: int
    vector_bytes: dict[str, int]
    database_bytes: dict[str, int]
    last_runs: dict[str, LastRunOut]


@router.get(
    "/namespaces", response_model=NamespacePage, responses=problems(400, 401, 403, 414, 422, 431, 503),
    openapi_extra=query_parameters(NamespaceQuery),
)  # fmt: skip
async def list_namespaces(request: Request, principal: Reader) -> NamespacePage:
    """Namespaces that the key reaches, by path."""
    container: Container = request.app.state.container
    query = read_query(request, NamespaceQuery, container.settings)
    check_limit(query.limit, container.settings)
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
        if namespace is None:
            return _shown(path, stats.Figures())
        figures = stats.figures(connection, namespace)
        model, _ = repository.space(connection, namespace.space_id)
        taken = stats.stored_bytes(connection, namespace)
        runs = stats.last_runs(connection, namespace)
        pending = stats.pending(connection, namespace)
    applied_seq = container.keeper.applied_seq(namespace.key)
    bank = container.keeper.catch_up(namespace.key, namespace.head_seq)
    vectors = bank.vector_bytes()
    return _shown(
        path,
        figures,
        embedding_model=model,
        head_seq=namespace.head_seq,
        applied_seq=applied_seq,
        pending_embeddings=pending,
        bank_bytes=bank.memory_bytes(),
        vector_bytes={tier.value: vectors[tier] for tier in TIERS},
        database_bytes=taken,
        last_runs={run.kind: last_run(run) for run in runs},
    )


def _shown(path: str, figures: stats.Figures, **found: Any) -> StatsOut:
    nothing = {
        "embedding_model": None,
        "head_seq": 0,
        "applied_seq": 0,
        "pending_embeddings": 0,
        "bank_bytes": 0,
        "vector_bytes": {tier.value: 0 for tier in TIERS},
        "database_bytes": dict.fromkeys(stats.PARTS, 0),
        "last_runs": {},
    }
    return StatsOut.model_construct(
        namespace=path,
        memories=figures.kinds.total(),
        kinds={kind.name.lower(): figures.kinds[kind.name.lower()] for kind in Kind},
        states={state.name.lower(): figures.states[state.name.lower()] for state in State},
        levels={level.name.lower(): figures.levels[level.name.lower()] for level in stats.LEVELS},
        oldest_at=figures.oldest_at,
        newest_at=figures.newest_at,
        **nothing | found,
    )


def last_run(run: stats.LastRun) -> LastRunOut:
    """A run as it is shown."""
    return LastRunOut.model_construct(
        id=run.id, state=STATE_NAMES[RunState(run.state)], asked_at=run.asked_at, ended_at=run.ended_at
    )
