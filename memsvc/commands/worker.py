"""One of several server processes on PostgreSQL."""

from __future__ import annotations

import sys

import structlog
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from memsvc.commands.server import settle_objects, settle_threads
from memsvc.core.errors import StartupRefused
from memsvc.core.logging import configure_logging
from memsvc.core.settings import load_settings
from memsvc.core.telemetry import begin_tracing
from memsvc.main import create_app
from memsvc.wiring import Container

log = structlog.get_logger("memsvc")


def make_app() -> FastAPI:
    """The application of this process, from the environment. A refusal ends it so that its parent ends, too."""
    try:
        settings = load_settings()
        configure_logging(settings)
        settle_threads()
        begin_tracing(settings, "memsvc serve")
        container = Container(settings, say=log.info)
        container.start()
        app = create_app(container, is_started=True)
        settle_objects()
    except StartupRefused as refused:
        log.error("refused", reason=str(refused))  # noqa: TRY400 - the reason is all there is to know
        sys.exit(STARTUP_FAILURE)
    return app
