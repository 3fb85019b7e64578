"""Every refusal and every failure as RFC 9457 problem+json. Nothing a client sent comes back in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from memsvc.core.errors import (
    EmbedderUnavailable,
    InvalidInput,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    StorageFull,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from memsvc.db.faults import is_full
from memsvc.http.errors import RequestTimeout
from memsvc.http.routes import allowed_methods
from memsvc.http.validation import refuse
from retrieval.errors import EmbedderBusyError, EmbedderError

log = structlog.get_logger("memsvc.http")

Gate = Callable[[Request], Awaitable[object]]

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:memsvc:problem:"
_RETRY_AFTER_S = 2
_POSTGRES_TOO_LONG = frozenset({"25P03", "25P04"})
# After these the rest of the request may still be on its way; it is not worth reading.
_CLOSING: tuple[type[ServiceError], ...] = (TooLarge, RequestTimeout)


class FieldProblem(BaseModel):
    """One thing wrong with one field."""

    pointer: str = Field(description="JSON pointer into the body, or the name of a query parameter.")
    code: str = Field(description="Stable code of what is wrong.")
    message: str = Field(description="What is wrong, without the value.")


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(description="`urn:memsvc:problem:` and the code; stable.")
    title: str = Field(description="The kind of problem, in words.")
    status: int = Field(description="The HTTP status.")
    code: str = Field(description="Stable code; docs/errors.md lists all.")
    detail: str = Field(description="What is wrong here and what to do.")
    request_id: str = Field(description="Also in the `X-Request-Id` header and in the server's log.")
    errors: list[FieldProblem] = Field(description="Field by field, when the input is at fault.")


def problem_body(error: ServiceError, request_id: str) -> dict[str, object]:
    """The body of the answer for a refusal."""
    return {
        "type": TYPE_PREFIX + error.code,
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        "request_id": request_id,
        "errors": [{"pointer": f.pointer, "code": f.code, "message": f.message} for f in error.errors],
    }


def problem_response(error: ServiceError, request_id: str) -> Response:
    """The answer for a refusal."""
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, _CLOSING):
        headers["Connection"] = "close"
    return Response(orjson.dumps(problem_body(error, request_id)), error.status, headers, MEDIA_TYPE)


def unexpected() -> ServiceError:
    """What a client learns about a failure of ours."""
    return ServiceError("something went wrong on our side; the server's log has it under this request id")


def request_id_of(request: Request) -> str:
    """The id of a request, set by the middleware."""
    return getattr(request.state, "request_id", "")


def from_database(error: SQLAlchemyError) -> ServiceError | None:
    """The refusal that a database error means, or None when it is a fault of ours."""
    if isinstance(error, PoolTimeout | OperationalError | InterfaceError) or _took_too_long(error):
        if is_full(error):
            return StorageFull("the database has no room left; free disk space")
        return Unavailable("the database does not answer; try again", retry_after_s=_RETRY_AFTER_S)
    if isinstance(error, DataError):
        return InvalidInput("the database cannot store a value of this request")
    return None


def _took_too_long(error: SQLAlchemyError) -> bool:
    """Whether PostgreSQL ended the transaction because it took, or did nothing for, too long."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in _POSTGRES_TOO_LONG


def from_embedder(error: EmbedderError) -> ServiceError:
    """The refusal that a failing embedder means."""
    if isinstance(error, EmbedderBusyError):
        return Unavailable("too many texts wait to be embedded; try again", retry_after_s=_RETRY_AFTER_S)
    return EmbedderUnavailable("the embedding model does not answer; try again", retry_after_s=_RETRY_AFTER_S)


async def _on_service_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceError):
        raise error
    return problem_response(error, request_id_of(request))


async def _on_database_error(request: Request, error: Exception) -> Response:
    refusal = from_database(error) if isinstance(error, SQLAlchemyError) else None
    if refusal is None:
        raise error
    log.error("database_error", error=type(error).__name__, status=refusal.status, exc_info=error)
    return problem_response(refusal, request_id_of(request))


async def _on_embedder_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, EmbedderError):
        raise error
    log.error("embedder_error", error=type(error).__name__, exc_info=error)
    return problem_response(from_embedder(error), request_id_of(request))


async def _on_validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    found = error.errors()
    if any(item["loc"][0] == "path" for item in found):
        # No resource can have such a name: the same answer as for an unknown one.
        return problem_response(NotFound("there is nothing here"), request_id_of(request))
    document = {"query": dict(request.query_params), "header": dict(request.headers)}
    return problem_response(refuse(found, document), request_id_of(request))


def _for_http_exceptions(gate: Gate) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Unknown routes and methods. Where keys are needed, they are needed to learn which routes exist, too."""

    async def answer(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        try:
            if error.status_code in {404, 405}:
                await gate(request)
            refusal = _from_status(error.status_code)
        except ServiceError as unauthenticated:
            refusal = unauthenticated
        response = problem_response(refusal, request_id_of(request))
        if isinstance(refusal, MethodNotAllowed):
            response.headers["Allow"] = ", ".join(allowed_methods(request))
        return response

    return answer


def _from_status(status: int) -> ServiceError:
    if status == 404:
        return NotFound("there is nothing here; /openapi.json lists what there is")
    if status == 405:
        return MethodNotAllowed("this method is not allowed here; the Allow header lists those that are")
    if 400 <= status < 500:
        return MalformedRequest("the request cannot be read")
    return unexpected()


def install_problems(app: FastAPI, gate: Gate) -> None:
    """Make `app` answer everything that goes wrong with a problem.

    Args:
        app: the application.
        gate: refuses a request that may not learn which routes exist.
    """
    app.add_exception_handler(ServiceError, _on_service_error)
    app.add_exception_handler(SQLAlchemyError, _on_database_error)
    app.add_exception_handler(EmbedderError, _on_embedder_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _for_http_exceptions(gate))
