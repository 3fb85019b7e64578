"""The application: routers, middleware, and what happens on start and shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

import memsvc
from memsvc.audit.endpoints import router as audit_router
from memsvc.auth.authenticate import authenticate
from memsvc.auth.endpoints import router as keys_router
from memsvc.changes.endpoints import router as changes_router
from memsvc.compat.mem0.mounting import PlainProblems, mem0_routes
from memsvc.console.mounting import console_routes
from memsvc.context.endpoints import router as context_router
from memsvc.entities.endpoints import router as entities_router
from memsvc.erasures.endpoints import router as erasures_router
from memsvc.exports.endpoints import router as exports_router
from memsvc.feedback.endpoints import router as feedback_router
from memsvc.health.endpoints import ReadinessProbe, probes
from memsvc.health.endpoints import router as version_router
from memsvc.holds.endpoints import router as holds_router
from memsvc.http.container import EdgeContainer
from memsvc.http.middleware import BoundRequests, ObserveRequests
from memsvc.http.openapi import add_schemas, add_security
from memsvc.http.problem import install_problems
from memsvc.http.routes import routes_of
from memsvc.http.streams import Streams
from memsvc.http.work import WorkPool
from memsvc.jobs.endpoints import router as jobs_router
from memsvc.limits.endpoints import router as limits_router
from memsvc.mcp.mounting import mcp_routes
from memsvc.memories.endpoints import router as memories_router
from memsvc.namespaces.endpoints import router as namespaces_router
from memsvc.recall.endpoints import router as recall_router
from memsvc.reembedding.endpoints import router as reembedding_router
from memsvc.rehearsal.endpoints import router as rehearsal_router
from memsvc.revocations.endpoints import router as revocations_router

log = structlog.get_logger("memsvc")

DESCRIPTION = "Long-term memory for AI agents: remember, recall, forget. Errors are problem+json with a stable `code`."


ROUTES = routes_of(
    (
        probes,
        memories_router,
        recall_router,
        context_router,
        feedback_router,
        namespaces_router,
        entities_router,
        changes_router,
        jobs_router,
        rehearsal_router,
        holds_router,
        erasures_router,
        exports_router,
        revocations_router,
        reembedding_router,
        keys_router,
        audit_router,
        limits_router,
        version_router,
    )
)


def create_app(container: EdgeContainer, routes: Sequence[BaseRoute] = ROUTES, *, is_started: bool = False) -> FastAPI:
    """The ASGI application over an assembled service.

    Args:
        container: started and closed with the application.
        routes: what it answers.
        is_started: whether the container was started already; else it is with the application.

    Raises:
        StartupRefused: the settings want something that is not installed.
    """
    settings = container.settings
    docs = "/docs" if settings.is_loopback else None
    app = FastAPI(
        title="memsvc",
        version=memsvc.__version__,
        description=DESCRIPTION,
        lifespan=_lifespan,
        docs_url=docs,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.is_loopback else None,
        redirect_slashes=False,
        routes=[
            *routes,
            *console_routes(settings),
            *mcp_routes(settings.mcp),
            *mem0_routes(settings.mem0_namespace),
        ],
    )
    app.state.container = container
    app.state.is_started = is_started
    app.state.readiness = ReadinessProbe(container)
    app.state.pool = WorkPool(settings.request_threads)
    app.state.streams = Streams(settings.streams_max)
    container.metrics.requests_waiting.set_function(lambda: app.state.pool.waiting)
    install_problems(app, authenticate)
    app.add_middleware(
        BoundRequests,
        metrics=container.metrics,
        pool=app.state.pool,
        wait_max_s=settings.request_wait_s,
        in_flight_max=settings.request_queue,
    )
    app.add_middleware(ObserveRequests, metrics=container.metrics)  # added last: outermost
    if settings.mem0_namespace is not None:
        app.add_middleware(PlainProblems)  # but for this one, which sees what all the others answer
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    container: EdgeContainer = app.state.container
    if not app.state.is_started:
        await asyncio.to_thread(container.start)
    log.info("started", version=memsvc.__version__)
    try:
        yield
    finally:
        app.state.readiness.draining = True
        await asyncio.to_thread(app.state.pool.close)
        await asyncio.to_thread(container.close)
        log.info("stopped")


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        app.openapi_schema = add_schemas(document)
        add_security(app.openapi_schema, is_open=app.state.container.settings.auth_mode == "open")
    return app.openapi_schema
