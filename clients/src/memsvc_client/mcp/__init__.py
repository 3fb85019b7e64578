"""The MCP server: tools and resources over the client, for whatever transport carries them; needs the extra `mcp`."""

from memsvc_client.mcp.server import build_server

__all__ = ["build_server"]
