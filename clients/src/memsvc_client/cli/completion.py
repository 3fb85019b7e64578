"""What a shell completes: the namespaces that the key may see, where a service answers at once."""

from __future__ import annotations

from typing import Any

import typer

from memsvc_client.errors import MemsvcError

TIMEOUT_S = 0.5
"""Somebody waits with a finger on the tab key."""
MOST = 50


def namespaces(ctx: typer.Context, incomplete: str) -> list[str]:
    """Namespaces that begin so; none where no service answers in time."""
    from memsvc_client.cli.session import Session
    from memsvc_client.client import MemoryClient
    from memsvc_client.connection import RetryPolicy

    given: dict[str, Any] = {}
    for level in (ctx.find_root(), ctx):  # what stands after the command's name wins
        given |= {name: of for name, of in level.params.items() if name in ("url", "api_key_file") and of is not None}
    try:
        session = Session(given.get("url"), api_key_file=given.get("api_key_file"))
        once = RetryPolicy(attempts=1)
        with MemoryClient(session.url, session.api_key(), timeout_s=TIMEOUT_S, retry=once) as client:
            return [one.namespace for one in client.namespaces(prefix=incomplete or None, limit=MOST)]
    except MemsvcError:
        return []
