"""`memsvc serve`: from settings to a process that listens, and back to exit code 0."""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Callable, Mapping
from types import FrameType

import uvicorn
from fastapi import FastAPI
from sqlalchemy.engine import make_url
from uvicorn.supervisors import Multiprocess

from memsvc.core import heap
from memsvc.core.errors import StartupRefused
from memsvc.core.logging import configure_logging, log_config
from memsvc.core.settings import PREFIX, Settings
from memsvc.core.telemetry import begin_tracing
from memsvc.http.protocol import BoundedHttpProtocol
from memsvc.main import create_app
from memsvc.wiring import Container

Say = Callable[[str], None]

_KEEP_ALIVE_S = 30
_SWITCH_S = 0.0005


def run_server(settings: Settings, workers: int, say: Say, options: Mapping[str, object]) -> None:
    """Serve until told to stop.

    Args:
        settings: how.
        workers: processes; more than one needs PostgreSQL.
        say: told what happens while it happens.
        options: settings that the command line gave, by name; None where it did not.

    Raises:
        StartupRefused: it must not start like this.
    """
    configure_logging(settings)
    if workers > 1 and make_url(settings.url).get_backend_name() == "sqlite":
        raise StartupRefused("SQLite has one owning process; give --database-url for more than one worker")
    listener = _bind(settings)
    with listener:
        if workers > 1:
            _serve_workers(settings, workers, listener, say, options)
        else:
            _serve_here(settings, listener, say)
    say("stopped")


def settle_threads() -> None:
    """How threads share this process; to be called before there are others.

    They hand the interpreter on after half a millisecond instead of five. A recall hands its question to the embedder's
    thread and goes on: with Python's own interval that thread began only when the recall had nothing else to do, or
    after five milliseconds. And they allocate from the same two arenas (`heap.share_arenas`).
    """
    sys.setswitchinterval(_SWITCH_S)
    heap.share_arenas()


def settle_objects() -> None:
    """What is there when a process has started stays: no collection of garbage looks through it again.

    That are nearly all of its objects, and a full collection holds up every request for as long as it looks. What is
    made and freed later goes back to the system (`heap.trim_regularly`).
    """
    gc.collect()
    gc.freeze()
    heap.trim_regularly()


class Server(uvicorn.Server):
    """Says that it is not ready from the moment of the first signal; a second one ends it at once."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, say: Say) -> None:
        super().__init__(config)
        self._app = app
        self._say = say

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop. Not passed on afterwards: a stop that was asked for is a success."""
        if self.should_exit:
            self.force_exit = True
            return
        self._app.state.readiness.draining = True
        self.should_exit = True
        self._say("stopping: finishing what runs")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and say where."""
        await super().startup(sockets)
        if sockets:
            self._say(f"serving on {_url(sockets[0])} (stop with Ctrl+C)")


def _serve_here(settings: Settings, listener: socket.socket, say: Say) -> None:
    settle_threads()
    begin_tracing(settings, "memsvc serve")
    container = Container(settings, say=say)
    try:
        container.start()
        app = create_app(container, is_started=True)
        settle_objects()
    except BaseException:
        container.close()
        raise
    Server(_config(settings, app), app, say).run([listener])


def _serve_workers(
    settings: Settings, workers: int, listener: socket.socket, say: Say, options: Mapping[str, object]
) -> None:
    # Workers are fresh processes, which read their settings from where this one did. What came out of a file is not put
    # into the environment: there it could be read by more people.
    os.environ.update({PREFIX + name.upper(): str(value) for name, value in options.items() if value is not None})
    config = _config(settings, "memsvc.commands.worker:make_app", factory=True, workers=workers)
    say(f"starting {workers} processes on {_url(listener)}")
    Multiprocess(config, sockets=[listener]).run()


def _config(
    settings: Settings, app: FastAPI | str, *, factory: bool = False, workers: int | None = None
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=factory,
        workers=workers,
        http=BoundedHttpProtocol,
        ws="none",
        lifespan="on",
        log_config=log_config(settings),
        access_log=False,
        server_header=False,
        # Only of these: anybody else could claim to come from wherever a key may be used.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.shutdown_grace_s,
    )


def _bind(settings: Settings) -> socket.socket:
    """Take the port before anything is loaded, so that a port in use is known at once. It does not listen yet."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
    except OSError as error:
        raise StartupRefused(f"cannot listen on {settings.host}: {error.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise StartupRefused(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}") from None
    listener.set_inheritable(True)
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
