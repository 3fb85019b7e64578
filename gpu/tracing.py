"""Spans of OpenTelemetry: what one request did, step by step, through every layer and into the process of the device.

Nothing is recorded until `use` names a provider, and then only below a span that its sampler took: anywhere else a step
costs one look at a variable. A span holds names, numbers and ids, never a text that somebody wrote: of an error
it has the type alone, since a message may quote its input.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from opentelemetry import trace
from opentelemetry.trace import NoOpTracerProvider, Span, SpanKind, Status, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

P = ParamSpec("P")
T = TypeVar("T")

Attribute = bool | int | float | str
"""What may be said of a span; a str is a name or an id."""

_NAME = "memsvc"
_TRACEPARENT = "traceparent"
_W3C = TraceContextTextMapPropagator()
_OFF = NoOpTracerProvider().get_tracer(_NAME)
_tracer = _OFF
_NOTHING = nullcontext()


def use(provider: TracerProvider | None) -> None:
    """Has a provider record spans from now on, in the whole process; None: nobody does."""
    global _tracer
    _tracer = _OFF if provider is None else provider.get_tracer(_NAME)


@contextmanager
def root(name: str, kind: SpanKind, carrier: Mapping[str, str] | None = None) -> Iterator[Span]:
    """The first span of this process: of a request, of a job.

    Args:
        name: of the span; whoever knows a better one in the end says so.
        kind: whether somebody asked for it from outside.
        carrier: headers of W3C Trace Context that came with it. What they name is the parent; where nobody records
            here it is handed on as it came.
    """
    context = None if not carrier else _W3C.extract(carrier)
    span = _tracer.start_span(name, context, kind)
    with _current(span):
        yield span


def step(name: str, **attributes: Attribute) -> AbstractContextManager[object]:
    """A span below the current one, around a block; nothing where none is recorded."""
    if not _is_recording():
        return _NOTHING
    return _step(name, attributes)


@contextmanager
def _step(name: str, attributes: Mapping[str, Attribute]) -> Iterator[None]:
    span = _tracer.start_span(name, attributes=attributes)
    with _current(span):
        yield


def past(name: str, begun: float, ended: float) -> None:
    """A span below the current one of what went on beside it; moments of `time.perf_counter`."""
    if not _is_recording():
        return
    now, now_ns = time.perf_counter(), time.time_ns()
    span = _tracer.start_span(name, start_time=now_ns - int((now - begun) * 1e9))
    span.end(now_ns - int((now - ended) * 1e9))


def bound(function: Callable[P, T]) -> Callable[P, T]:
    """The function for another thread, in which its steps belong to the span that is current here."""
    if not _is_recording():
        return function
    return partial(copy_context().run, function)


def told() -> str:
    """The current span as `traceparent` for another process; "" where none is recorded."""
    return traceparent(trace.get_current_span()) if _is_recording() else ""


def traceparent(span: Span) -> str:
    """A span as W3C Trace Context writes it; "" for one that belongs to no trace."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span))
    return carrier.get(_TRACEPARENT, "")


def heard(name: str, parent: str, begun_ns: int, **attributes: Attribute) -> None:
    """A span that ends now, of what another process asked for; its parent as `told` there, "" for none.

    Args:
        name: of the span.
        parent: what the other process told.
        begun_ns: when it began, by `time.time_ns`.
        attributes: what is said of it.
    """
    if parent and _tracer is not _OFF:
        context = _W3C.extract({_TRACEPARENT: parent})
        _tracer.start_span(name, context, SpanKind.SERVER, attributes, start_time=begun_ns).end()


def _is_recording() -> bool:
    return _tracer is not _OFF and trace.get_current_span().is_recording()


@contextmanager
def _current(span: Span) -> Iterator[None]:
    """Makes a span the current one, and ends it with the block; OpenTelemetry itself would keep an error's message."""
    with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise
