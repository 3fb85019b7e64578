"""Routes of feedback, and of what fusion has learned from it."""

from __future__ import annotations

from fastapi import APIRouter, Request

from memsvc.auth.authenticate import Reader, Writer
from memsvc.feedback.schemas import FeedbackAnswer, FeedbackRequest, FusionAnswer, FusionQuery, FusionReset
from memsvc.feedback.service import Feedback, Weights
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems, query_parameters
from memsvc.http.query import read_query
from memsvc.http.routes import API
from memsvc.http.schemas import path_id
from memsvc.http.work import run_blocking
from memsvc.wiring import Container
from retrieval.adaptation import Verdict

router = APIRouter(prefix=API)


@router.post(
    "/recall/{recall_id}/feedback",
    response_model=FeedbackAnswer,
    responses=problems(400, 401, 403, 404, 408, 413, 414, 415, 422, 431, 503, 507),
    openapi_extra=json_body(FeedbackRequest),
)
async def recall_feedback(request: Request, principal: Writer, recall_id: str) -> FeedbackAnswer:
    """Say what became of the hits of a recall or of the memories of a context, within an hour of it."""
    body = await read_json(request, FeedbackRequest, request.app.state.container.settings)
    verdicts = {memory.id: Verdict[memory.verdict.upper()] for memory in body.memories}
    recorded = await run_blocking(
        request, feedback_of(request), principal.tenant_id, path_id(recall_id), verdicts, principal.may
    )
    return FeedbackAnswer(recorded=recorded)


@router.get(
    "/fusion",
    response_model=FusionAnswer,
    responses=problems(400, 401, 403, 414, 422, 431, 503),
    openapi_extra=query_parameters(FusionQuery),
)
async def fusion(request: Request, principal: Reader) -> FusionAnswer:
    """What the fusion of a namespace has learned from feedback."""
    query = read_query(request, FusionQuery, request.app.state.container.settings)
    principal.require_namespace(query.namespace)
    weights = await run_blocking(request, feedback_of(request).weights, principal.tenant_id, query.namespace)
    return _shown(query.namespace, weights)


@router.post(
    "/fusion:reset",
    response_model=FusionAnswer,
    responses=problems(400, 401, 403, 408, 413, 414, 415, 422, 431, 503, 507),
    openapi_extra=json_body(FusionReset),
)
async def reset_fusion(request: Request, principal: Writer) -> FusionAnswer:
    """Let the fusion of a namespace begin again at the default weights. Verdicts that were given stay on record."""
    body = await read_json(request, FusionReset, request.app.state.container.settings)
    principal.require_namespace(body.namespace)
    feedback = feedback_of(request)
    await run_blocking(request, feedback.reset, principal.tenant_id, body.namespace)
    return _shown(body.namespace, await run_blocking(request, feedback.weights, principal.tenant_id, body.namespace))


def feedback_of(request: Request) -> Feedback:
    """The service that takes feedback."""
    container: Container = request.app.state.container
    return container.feedback


def _shown(path: str, weights: Weights) -> FusionAnswer:
    return FusionAnswer(
        namespace=path,
        adaptive=weights.is_on,
        factors=dict(weights.factors),
        rounds=weights.rounds,
        regret=weights.regret,
        regret_bound=weights.regret_bound,
    )
