"""The server of the Model Context Protocol: what is asked goes to the service, what it answers goes back."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Literal

from mcp import MCPError
from mcp.server import Server, ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    TextContent,
)
from pydantic import ValidationError

from memsvc_client._version import __version__
from memsvc_client.async_client import AsyncMemoryClient
from memsvc_client.errors import MemsvcError, describe
from memsvc_client.mcp import resources
from memsvc_client.mcp.graph import GRAPH_TOOLS
from memsvc_client.mcp.tools import TOOLS, UNTRUSTED, MemoryTool, offered

log = logging.getLogger("memsvc.mcp")

Asked = ServerRequestContext[Any]
ToolSet = Literal["memory", "graph", "all"]
TOOL_SETS: Mapping[ToolSet, tuple[MemoryTool, ...]] = {
    "memory": TOOLS,
    "graph": GRAPH_TOOLS,
    "all": (*TOOLS, *GRAPH_TOOLS),
}
"""Memories as they are, the knowledge graph of the reference memory server, or both."""

INSTRUCTIONS = (
    "A long-term memory. Recall before you answer what you may have been told earlier; remember what will matter in "
    f"another conversation, one thing at a time. {UNTRUSTED}"
)
SWITCHED_OFF = {
    "code": "switched_off",
    "detail": "this tool takes memories away and is switched off; who runs the server can switch it on "
    "(MEMSVC_MCP_DESTRUCTIVE)",
}


def build_server(
    client: AsyncMemoryClient,
    *,
    namespace: str | None = None,
    allow_destructive: bool = False,
    tool_set: ToolSet = "memory",
) -> Server[Any]:
    """A server that acts through a client, with its key and so with its rights.

    Args:
        client: Stays open as long as the server is asked.
        namespace: Where calls go that name none; the client's own, said again for the description of the tools.
        allow_destructive: Offer tools that take memories away.
        tool_set: Which tools.
    """
    tools = TOOL_SETS[tool_set]
    by_name = {tool.name: tool for tool in tools}

    async def list_tools(asked: Asked, params: PaginatedRequestParams | None) -> ListToolsResult:
        del asked, params
        shown = offered(tools, has_namespace=bool(namespace), allow_destructive=allow_destructive)
        return ListToolsResult(tools=list(shown))

    async def call_tool(asked: Asked, params: CallToolRequestParams) -> CallToolResult:
        del asked
        tool = by_name.get(params.name)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message="there is no such tool; tools/list has those there are")
        if tool.destroys and not allow_destructive:
            return _failed(SWITCHED_OFF)
        return await _called(client, tool, params.arguments or {})

    async def list_resources(asked: Asked, params: PaginatedRequestParams | None) -> ListResourcesResult:
        del asked
        return await resources.listed(client, None if params is None else params.cursor)

    async def list_templates(asked: Asked, params: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        del asked, params
        return ListResourceTemplatesResult(resource_templates=[resources.TEMPLATE])

    async def read_resource(asked: Asked, params: ReadResourceRequestParams) -> ReadResourceResult:
        del asked
        return await resources.read(client, params.uri)

    server: Server[Any] = Server(
        "memsvc",
        title="memsvc",
        version=__version__,
        description="A long-term memory for AI agents.",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
    )
    server.middleware.append(_explain)
    return server


async def _called(client: AsyncMemoryClient, tool: MemoryTool, arguments: dict[str, Any]) -> CallToolResult:
    """What a tool gives, or the problem that the service had with it: an answer, too, for the model to act on."""
    try:
        answer = await tool.run(client, tool.arguments.read(arguments))
    except MemsvcError as error:
        return _failed(describe(error))
    given = answer.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return CallToolResult(content=[_text(given)], structured_content=given)


def _failed(problem: dict[str, Any]) -> CallToolResult:
    return CallToolResult(content=[_text(problem)], is_error=True)


def _text(value: Any) -> TextContent:
    return TextContent(text=json.dumps(value, ensure_ascii=False, separators=(",", ":")))


async def _explain(ctx: Asked, call_next: CallNext) -> HandlerResult:
    """Outside of tools, a problem is an error of the protocol; and whatever else goes wrong stays in the log.

    The SDK would send the words of an exception that it does not know.
    """
    try:
        return await call_next(ctx)
    except MemsvcError as error:
        problem = describe(error)
        raise MCPError(code=INVALID_PARAMS, message=f"{problem['code']}: {problem['detail']}", data=problem) from None
    except (MCPError, ValidationError):
        raise
    except Exception as error:
        log.exception("the MCP server failed")
        raise MCPError(code=INTERNAL_ERROR, message="something went wrong in the MCP server; its log has it") from error
