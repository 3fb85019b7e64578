"""Routes about the embedding spaces of a namespace."""

from __future__ import annotations

from fastapi import APIRouter, Request

from memsvc.auth.authenticate import Admin
from memsvc.auth.principal import Principal
from memsvc.core.errors import InvalidInput
from memsvc.http.json_body import read_json
from memsvc.http.openapi import json_body, problems, query_parameters
from memsvc.http.query import read_query
from memsvc.http.routes import API
from memsvc.http.work import run_blocking
from memsvc.memories.write import Author
from memsvc.models.tenant import Beside
from memsvc.namespaces.endpoints import last_run
from memsvc.reembedding.schemas import BesideName, BesideOut, EmbeddingIn, EmbeddingOut, EmbeddingQuery, SpaceOut
from memsvc.reembedding.service import Standing
from memsvc.wiring import Container

router = APIRouter(prefix=API)

_CALLED: dict[Beside, BesideName] = {
    Beside.GROWING: "growing",
    Beside.COMPLETE: "complete",
    Beside.FORMER: "former",
    Beside.LEAVING: "leaving",
}


@router.get(
    "/embedding", response_model=EmbeddingOut, responses=problems(400, 401, 403, 404, 414, 422, 431, 503),
    openapi_extra=query_parameters(EmbeddingQuery),
)  # fmt: skip
async def get_embedding(request: Request, principal: Admin) -> EmbeddingOut:
    """Which model's vectors recalls of a namespace search, and how far it is with another one."""
    container: Container = request.app.state.container
    query = read_query(request, EmbeddingQuery, container.settings)
    principal.require_namespace(query.namespace)
    found = await run_blocking(request, container.reembedding.standing, principal.tenant_id, query.namespace)
    return _shown(query.namespace, found)


@router.post(
    "/embedding", response_model=EmbeddingOut, openapi_extra=json_body(EmbeddingIn),
    responses=problems(400, 401, 403, 404, 408, 409, 413, 414, 415, 422, 431, 503, 507),
)  # fmt: skip
async def change_embedding(request: Request, principal: Admin) -> EmbeddingOut:
    """Move a namespace to another embedding model while it is in use, or back. Safe to repeat."""
    container: Container = request.app.state.container
    body = await read_json(request, EmbeddingIn, container.settings)
    principal.require_namespace(body.namespace)
    found = await run_blocking(request, _change, container, principal, body)
    return _shown(body.namespace, found)


def _change(container: Container, principal: Principal, body: EmbeddingIn) -> Standing:
    author, service = Author(principal.tenant_id, principal.name, principal.key_id), container.reembedding
    if body.action != "start":
        for name in ("model", "switch_when_complete"):
            if getattr(body, name) is not None:
                raise InvalidInput.field(f"/{name}", "not_for_this", "only goes with the action start")
    match body.action:
        case "start":
            return service.start(author, body.namespace, body.model, switches=body.switch_when_complete is not False)
        case "switch":
            return service.switch(author, body.namespace)
        case "back":
            return service.back(author, body.namespace)
        case "drop":
            return service.drop(author, body.namespace)


def _shown(path: str, found: Standing) -> EmbeddingOut:
    beside = None
    if found.beside is not None and found.state is not None and found.progress is not None:
        beside = BesideOut.model_construct(
            model=found.beside.model,
            dim=found.beside.dim,
            state=_CALLED[found.state],
            texts=found.progress.texts,
            embedded=found.progress.embedded,
            switches_when_complete=found.is_to_switch,
        )
    return EmbeddingOut.model_construct(
        namespace=path,
        active=SpaceOut.model_construct(model=found.active.model, dim=found.active.dim),
        beside=beside,
        models=found.models,
        last_run=None if found.run is None else last_run(found.run),
    )
