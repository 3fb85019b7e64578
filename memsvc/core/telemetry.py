"""Where traces go. Nowhere, unless the settings name a collector: no telemetry leaves a machine by itself."""

from __future__ import annotations

import memsvc
from gpu import tracing
from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings


def begin_tracing(settings: Settings, process: str) -> None:
    """Send spans of this process to the collector of the settings, if there is one; what waits is sent at exit.

    Spans are handed over in a thread of their own, in batches; where the collector is away they are dropped.

    Args:
        settings: which collector, and which share of the requests.
        process: what this process is called there.

    Raises:
        StartupRefused: there is a collector, and what speaks to it is not installed.
    """
    if settings.trace_endpoint is None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as error:
        raise StartupRefused(f"MEMSVC_TRACE_ENDPOINT needs {error.name}: install memsvc[otel]") from None
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.trace_share)),
        resource=Resource.create({"service.name": process, "service.version": memsvc.__version__}),
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.trace_endpoint)))
    tracing.use(provider)
