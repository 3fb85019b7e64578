"""Refusals that only the HTTP edge can make."""

from __future__ import annotations

from memsvc.core.errors import ServiceError


class RequestTimeout(ServiceError):
    """The client took too long to send its request."""

    status, code, title = 408, "request_timeout", "The request took too long to arrive"
