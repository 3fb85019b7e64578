"""What the HTTP edge needs of the assembled service, which `memsvc.wiring` builds."""

from __future__ import annotations

from typing import Protocol, cast

from starlette.requests import HTTPConnection

from memsvc.audit.notes import Notes
from memsvc.auth.keys import KeyService
from memsvc.core.clock import Clock
from memsvc.core.metrics import Metrics
from memsvc.core.settings import Settings
from memsvc.http.cursor import CursorCodec
from memsvc.limits.limiter import Limiter


class EdgeContainer(Protocol):
    """The parts of the container that edge endpoints use."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    keys: KeyService
    notes: Notes
    cursors: CursorCodec
    limiter: Limiter

    def start(self) -> None:
        """Load what serving needs. May take long; called once, off the event loop."""
        ...

    def close(self) -> None:
        """Finish writes and let go of everything."""
        ...

    def ready(self) -> dict[str, bool]:
        """Each readiness check by name, and whether it passes."""
        ...

    def degraded(self) -> list[str]:
        """What is lost without anybody failing for it. Does not wait."""
        ...


def container_of(request: HTTPConnection) -> EdgeContainer:
    """The container of the application that answers a request."""
    return cast(EdgeContainer, request.app.state.container)
