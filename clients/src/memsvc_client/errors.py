"""Everything that can go wrong in a call, as one tree.

MemsvcError
├── InvalidArgument           refused here, before anything was sent (also a ValueError)
├── ConnectionFailed          no connection, or it broke before an answer came
├── TimedOut                  no answer in time; the service may still have done the work
├── UnexpectedAnswer          the answer is not one of this service
├── BatchInterrupted          some batches were written, then a call failed; holds the results so far
└── ApiError                  the service said no
    ├── InvalidRequest        400, 422
    ├── Unauthorized          401
    ├── Forbidden             403
    ├── NotFound              404
    ├── Conflict              409
    ├── PreconditionFailed    412, 428
    ├── PayloadTooLarge       413
    ├── RateLimited           429
    ├── ServiceUnavailable    502, 503, 504
    └── ServerError           every other 5xx
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command names errors before it needs the models of answers
    from memsvc_client.types import BatchItem, BatchResult, Problem


class MemsvcError(Exception):
    """Base of every error that this package raises on purpose."""


class InvalidArgument(MemsvcError, ValueError):
    """An argument that cannot be sent: a naive datetime, no namespace, a URL without a scheme."""


class ConnectionFailed(MemsvcError):
    """The service could not be reached, or the connection broke before an answer came.

    Attributes:
        idempotency_key: Key of the call, if it had one. Give it to the same call again and nothing is written twice.
    """

    def __init__(self, message: str, *, idempotency_key: str | None = None) -> None:
        super().__init__(message)
        self.idempotency_key = idempotency_key


class TimedOut(MemsvcError):
    """The service did not answer in time. The work may have been done all the same.

    Attributes:
        idempotency_key: Key of the call, if it had one. Give it to the same call again and nothing is written twice.
    """

    def __init__(self, message: str, *, idempotency_key: str | None = None) -> None:
        super().__init__(message)
        self.idempotency_key = idempotency_key


class UnexpectedAnswer(MemsvcError):
    """A success that is not JSON of the expected shape: another service at this address, or a much newer one."""


class BatchInterrupted(MemsvcError):
    """A call of a longer import failed; what the calls before it wrote is kept. `__cause__` says why.

    Attributes:
        done: Results of the items that the service has answered for, in the order of the input.
    """

    def __init__(self, message: str, done: BatchResult) -> None:
        super().__init__(message)
        self.done = done


class ApiError(MemsvcError):
    """The service answered with a problem (RFC 9457).

    Attributes:
        problem: The whole problem document.
        status: HTTP status.
        code: Stable machine-readable code, such as `not_found`.
        detail: What is wrong and what to do, for people.
        request_id: Id to quote to the operator of the service, if it sent one.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.summary())
        self.problem = problem
        self.status = problem.status
        self.code = problem.code
        self.detail = problem.detail
        self.request_id = problem.request_id


class InvalidRequest(ApiError):
    """400 or 422: the request is malformed; `problem.errors` names the fields."""


class Unauthorized(ApiError):
    """401: no valid API key."""


class Forbidden(ApiError):
    """403: the key does not allow this."""


class NotFound(ApiError):
    """404: there is no such thing, or not for this key."""


class Conflict(ApiError):
    """409: the state of the memory, or another call with the same idempotency key, does not allow this."""


class PreconditionFailed(ApiError):
    """412 or 428: the memory has changed since it was read."""


class PayloadTooLarge(ApiError):
    """413: a limit of the service was passed; `detail` names it."""


class _MayRetry(ApiError):
    """An answer that asks for patience.

    Attributes:
        retry_after_s: Seconds to wait as asked by the service; None when it did not say.
    """

    def __init__(self, problem: Problem, *, retry_after_s: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after_s = retry_after_s


class RateLimited(_MayRetry):
    """429: too many requests, still so after the last retry."""


class ServiceUnavailable(_MayRetry):
    """502, 503 or 504: the service cannot work now, still so after the last retry."""


class ServerError(ApiError):
    """Any other 5xx: a fault of the service."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    413: PayloadTooLarge,
    422: InvalidRequest,
    428: PreconditionFailed,
    429: RateLimited,
    502: ServiceUnavailable,
    503: ServiceUnavailable,
    504: ServiceUnavailable,
}


def api_error(problem: Problem, *, retry_after_s: float | None = None) -> ApiError:
    """The error class for a problem, by its status.

    Args:
        problem: What the service answered.
        retry_after_s: The Retry-After header in seconds, if there was one.
    """
    kind = _BY_STATUS.get(problem.status, ServerError if problem.status >= 500 else ApiError)
    if issubclass(kind, _MayRetry):
        return kind(problem, retry_after_s=retry_after_s)
    return kind(problem)


def item_error(item: BatchItem) -> ApiError | None:
    """What kept one item of a batch from being written, as an exception to raise; None when it was written."""
    from memsvc_client.types import Problem

    if item.ok:
        return None
    return api_error(item.problem or Problem(status=item.status, detail="no detail was given"))


def raise_refused(result: BatchResult) -> None:
    """Raises what kept the first refused item of a batch from being written; those beside it are written.

    Raises:
        ApiError: There is one.
    """
    for _, item in result.failed:
        raise item_error(item) or UnexpectedAnswer("an item was refused without a reason")


def describe(error: MemsvcError) -> dict[str, Any]:
    """An error as plain JSON values, for logs and `--json` output."""
    if isinstance(error, ApiError):
        return error.problem.model_dump(mode="json", exclude_none=True)
    named = {"code": type(error).__name__, "detail": str(error)}
    key = getattr(error, "idempotency_key", None)
    return named | ({"idempotency_key": key} if key else {})
