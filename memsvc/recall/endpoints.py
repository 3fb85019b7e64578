"""The route of recall."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from memsvc.auth.authenticate import Reader
from memsvc.http.answers import json_answer
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems
from memsvc.http.routes import API
from memsvc.memories.schemas import memory_fields
from memsvc.recall.asking import answer_fields, ask
from memsvc.recall.schemas import RecallAnswer, RecallRequest
from memsvc.recall.several import Located
from retrieval.types import ChannelScore

router = APIRouter(prefix=API)

_BYTES_PER_TOKEN = 4


@router.post(
    "/recall",
    response_model=RecallAnswer,
    responses=problems(400, 401, 403, 408, 413, 414, 415, 422, 431, 503),
    openapi_extra=json_body(RecallRequest),
)
async def recall(request: Request, principal: Reader) -> Response:
    """Find the few memories that matter for a question. A namespace without memories answers with no hits."""
    body = await read_json(request, RecallRequest, request.app.state.container.settings)
    outcome = await ask(request, principal, body, body.top_k)
    hits = outcome.hits if body.token_budget is None else _within(outcome.hits, body.token_budget)
    return json_answer(
        {"hits": [hit_fields(hit, rank) for rank, hit in enumerate(hits, start=1)]} | answer_fields(body, outcome)
    )


def hit_fields(hit: Located, rank: int) -> dict[str, Any]:
    """The fields of `HitOut`."""
    own, memory = hit.found.hit, hit.found.memory
    return {
        "rank": rank,
        "score": hit.score,
        "memory": memory_fields(memory._mapping, own.memory_id, memory.text, hit.path, hit.found.fading),
        "channels": {name: _channel(score) for name, score in own.channels.items()},
    }


def _channel(score: ChannelScore) -> dict[str, Any]:
    told = {"rank": score.rank, "score": score.score}
    return told if score.contribution is None else told | {"contribution": score.contribution}


def _within(hits: Sequence[Located], budget: int) -> Sequence[Located]:
    """The best hits whose contents fit into the budget; stops at the first that does not."""
    used = 0
    for index, hit in enumerate(hits):
        used += math.ceil(len(hit.found.memory.text.encode()) / _BYTES_PER_TOKEN)
        if used > budget:
            return hits[:index]
    return hits
