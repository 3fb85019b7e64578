"""Where traces go: nowhere by default, to the collector that the settings name, and to no other."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.trace import SpanKind

from gpu import tracing
from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings
from memsvc.core.telemetry import begin_tracing


def test_nothing_is_recorded_without_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
    begin_tracing(Settings(), "memsvc serve")

    with tracing.root("request", SpanKind.SERVER) as span:
        assert not span.is_recording()
        assert tracing.told() == ""


def test_an_endpoint_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(StartupRefused, match=r"memsvc\[otel\]"):
        begin_tracing(Settings(trace_endpoint="http://localhost:1/v1/traces"), "memsvc serve")


def test_spans_reach_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    arrived: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrived.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    providers: list[sdk.TracerProvider] = []
    monkeypatch.setattr(tracing, "use", providers.append)
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}/v1/traces"
        begin_tracing(Settings(trace_endpoint=endpoint), "memsvc serve")
        monkeypatch.undo()
        tracing.use(providers[0])
        try:
            with tracing.root("request", SpanKind.SERVER), tracing.step("fusion", hits=3):
                pass
        finally:
            tracing.use(None)
        providers[0].shutdown()
        server.shutdown()

    assert {path for path, _ in arrived} == {"/v1/traces"}
    assert all(word in b"".join(body for _, body in arrived) for word in (b"fusion", b"request", b"memsvc serve"))
