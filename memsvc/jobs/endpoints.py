"""Routes of policies and runs."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from fastapi import APIRouter, Request

from memsvc.auth.authenticate import Reader, Writer
from memsvc.auth.principal import Principal
from memsvc.core.errors import BadCursor
from memsvc.core.settings import Settings
from memsvc.http.cursor import CursorCodec
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems, query_parameters
from memsvc.http.query import check_limit, read_query
from memsvc.http.routes import API
from memsvc.http.schemas import path_id
from memsvc.http.work import run_blocking
from memsvc.jobs.schemas import (
    STATE_NAMES,
    CareIn,
    CareOut,
    CareQuery,
    EffectOut,
    EffectPage,
    EffectsQuery,
    GistsOut,
    PolicyOut,
    RunIn,
    RunOut,
    RunPage,
    RunsQuery,
    ScheduledOut,
)
from memsvc.jobs.service import Care, Jobs, Seen
from memsvc.memories.write import Author
from memsvc.namespaces import policies
from memsvc.screening.rules import whole

router = APIRouter(prefix=API)

_READ = problems(400, 401, 403, 404, 414, 422, 431, 503)
_WRITE = problems(400, 401, 403, 404, 408, 409, 413, 414, 415, 422, 431, 503, 507)
_ACT = problems(400, 401, 403, 404, 409, 414, 431, 503, 507)
_ASK = problems(400, 401, 403, 404, 408, 409, 413, 414, 415, 422, 429, 431, 503, 507)
_UNDO = problems(400, 401, 403, 404, 409, 414, 429, 431, 503, 507)
_RUNS, _EFFECTS = "job-runs", "job-run-effects"


class JobsContainer(Protocol):
    """What these routes need of the assembled service."""

    settings: Settings
    cursors: CursorCodec
    jobs: Jobs


def _container(request: Request) -> JobsContainer:
    container: JobsContainer = request.app.state.container
    return container


@router.get("/policy", response_model=CareOut, responses=_READ, openapi_extra=query_parameters(CareQuery))
async def get_policy(request: Request, principal: Reader) -> CareOut:
    """What is done to the memories of a namespace as they fade, and when."""
    container = _container(request)
    query = read_query(request, CareQuery, container.settings)
    principal.require_namespace(query.namespace)
    care = await run_blocking(request, container.jobs.care, principal.tenant_id, query.namespace)
    return _care(query.namespace, care)


@router.put("/policy", response_model=CareOut, responses=_WRITE, openapi_extra=json_body(CareIn))
async def put_policy(request: Request, principal: Writer) -> CareOut:
    """Set what is done to a namespace, its schedules, or both: each whole, or left as it is. Safe to repeat."""
    container = _container(request)
    body = await read_json(request, CareIn, container.settings)
    principal.require_namespace(body.namespace)
    if body.screening is not None:  # else whoever writes could have their own secrets kept
        principal.require("admin")
    policy = None if body.policy is None else body.policy.named()
    care = await run_blocking(
        request,
        container.jobs.set_care,
        principal.tenant_id,
        body.namespace,
        policy,
        body.schedules,
        screening=body.screening,
        by=_author(principal),
    )
    return _care(body.namespace, care)


@router.post("/job-runs", status_code=202, response_model=RunOut, responses=_ASK, openapi_extra=json_body(RunIn))
async def ask_for_run(request: Request, principal: Writer) -> RunOut:
    """Ask for work on a namespace now, or with `dry_run` for a report of what it would do."""
    container = _container(request)
    body = await read_json(request, RunIn, container.settings)
    principal.require_namespace(body.namespace)
    return _run(
        await run_blocking(
            request,
            container.jobs.ask,
            _author(principal),
            body.namespace,
            body.kind,
            is_dry=body.dry_run,
            as_of=body.as_of,
        )
    )


@router.get("/job-runs", response_model=RunPage, responses=_READ, openapi_extra=query_parameters(RunsQuery))
async def list_runs(request: Request, principal: Reader) -> RunPage:
    """Runs of a namespace, the newest first."""
    container = _container(request)
    query = read_query(request, RunsQuery, container.settings)
    principal.require_namespace(query.namespace)
    limit, digest = _limit(container, query.limit), query.namespace.encode()
    before = _place(container, principal, query.cursor, _RUNS, digest)
    found = await run_blocking(request, container.jobs.page, principal.tenant_id, query.namespace, before, limit + 1)
    last = str(found[limit - 1].run.id) if len(found) > limit else None
    items = [_run(seen) for seen in found[:limit]]
    return RunPage.model_construct(items=items, next_cursor=_cursor(container, principal, last, _RUNS, digest))


@router.get("/job-runs/{run_id}", response_model=RunOut, responses=_READ)
async def get_run(request: Request, principal: Reader, run_id: str) -> RunOut:
    """One run, and how far it is."""
    jobs = _container(request).jobs
    return _run(await run_blocking(request, jobs.one, principal.tenant_id, path_id(run_id), principal.may))


@router.get(
    "/job-runs/{run_id}/effects", response_model=EffectPage, responses=_READ,
    openapi_extra=query_parameters(EffectsQuery),
)  # fmt: skip
async def list_effects(request: Request, principal: Reader, run_id: str) -> EffectPage:
    """What a run did, or would do, to each memory, and why."""
    container = _container(request)
    query = read_query(request, EffectsQuery, container.settings)
    run = path_id(run_id)
    limit, digest = _limit(container, query.limit), run.bytes
    after = _place(container, principal, query.cursor, _EFFECTS, digest)
    found = await run_blocking(
        request, container.jobs.effects, principal.tenant_id, run, principal.may, after, limit + 1
    )
    last = str(found[limit - 1].memory_id) if len(found) > limit else None
    items = [
        EffectOut.model_construct(
            memory_id=step.memory_id,
            action=step.action,
            before=dict(step.before),
            after=dict(step.after),
            why=dict(step.why),
        )
        for step in found[:limit]
    ]
    return EffectPage.model_construct(items=items, next_cursor=_cursor(container, principal, last, _EFFECTS, digest))


@router.post("/job-runs/{run_id}:undo", status_code=202, response_model=RunOut, responses=_UNDO)
async def undo_run(request: Request, principal: Writer, run_id: str) -> RunOut:
    """Take back what a run did, within 30 days. A memory that became something else since stays what it became."""
    jobs = _container(request).jobs
    return _run(await run_blocking(request, jobs.undo, _author(principal), path_id(run_id), principal.may))


@router.post("/job-runs/{run_id}:cancel", response_model=RunOut, responses=_ACT)
async def cancel_run(request: Request, principal: Writer, run_id: str) -> RunOut:
    """End a run. What it did stays until it is undone. Safe to repeat."""
    jobs = _container(request).jobs
    return _run(await run_blocking(request, jobs.cancel, principal.tenant_id, path_id(run_id), principal.may))


def _author(principal: Principal) -> Author:
    return Author(principal.tenant_id, principal.name, principal.key_id)


def _limit(container: JobsContainer, limit: int) -> int:
    check_limit(limit, container.settings)
    return limit


def _place(
    container: JobsContainer, principal: Principal, cursor: str | None, route: str, digest: bytes
) -> UUID | None:
    if cursor is None:
        return None
    place = container.cursors.decode(cursor, tenant_id=principal.tenant_id, route=route, digest=digest)
    try:
        return UUID(str(place))
    except ValueError:
        raise BadCursor("this cursor was not made for this list; start the list again") from None


def _cursor(container: JobsContainer, principal: Principal, last: str | None, route: str, digest: bytes) -> str | None:
    if last is None:
        return None
    return container.cursors.encode(last, tenant_id=principal.tenant_id, route=route, digest=digest)


def _care(path: str, care: Care) -> CareOut:
    shown = policies.shown(care.policy)
    return CareOut.model_construct(
        namespace=path,
        policy=PolicyOut.model_construct(**{**shown, "gists": GistsOut.model_construct(**shown["gists"])}),
        schedules=[
            ScheduledOut.model_construct(kind=one.kind, schedule=one.schedule, next_at=one.next_at)
            for one in care.scheduled
        ],
        screening=whole(care.screening),
        own=list(care.own),
    )


def _run(seen: Seen) -> RunOut:
    run = seen.run
    return RunOut.model_construct(
        id=run.id,
        namespace=seen.path,
        kind=run.kind,
        state=STATE_NAMES[run.state],
        dry_run=run.is_dry,
        as_of=run.as_of,
        undoes=run.undoes,
        asked_by=run.asked_by,
        asked_at=run.asked_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        counts=dict(run.counts),
        report=None if run.report is None else dict(run.report),
        problem=run.problem,
    )
