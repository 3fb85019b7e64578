"""Probes, version and metrics. The probes alone answer without a key, and tell nothing but yes or no."""

from __future__ import annotations

import asyncio
from time import monotonic

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

import memsvc
from memsvc.auth.authenticate import Admin, Reader
from memsvc.http.container import EdgeContainer, container_of
from memsvc.http.openapi import PUBLIC, problems
from memsvc.http.routes import API
from memsvc.http.work import run_blocking

log = structlog.get_logger("memsvc.health")

probes = APIRouter(tags=["health"])
router = APIRouter(prefix=API, tags=["health"])

READY_TIMEOUT_S = 2.0
# Probes need no key, so that however many come they cost one look at the database in this time.
_READY_KEPT_S = 0.5


class Alive(BaseModel):
    """The event loop turns."""

    alive: bool


class Readiness(BaseModel):
    """Whether requests should be sent here."""

    ready: bool
    checks: dict[str, bool] = Field(description="Each check by name, and whether it passes.")
    degraded: list[str] = Field(
        description="What is lost without anybody failing for it: `redis`; `embedder` while texts wait for the model."
    )


class Version(BaseModel):
    """What runs here."""

    version: str
    api: str


class ReadinessProbe:
    """Runs the checks off the request threads, at most once in half a second."""

    def __init__(self, container: EdgeContainer) -> None:
        self._container = container
        self._lock = asyncio.Lock()
        self._last: dict[str, bool] = {}
        self._until = 0.0
        self.draining = False
        """Set on shutdown; readiness is gone at once."""

    async def checks(self) -> dict[str, bool]:
        """Each check by name, and whether it passes."""
        async with self._lock:
            if monotonic() >= self._until:
                self._last = await self._look()
                self._until = monotonic() + _READY_KEPT_S
        return {**self._last, "not_draining": not self.draining}

    async def _look(self) -> dict[str, bool]:
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                return await asyncio.to_thread(self._container.ready)
        except TimeoutError:
            return {"answers_in_time": False}
        except Exception as error:  # whatever is wrong, the answer is: not ready
            log.warning("readiness_check_failed", error=type(error).__name__, exc_info=error)
            return {"answers": False}


@probes.get("/livez", response_model=Alive, openapi_extra=PUBLIC)
async def livez() -> Alive:
    """Whether the process turns. Depends on nothing else."""
    return Alive(alive=True)


@probes.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Not ready."}},
    openapi_extra=PUBLIC,
)
async def readyz(request: Request) -> Response:
    """Whether requests should be sent here, and which check fails if not."""
    probe: ReadinessProbe = request.app.state.readiness
    checks = await probe.checks()
    ready = all(checks.values())
    degraded = container_of(request).degraded()
    return JSONResponse({"ready": ready, "checks": checks, "degraded": degraded}, status_code=200 if ready else 503)


@router.get("/version", response_model=Version, responses=problems(400, 401, 403))
async def version(principal: Reader) -> Version:
    """The version of the service."""
    return Version(version=memsvc.__version__, api="v1")


@probes.get("/metrics", response_class=Response, responses=problems(400, 401, 403))
async def metrics(request: Request, principal: Admin) -> Response:
    """Metrics in the text format of Prometheus. Needs the role `admin` where keys are needed."""
    body = await run_blocking(request, container_of(request).metrics.render)
    return Response(body, media_type=CONTENT_TYPE_LATEST)
