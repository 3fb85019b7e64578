"""One call on the wire, without any I/O: what to send, and how to read what comes back."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, Generic, TypeVar
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from memsvc_client.errors import ApiError, InvalidArgument, UnexpectedAnswer, api_error
from memsvc_client.types import Problem

T = TypeVar("T")

SNIPPET_CHARS = 200

_KEY = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request and the reading of its answer.

    Attributes:
        method: HTTP method.
        path: Path below the base URL, already quoted.
        read: Makes the result from a success.
        params: Query parameters.
        body: Encoded JSON, or None.
        file: What is sent in place of a body, read while it is sent.
        patient: Takes as long as it takes: only the connection is waited for with a limit.
        headers: Headers of this call alone.
        keyed: The call writes: it carries one idempotency key over all its tries.
        idempotency_key: The caller's own key, if there is one.
        accept: Statuses beside 2xx that `read` understands.
        retry: May be tried again.
        gone_is_done: After a try of unknown outcome, a 404 means that the try had worked.
    """

    method: str
    path: str
    read: Callable[[Reply], T]
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    file: BinaryIO | None = None
    patient: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    keyed: bool = False
    idempotency_key: str | None = None
    accept: frozenset[int] = frozenset()
    retry: bool = True
    gone_is_done: bool = False

    def __post_init__(self) -> None:
        key = self.idempotency_key
        if key is not None and not _KEY.fullmatch(key):
            raise InvalidArgument("an idempotency key is 1 to 128 visible ASCII characters")

    def result(self, reply: Reply) -> T:
        """The value of an answer.

        Raises:
            ApiError: The service said no.
            UnexpectedAnswer: A success that cannot be read.
        """
        if 200 <= reply.status < 300 or reply.status in self.accept:
            return self.read(reply)
        raise refusal(reply)


def encode(value: Any) -> bytes:
    """JSON in UTF-8. Datetimes become RFC 3339 in UTC.

    Raises:
        InvalidArgument: The value has no JSON form, or holds a datetime without a time zone.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
        return text.encode()
    except InvalidArgument:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"this cannot be sent as JSON: {error}") from error


def timestamp(value: datetime) -> str:
    """RFC 3339 in UTC.

    Raises:
        InvalidArgument: The datetime has no time zone.
    """
    if value.tzinfo is None:
        raise InvalidArgument("a datetime needs a time zone, for example datetime.now(UTC)")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    to_list = getattr(value, "tolist", None)  # numpy arrays and numbers, without knowing numpy
    if callable(to_list):
        return to_list()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def reader(shape: Any) -> Callable[[Reply], Any]:
    """A `read` for a JSON body of the given type, which is made ready when the first answer comes."""

    @functools.cache
    def adapter() -> TypeAdapter[Any]:
        return TypeAdapter(shape)

    def read(reply: Reply) -> Any:
        try:
            return adapter().validate_json(reply.body)
        except ValidationError as error:
            raise UnexpectedAnswer(
                f"{reply.status} with a body that is not a {getattr(shape, '__name__', shape)}; "
                f"is this the address of a memsvc service? ({error.error_count()} fields do not fit)"
            ) from error

    return read


def nothing(reply: Reply) -> None:
    """A `read` for answers without a body."""
    del reply


def refusal(reply: Reply) -> ApiError:
    """The error for an answer that is no success, whether or not it is a problem document."""
    return api_error(_problem(reply), retry_after_s=retry_after_s(reply.headers.get("retry-after")))


def _problem(reply: Reply) -> Problem:
    fallback = {"status": reply.status, "code": f"http_{reply.status}"}
    try:
        document = json.loads(reply.body)
        if isinstance(document, dict):
            return Problem.model_validate(fallback | document | {"status": reply.status})
    except (ValueError, RecursionError):  # ValidationError is a ValueError too
        pass
    text = reply.body[: 4 * SNIPPET_CHARS].decode(errors="replace").strip()[:SNIPPET_CHARS]
    return Problem.model_validate(fallback | {"detail": text or "the answer had no body"})


def retry_after_s(header: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for, given as seconds or as an HTTP date; None when it says nothing.

    Args:
        header: Value of the header.
        now: The present, for a date (default: the clock).
    """
    if not header:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        when = parsedate_to_datetime(header)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())
