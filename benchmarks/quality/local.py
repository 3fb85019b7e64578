"""The service in this process, spoken to as over HTTP, so that what its parts say to each other can be recorded."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import structlog

from benchmarks.quality.sets import Json
from memsvc.core.settings import Settings
from memsvc.main import create_app
from memsvc.wiring import Container


class LocalService:
    """The application over a data folder; everything as `memsvc serve` would have it, but for the network."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.container = Container(Settings(data_dir=folder, **settings))
        self.container.start()
        self._app = create_app(self.container, is_started=True)
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app=self._app)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=None)  # noqa: S113

    def post(self, path: str, body: Json) -> Json:
        """The answer to a POST.

        Raises:
            RuntimeError: the answer is not a success.
        """
        return self._send("POST", path, body)

    def put(self, path: str, body: Json) -> Json:
        """The answer to a PUT.

        Raises:
            RuntimeError: the answer is not a success.
        """
        return self._send("PUT", path, body)

    def _send(self, method: str, path: str, body: Json) -> Json:
        answer = self._runner.run(self._client.request(method, path, json=body))
        if not answer.is_success:
            raise RuntimeError(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
        found: Json = answer.json()
        return found

    def close(self) -> None:
        """End everything."""
        self._runner.run(self._client.aclose())
        self._runner.close()
        self._app.state.pool.close()
        self.container.close()


@contextmanager
def local(folder: Path, **settings: Any) -> Iterator[LocalService]:
    """A service for a while. Settings of this environment are not used."""
    foreign = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("MEMSVC_")}
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    try:
        service = LocalService(folder, **settings)
        try:
            yield service
        finally:
            service.close()
    finally:
        structlog.reset_defaults()
        os.environ.update(foreign)
