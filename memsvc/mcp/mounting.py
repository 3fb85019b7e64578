"""Whether the tools for agents are there."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Literal

from starlette.routing import BaseRoute

from memsvc.core.errors import StartupRefused


def mcp_routes(wanted: Literal["auto", "on", "off"]) -> Sequence[BaseRoute]:
    """The route of the tools; none where they are off or not installed.

    Raises:
        StartupRefused: they are on and not installed.
    """
    if wanted == "off":
        return ()
    if find_spec("mcp") is None:
        if wanted == "on":
            raise StartupRefused("MEMSVC_MCP=on needs the extra `mcp`: pip install 'memsvc[mcp]'")
        return ()
    from memsvc.mcp.endpoints import router  # not at the top: it imports what may not be installed

    return router.routes
