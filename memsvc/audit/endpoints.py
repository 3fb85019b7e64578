"""Routes of the audit trail."""

from __future__ import annotations

import json
from typing import Protocol

from fastapi import APIRouter, Request

from memsvc.audit.chain import Entry, Head
from memsvc.audit.schemas import Anchor, AnchorAnswer, AuditPage, AuditQuery, EntryOut, TrailVerdict, VerifyIn
from memsvc.audit.service import Trails
from memsvc.auth.authenticate import Admin
from memsvc.core.errors import BadCursor
from memsvc.core.settings import Settings
from memsvc.http.cursor import CursorCodec
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems, query_parameters
from memsvc.http.query import check_limit, read_query
from memsvc.http.routes import API
from memsvc.http.work import run_blocking

router = APIRouter(prefix=API)

_ROUTE = "audit"
_READ = problems(400, 401, 403, 414, 422, 431, 503)


class AuditContainer(Protocol):
    """What these routes need of the assembled service."""

    settings: Settings
    cursors: CursorCodec
    trails: Trails


def _container(request: Request) -> AuditContainer:
    container: AuditContainer = request.app.state.container
    return container


@router.get("/audit", response_model=AuditPage, responses=_READ, openapi_extra=query_parameters(AuditQuery))
async def list_audit(request: Request, principal: Admin) -> AuditPage:
    """What was done in this tenant that somebody may have to answer for, the oldest first."""
    container = _container(request)
    query = read_query(request, AuditQuery, container.settings)
    check_limit(query.limit, container.settings)
    tenant = principal.tenant_id
    digest = repr((query.kind, query.since, query.until)).encode()
    after = 0
    if query.cursor is not None:
        place = container.cursors.decode(query.cursor, tenant_id=tenant, route=_ROUTE, digest=digest)
        if not isinstance(place, int):
            raise BadCursor("this cursor was not made for this list; start the list again")
        after = place
    found = await run_blocking(
        request, container.trails.page, tenant, query.limit + 1, after, query.kind, query.since, query.until
    )
    cursor = None
    if len(found) > query.limit:
        last = found[query.limit - 1].seq
        cursor = container.cursors.encode(last, tenant_id=tenant, route=_ROUTE, digest=digest)
    return AuditPage.model_construct(items=[_entry(one) for one in found[: query.limit]], next_cursor=cursor)


@router.get("/audit/anchor", response_model=AnchorAnswer, responses=problems(400, 401, 403, 414, 431, 503))
async def audit_anchor(request: Request, principal: Admin) -> AnchorAnswer:
    """The last entry of the trail, signed: keep it elsewhere, and give it to `/v1/audit:verify` later."""
    found = await run_blocking(request, _container(request).trails.anchor, principal.tenant_id)
    if found is None:
        return AnchorAnswer.model_construct(anchor=None)
    head, signature = found
    anchor = Anchor.model_construct(seq=head.seq, digest=head.digest.hex(), signature=signature)
    return AnchorAnswer.model_construct(anchor=anchor)


@router.post(
    "/audit:verify", response_model=TrailVerdict,
    responses=problems(400, 401, 403, 408, 413, 414, 415, 422, 431, 503), openapi_extra=json_body(VerifyIn),
)  # fmt: skip
async def verify_audit(request: Request, principal: Admin) -> TrailVerdict:
    """Go through the whole trail: whether every entry is what it was, and, with an anchor, whether the end is there."""
    container = _container(request)
    body = await read_json(request, VerifyIn, container.settings)
    anchors = []
    if body.anchor is not None:
        anchors.append((Head(body.anchor.seq, bytes.fromhex(body.anchor.digest)), body.anchor.signature))
    finding = await run_blocking(request, container.trails.verify, principal.tenant_id, anchors)
    return TrailVerdict.model_construct(
        holds=finding.problem is None,
        entries=finding.entries,
        broken_seq=finding.broken_seq,
        problem=finding.problem,
    )


def _entry(entry: Entry) -> EntryOut:
    return EntryOut.model_construct(
        seq=entry.seq,
        at=entry.at,
        kind=entry.kind,
        actor=entry.actor,
        key_id=entry.key_id,
        subject=entry.subject,
        facts=json.loads(entry.facts),
        digest=entry.digest.hex(),
    )
