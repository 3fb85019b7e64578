"""Everything that the service refuses or cannot do, one class for each stable code.

ServiceError
├── InvalidInput (422)          field errors as JSON pointers, never the value itself
│   └── MalformedRequest (400)
├── Unauthenticated (401)
├── Forbidden (403)
├── NotFound (404)              unknown, foreign, forgotten and erased look alike
├── Conflict (409)
├── Unreadable (409)
│   └── Damaged (409)
├── PreconditionFailed (412)
├── TooLarge (413)
├── UnsupportedMedia (415)
├── KeyReused (422)             an idempotency key with another body
├── TooManyRequests (429)
│   ├── RateLimited             for now
│   └── QuotaExceeded           until something is erased
└── Unavailable (503)
    ├── EmbedderUnavailable
    └── StorageFull (507)
StartupRefused                  the process must not serve; the message says what to do
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field. `pointer` is a JSON pointer; the offending value is never kept."""

    pointer: str
    code: str
    message: str


class ServiceError(Exception):
    """A refusal with its HTTP status and stable code."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, errors: tuple[FieldError, ...] = (), retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.retry_after_s = retry_after_s


class InvalidInput(ServiceError):
    status, code, title = 422, "invalid_input", "The input is not valid"

    @classmethod
    def field(cls, pointer: str, code: str, message: str) -> InvalidInput:
        """A refusal that names one field."""
        return cls(f"{pointer}: {message}", errors=(FieldError(pointer, code, message),))


class MalformedRequest(ServiceError):
    status, code, title = 400, "malformed_request", "The request cannot be read"


class BadCursor(MalformedRequest):
    code, title = "bad_cursor", "The cursor is not valid here"


class Unauthenticated(ServiceError):
    status, code, title = 401, "unauthenticated", "A valid API key is needed"


class Forbidden(ServiceError):
    status, code, title = 403, "forbidden", "The key does not allow this"


class NotFound(ServiceError):
    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(ServiceError):
    status, code, title = 405, "method_not_allowed", "The method is not allowed here"


class Conflict(ServiceError):
    status, code, title = 409, "conflict", "The state of the resource does not allow this"


class Unreadable(ServiceError):
    """The database holds what no release wrote, where it does not look itself."""

    status, code, title = 409, "unreadable", "What is stored cannot be read"


class Damaged(Unreadable):
    """What is encrypted does not open: it, or its key, is not what was written. Whoever has its id can erase it."""

    def __init__(self, memory_id: UUID) -> None:
        super().__init__(
            f"the memory {memory_id} is encrypted and does not open; restore it from a backup, or erase it by its id"
        )
        self.memory_id = memory_id


class PreconditionFailed(ServiceError):
    status, code, title = 412, "precondition_failed", "The memory has changed since you read it"


class TooLarge(ServiceError):
    status, code, title = 413, "too_large", "The request is too large"


class UriTooLong(ServiceError):
    status, code, title = 414, "uri_too_long", "The URL is too long"


class UnsupportedMedia(ServiceError):
    status, code, title = 415, "unsupported_media_type", "Only JSON is accepted"


class KeyReused(ServiceError):
    status, code, title = 422, "idempotency_key_reused", "The idempotency key belongs to another request"


class TooManyRequests(ServiceError):
    status, code, title = 429, "too_many_requests", "Too many requests"


class RateLimited(TooManyRequests):
    code, title = "rate_limited", "The limit is used up for now"


class QuotaExceeded(TooManyRequests):
    code, title = "quota_exceeded", "There is no room left in the quota"

    def __init__(self, detail: str, *, limit: str, retry_after_s: int) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.limit = limit


class HeadersTooLarge(ServiceError):
    status, code, title = 431, "headers_too_large", "The request headers are too large"


class Unavailable(ServiceError):
    status, code, title = 503, "unavailable", "The service cannot do this now"


class EmbedderUnavailable(Unavailable):
    code, title = "embedder_unavailable", "The embedding model does not answer"


class StorageFull(ServiceError):
    status, code, title = 507, "storage_full", "There is no room to write"


class StartupRefused(Exception):
    """The service must not start like this; the message says why and what to do."""
