"""The route of contexts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from memsvc.auth.authenticate import Reader
from memsvc.context.schemas import ContextAnswer, ContextRequest
from memsvc.context.service import packed
from memsvc.http.answers import json_answer
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems
from memsvc.http.routes import API
from memsvc.http.work import run_blocking
from memsvc.memories.recalls import Recalls
from memsvc.recall.asking import answer_fields, ask
from memsvc.recall.several import Located
from retrieval.packing.pack import BlockOrder, Packed

router = APIRouter(prefix=API)


@router.post(
    "/context",
    response_model=ContextAnswer,
    responses=problems(400, 401, 403, 408, 413, 414, 415, 422, 431, 503),
    openapi_extra=json_body(ContextRequest),
)
async def context(request: Request, principal: Reader) -> Response:
    """What is remembered about a question as one block of text: cited, inside a token budget, stable between calls."""
    body = await read_json(request, ContextRequest, request.app.state.container.settings)
    outcome = await ask(request, principal, body, body.top_k, with_vectors=True)
    block = await run_blocking(
        request, packed, outcome.hits, body.tokenizer, body.token_budget, BlockOrder(body.order), set(body.previous)
    )
    recalls: Recalls = request.app.state.container.recalls
    recalls.used(principal.tenant_id, [outcome.hits[cited.place].found.hit.memory_id for cited in block.cited])
    shown = {"context": block.text, **_fields(body, outcome.hits, block)}
    return json_answer(shown | answer_fields(body, outcome))


def _fields(body: ContextRequest, hits: Sequence[Located], block: Packed) -> dict[str, Any]:
    """The fields that `ContextAnswer` has beside the text and those of `Answered`."""
    ids = [hit.found.hit.memory_id for hit in hits]
    return {
        "citations": [{"label": cited.label, **_citation(hits[cited.place], cited.place + 1)} for cited in block.cited],
        "used_tokens": block.used_tokens,
        "budget_tokens": body.token_budget,
        "tokenizer": body.tokenizer,
        "left_out": [
            {
                "memory_id": ids[one.place],
                "reason": one.reason,
                "duplicate_of": None if one.duplicate_of is None else ids[one.duplicate_of],
            }
            for one in block.left_out
        ],
        "objective": {"value": block.value, "bound": block.bound, "guarantee": block.guarantee},
    }


def _citation(hit: Located, rank: int) -> dict[str, Any]:
    memory = hit.found.memory
    return {
        "memory_id": hit.found.hit.memory_id,
        "external_id": memory.external_id,
        "namespace": hit.path,
        "rank": rank,
        "score": hit.score,
        "occurred_at": memory.occurred_at,
        "recorded_at": memory.recorded_at,
    }
