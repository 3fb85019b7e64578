"""Where the clients of mem0 read and write, and what their keys may do there."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response

from memsvc.auth.authenticate import RequireRole
from memsvc.auth.principal import Principal
from memsvc.compat.mem0 import shapes
from memsvc.core.errors import InvalidInput, NotFound, TooLarge
from memsvc.http.answers import json_answer
from memsvc.http.work import run_blocking
from memsvc.memories.change import Allowed
from memsvc.memories.endpoints import fields_of
from memsvc.memories.write import Author
from memsvc.wiring import Container

PREFIX = "/compat/mem0"
"""Where mem0's routes begin."""
SCHEMES = frozenset({"token", "bearer"})
Reader = Annotated[Principal, Depends(RequireRole("read", SCHEMES))]
Writer = Annotated[Principal, Depends(RequireRole("write", SCHEMES))]
Eraser = Annotated[Principal, Depends(RequireRole("erase", SCHEMES))]


class Place:
    """The namespace of mem0's clients, as one caller reaches it."""

    def __init__(self, request: Request, principal: Principal) -> None:
        self.container: Container = request.app.state.container
        path = self.container.settings.mem0_namespace
        if path is None:
            raise NotFound("there is nothing here")
        principal.require_namespace(path)
        self.path: str = path
        self.tenant_id = principal.tenant_id
        self.author = Author(principal.tenant_id, principal.name, principal.key_id, principal.trust)

    @property
    def only(self) -> Allowed:
        """Ids lead to memories of this namespace alone."""
        return lambda path: path == self.path


async def memory_answer(request: Request, place: Place, memory_id: UUID) -> Response:
    """One memory as the answer."""
    found = await run_blocking(request, place.container.reading.one, place.tenant_id, memory_id, place.only)
    return json_answer(shapes.memory_out(fields_of(found)))


def page_size(size: int, container: Container, name: str = "page_size") -> int:
    """How many a page holds.

    Raises:
        InvalidInput: more than it may.
    """
    most = container.settings.page_max
    if size > most:
        raise InvalidInput.field(f"/{name}", "less_than_equal", f"must be at most {most}")
    return size


def check_count(count: int, container: Container) -> None:
    """Refuses more than one call may hold.

    Raises:
        TooLarge: it does.
    """
    most = container.settings.batch_max
    if count > most:
        raise TooLarge(f"at most {most} memories in one call; send several calls")
