"""The server over stdin and stdout, for an agent on the same machine."""

from __future__ import annotations

from mcp.server.stdio import stdio_server

from memsvc_client.async_client import AsyncMemoryClient
from memsvc_client.mcp.server import ToolSet, build_server


async def serve(
    client: AsyncMemoryClient, *, namespace: str | None, allow_destructive: bool, tool_set: ToolSet
) -> None:
    """Serves until stdin ends. Closes the client."""
    async with client:
        server = build_server(client, namespace=namespace, allow_destructive=allow_destructive, tool_set=tool_set)
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
