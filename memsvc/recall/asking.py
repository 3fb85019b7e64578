"""From a request's question to what was found: the same for every route that recalls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from fastapi import Request

from gpu.bank.records import Kind
from lifecycle.trust import LEAST, Trust, lesser
from memsvc.auth.authenticate import note_denied_look, note_look
from memsvc.auth.principal import Principal
from memsvc.core.errors import Forbidden, InvalidInput
from memsvc.filters.grammar import parse
from memsvc.http.work import run_blocking
from memsvc.memories.read import require_no_quarantined
from memsvc.recall import several
from memsvc.recall.question import Question
from memsvc.recall.schemas import Asked
from memsvc.recall.service import Answer
from memsvc.recall.several import Gathered, Located
from memsvc.wiring import Container
from retrieval.types import Profile


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found, with the id under which feedback on it is taken.

    `hits` is empty where the confidence lies below what was asked for; `nothing_relevant` says so.
    """

    id: UUID
    min_trust: Trust
    hits: Sequence[Located]
    nothing_relevant: bool
    gathered: Gathered


async def ask(
    request: Request, principal: Principal, body: Asked, top_k: int, *, with_vectors: bool = False
) -> Outcome:
    """Asks the namespaces that the request names.

    Raises:
        Forbidden: the key does not reach one that is named, or may not see what is in quarantine.
        InvalidInput: the request asks for more than there may be, or for what cannot be.
        RateLimited: the key or the tenant had too much embedded.
    """
    container: Container = request.app.state.container
    if top_k > container.settings.top_k_max:
        raise InvalidInput.field("/top_k", "less_than_equal", f"must be at most {container.settings.top_k_max}")
    question = _question(principal, body, top_k, with_vectors)
    try:
        if body.include_quarantined:
            principal.require("admin")
        else:
            require_no_quarantined(question.condition)
    except Forbidden:
        await note_denied_look(request, principal)
        raise
    paths = await _places(request, principal, body)
    if body.include_quarantined:
        await note_look(request, principal)
    who = principal.tenant_id, principal.key_id
    if container.limiter.counts_tokens(*who):
        await run_blocking(request, container.limiter.embed, *who, [body.query])

    async def recall(tenant_id: UUID, asked: Question) -> Answer:
        return await run_blocking(request, container.recall, tenant_id, asked)

    gathered = await several.gather(recall, principal.tenant_id, question, paths)
    if lost := container.degraded():
        gathered = replace(gathered, degraded=sorted({*gathered.degraded, *lost}))
    is_unsure = body.min_confidence is not None and gathered.confidence < body.min_confidence
    hits: Sequence[Located] = () if is_unsure else gathered.hits
    recall_id = container.traces.record(principal.tenant_id, paths, hits)
    container.recall_watch.answered(principal.tenant_id, recall_id, question, gathered)
    return Outcome(recall_id, question.min_trust, hits, not hits, gathered)


def answer_fields(body: Asked, outcome: Outcome) -> dict[str, Any]:
    """The fields of `Answered`."""
    gathered = outcome.gathered
    shown: dict[str, Any] = {
        "id": outcome.id,
        "confidence": gathered.confidence,
        "nothing_relevant": outcome.nothing_relevant,
        "seq": None if body.namespace is None else gathered.seqs[body.namespace],
        "degraded": gathered.degraded,
        "took_ms": round(gathered.timings_ms["total"], 3),
    }
    if body.namespace is None:
        shown["seqs"] = gathered.seqs
    if body.explain:
        shown["explanation"] = _explanation(outcome)
    return shown


def _least(principal: Principal, body: Asked) -> Trust:
    """What can be found at the least: a key that is trusted no more than what is outside finds what it wrote."""
    if body.min_trust is not None:
        return body.min_trust
    return LEAST if body.include_quarantined else lesser(Trust.AGENT, principal.trust)


def _question(principal: Principal, body: Asked, top_k: int, with_vectors: bool) -> Question:
    return Question(
        path=body.namespace or "",
        text=body.query,
        top_k=top_k,
        kinds=frozenset(Kind[name.upper()] for name in body.kinds or ()),
        condition=None if body.filter is None else parse(body.filter),
        raw_condition=body.filter,
        as_of=body.as_of,
        valid_at=body.valid_at,
        asked_at=body.asked_at,
        profile=Profile(body.profile),
        min_seq=body.min_seq,
        deadline_s=None if body.deadline_ms is None else body.deadline_ms / 1e3,
        with_vectors=with_vectors,
        descends=body.descend,
        explains=body.explain,
        min_trust=_least(principal, body),
        sees_quarantined=body.include_quarantined,
    )


async def _places(request: Request, principal: Principal, body: Asked) -> list[str]:
    """The namespaces to ask, all of which the key may read."""
    if body.namespace_prefix is not None:
        return await run_blocking(request, _below, request.app.state.container, principal, body.namespace_prefix)
    paths = body.namespaces if body.namespace is None else [body.namespace]
    several.check(principal, paths or [])
    return paths or []


def _below(container: Container, principal: Principal, prefix: str) -> list[str]:
    with container.database.read(principal.tenant_id) as connection:
        return several.below(connection, principal, prefix)


def _explanation(outcome: Outcome) -> dict[str, Any]:
    gathered = outcome.gathered
    timings = {name: round(ms, 3) for name, ms in gathered.timings_ms.items()}
    shown: dict[str, Any] = {"eligible": gathered.eligible, "timings_ms": timings, "capped": gathered.capped}
    shown["min_trust"] = outcome.min_trust
    for answer in gathered.answers:
        shown = {**answer.explained, **shown}
    return shown
