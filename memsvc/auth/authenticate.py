"""From a request to its principal, before anything of its body is read."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from fastapi import Depends, Request

from memsvc.audit.notes import Call
from memsvc.auth.form import KEY
from memsvc.auth.principal import Principal, Role
from memsvc.core.errors import Forbidden, MalformedRequest, Unauthenticated
from memsvc.http.routes import route_template
from memsvc.http.work import look_up, run_blocking
from memsvc.limits.admission import admit

_EVERYDAY = frozenset({"read", "write"})
_POLLED = frozenset({"/metrics"})  # every few seconds, and nothing of anybody
_KEY_IN_URL = re.compile(
    rb"(?:^|&)(?i:api[_-]?key|access[_-]?token|token|authorization|key)="
    rb"|(?:^|[^\w-]|%[0-9A-Fa-f]{2})" + KEY.encode() + rb"(?![\w-])"  # all of one: a cursor may hold its first letters
)


BEARER = frozenset({"bearer"})


async def authenticate(request: Request, schemes: frozenset[str] = BEARER) -> Principal:
    """The principal of a request.

    Args:
        schemes: in lower case, those under which a key is taken.

    Raises:
        MalformedRequest: a key stands in the URL, or there are several.
        Unauthenticated: a key is needed and there is none, or the one given is not good; the same answer for all.
    """
    if _KEY_IN_URL.search(request.scope["query_string"]):
        raise MalformedRequest("send the API key in the Authorization header, never in the URL; replace this key")
    given = request.headers.getlist("authorization")
    if len(given) > 1:
        raise MalformedRequest("send one Authorization header")
    keys = request.app.state.container.keys
    if not given:
        anonymous: Principal | None = keys.anonymous
        if anonymous is None or not _names_this_machine(request):
            raise _unauthenticated(request)
        return anonymous
    scheme, _, secret = given[0].partition(" ")
    if scheme.lower() not in schemes:
        raise _unauthenticated(request)
    principal: Principal | None = keys.recent(secret) or await look_up(request, keys.find, secret)
    if principal is None:
        raise _unauthenticated(request)
    if not principal.may_come_from(request.client.host if request.client else None):
        # The same answer as for no key at all: whoever found it does not hear that it is good elsewhere.
        await _note(request, principal, "denied", "address")
        raise _unauthenticated(request)
    if principal.key_id is not None:
        keys.uses.used(principal.tenant_id, principal.key_id)
    return principal


def _names_this_machine(request: Request) -> bool:
    """Whether the request was meant for a loopback address.

    A page on the web can point its own name at 127.0.0.1 and so reach an open server from the visitor's browser, but
    the browser then sends that name.
    """
    host = request.url.hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unauthenticated(request: Request) -> Unauthenticated:
    request.app.state.container.metrics.refused.labels("auth").inc()
    return Unauthenticated("send a valid API key as `Authorization: Bearer msk_...`")


async def note_look(request: Request, principal: Principal) -> None:
    """Tells the audit trail of a look that only administrators may take, on a route that others may ask as well."""
    await _note(request, principal, "admin.read")


async def note_denied_look(request: Request, principal: Principal) -> None:
    """Tells it of somebody who wanted such a look without being one."""
    await _note(request, principal, "denied", "role admin")


async def _note(request: Request, principal: Principal, kind: str, reason: str = "") -> None:
    route = f"{request.method} {route_template(request.scope)}"
    call = Call(principal.tenant_id, kind, principal.name, principal.key_id, route, reason)
    await run_blocking(request, request.app.state.container.notes.note, call)


class RequireRole:
    """A dependency that gives the principal of a request if its key has a role; routes declare their role with it.

    The audit trail hears of a key that lacks a role beyond reading and writing, and of looks that only administrators
    may take; what changes something, tells it by itself.
    """

    def __init__(self, role: Role, schemes: frozenset[str] = BEARER) -> None:
        self.role = role
        self._schemes = schemes

    async def __call__(self, request: Request) -> Principal:
        """The principal; see `authenticate`, `admit` and `Principal.require` for what it raises."""
        principal = await authenticate(request, self._schemes)
        await admit(request, principal)
        try:
            principal.require(self.role)
        except Forbidden:
            if self.role not in _EVERYDAY:
                await _note(request, principal, "denied", f"role {self.role}")
            raise
        if self.role == "admin" and request.method == "GET" and request.url.path not in _POLLED:
            await _note(request, principal, "admin.read")
        return principal


Reader = Annotated[Principal, Depends(RequireRole("read"))]
Writer = Annotated[Principal, Depends(RequireRole("write"))]
Eraser = Annotated[Principal, Depends(RequireRole("erase"))]
Exporter = Annotated[Principal, Depends(RequireRole("export"))]
Admin = Annotated[Principal, Depends(RequireRole("admin"))]
