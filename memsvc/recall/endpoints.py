"""The route of recall."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from gpu.bank.records import Kind
from memsvc.auth.authenticate import Reader
from memsvc.core.errors import InvalidInput
from memsvc.core.settings import Settings
from memsvc.filters.grammar import parse
from memsvc.http.answers import json_answer
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems
from memsvc.http.work import run_blocking
from memsvc.memories.schemas import memory_fields
from memsvc.recall.schemas import RecallAnswer, RecallRequest
from memsvc.recall.service import Answer, Found, Question
from memsvc.wiring import Container
from retrieval.types import Profile

router = APIRouter()

_BYTES_PER_TOKEN = 4


@router.post(
    "/recall",
    response_model=RecallAnswer,
    responses=problems(400, 401, 403, 408, 413, 414, 415, 422, 431, 503),
    openapi_extra=json_body(RecallRequest),
)
async def recall(request: Request, principal: Reader) -> Response:
    """Find the few memories that matter for a question. A namespace without memories answers with no hits."""
    container: Container = request.app.state.container
    body = await read_json(request, RecallRequest, container.settings)
    principal.require_namespace(body.namespace)
    question = _question(body, container.settings)
    answer = await run_blocking(request, container.recall, principal.tenant_id, question)
    container.observe_recall(answer)
    found = answer.found if body.token_budget is None else _within(answer.found, body.token_budget)
    return json_answer(_fields(body, answer, found))


def _question(body: RecallRequest, settings: Settings) -> Question:
    if body.top_k > settings.top_k_max:
        raise InvalidInput.field("/top_k", "less_than_equal", f"must be at most {settings.top_k_max}")
    return Question(
        path=body.namespace,
        text=body.query,
        top_k=body.top_k,
        kinds=frozenset(Kind[name.upper()] for name in body.kinds or ()),
        condition=None if body.filter is None else parse(body.filter),
        raw_condition=body.filter,
        as_of=body.as_of,
        valid_at=body.valid_at,
        asked_at=body.asked_at,
        profile=Profile(body.profile),
        min_seq=body.min_seq,
        deadline_s=None if body.deadline_ms is None else body.deadline_ms / 1e3,
    )


def _within(found: Sequence[Found], budget: int) -> Sequence[Found]:
    """The best hits whose contents fit into the budget; stops at the first that does not."""
    used = 0
    for index, one in enumerate(found):
        used += math.ceil(len(one.memory.text.encode()) / _BYTES_PER_TOKEN)
        if used > budget:
            return found[:index]
    return found


def _fields(body: RecallRequest, answer: Answer, found: Sequence[Found]) -> dict[str, Any]:
    """The fields of `RecallAnswer`."""
    hits = [
        {
            "rank": place,
            "score": one.hit.score,
            "memory": memory_fields(one.memory._mapping, one.hit.memory_id, one.memory.text, body.namespace),
            "channels": {name: {"rank": score.rank, "score": score.score} for name, score in one.hit.channels.items()},
        }
        for place, one in enumerate(found, start=1)
    ]
    shown = {
        "hits": hits,
        "confidence": answer.confidence,
        "seq": answer.seq,
        "degraded": answer.degraded,
        "took_ms": round(answer.timings_ms["total"], 3),
    }
    if body.explain:
        timings = {name: round(ms, 3) for name, ms in answer.timings_ms.items()}
        shown["explanation"] = {"eligible": answer.eligible, "timings_ms": timings}
    return shown
