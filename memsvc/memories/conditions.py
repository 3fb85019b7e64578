"""Headers that make a write conditional or repeatable: `If-Match`, `ETag`, `Idempotency-Key`."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request

from memsvc.auth.principal import Principal
from memsvc.core.errors import MalformedRequest, PreconditionFailed
from memsvc.core.secrets import Secrets
from memsvc.memories.once import Claim

_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_ETAG = re.compile(r'"(\d{1,9})"')
_WEAK = re.compile(r'W/"[^"]*"')

KEYED: list[dict[str, Any]] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "The same key with the same request has its effect once and gets the same answer for 24 h.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
    }
]
"""How OpenAPI describes the header of a repeatable write."""


def etag(version: int) -> str:
    """The strong validator of a version."""
    return f'"{version}"'


def if_match(request: Request) -> int | None:
    """The version that the caller demands, or None for any.

    Raises:
        MalformedRequest: the header cannot be read.
        PreconditionFailed: it holds a weak validator, which never matches a write.
    """
    given = request.headers.getlist("if-match")
    if not given or given == ["*"]:
        return None
    if len(given) == 1 and (found := _ETAG.fullmatch(given[0].strip())):
        return int(found[1])
    if len(given) == 1 and _WEAK.fullmatch(given[0].strip()):
        raise PreconditionFailed("a weak ETag cannot be used here; send the one you were given")
    raise MalformedRequest('If-Match must be one ETag such as "3"')


def claim(request: Request, principal: Principal, secrets: Secrets, route: str, body: BaseModel | None) -> Claim | None:
    """The claim that the request's `Idempotency-Key` makes, or None without one.

    Args:
        route: the operation and what it is done to: the same key means something else elsewhere.

    Raises:
        MalformedRequest: the header cannot be used.
    """
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise MalformedRequest("Idempotency-Key must be 1 to 128 visible ASCII characters, once")
    owner = b"" if principal.key_id is None else principal.key_id.bytes
    digest = secrets.sign("idempotency", b"\x00".join((owner, route.encode(), given[0].encode())))
    said = b"" if body is None else body.model_dump_json(exclude_unset=True).encode()
    return Claim(digest, secrets.sign("idempotency-body", said))
