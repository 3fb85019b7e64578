"""Structured logs: JSON lines or text, with the request id; no content, no questions, no keys."""

from __future__ import annotations

import logging.config
import re
import sys
import traceback
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from memsvc.core.settings import Settings

_FORBIDDEN = frozenset(
    {"content", "query", "body", "metadata", "authorization", "api_key", "secret", "password", "headers", "params"}
)
_KEY = re.compile(r"msk_[A-Za-z0-9_-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _withhold(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Drop what must never be logged, mask keys, and keep every event on one line."""
    for name, value in event.items():
        if name in _FORBIDDEN:
            event[name] = "[withheld]"
        elif isinstance(value, str):
            event[name] = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", _KEY.sub("msk_[withheld]", value))
    return event


def _frames(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Turn `exc_info` into types and places. Messages of exceptions may quote a user's input, so they stay out."""
    info = event.pop("exc_info", None)
    if not info:
        return event
    error = info if isinstance(info, BaseException) else (info[1] if isinstance(info, tuple) else sys.exc_info()[1])
    chain: list[dict[str, Any]] = []
    while error is not None and len(chain) < 8:
        chain.append(
            {"type": f"{type(error).__module__}.{type(error).__qualname__}", "at": _places(error.__traceback__)}
        )
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    event["raised"] = chain
    return event


def _places(trace: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)[-20:]]


def _is_json(settings: Settings) -> bool:
    if settings.log_format == "auto":
        return not sys.stderr.isatty()
    return settings.log_format == "json"


def log_config(settings: Settings) -> dict[str, Any]:
    """Configuration for `logging.config`, which gives the logs of libraries the same form."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(allow=()),
        _frames,
        _withhold,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(default=str)
        if _is_json(settings)
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "memsvc": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "memsvc", "stream": "ext://sys.stderr"}},
        "root": {"handlers": ["stderr"], "level": settings.log_level.upper()},
        "loggers": {
            # Ours names the route and never the query string; uvicorn's own access log would print it.
            "uvicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
            **{name: {"level": "WARNING"} for name in ("alembic", "httpx", "mcp", "uvicorn.error")},
        },
    }


def configure_logging(settings: Settings) -> None:
    """Set up the logs of this process."""
    logging.config.dictConfig(log_config(settings))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _frames,
            _withhold,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
