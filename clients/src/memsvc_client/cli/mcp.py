"""`memsvc mcp`: the tools for agents over stdin and stdout."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Literal

import typer

from memsvc_client.cli.output import USAGE
from memsvc_client.cli.session import Session, command

NOT_INSTALLED = "the MCP server is not installed here; get it with: pip install 'memsvc-client[mcp]'"


def register(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app)(mcp)


def mcp(
    session: Session,
    *,
    allow_destructive: Annotated[
        bool,
        typer.Option(
            "--allow-destructive",
            envvar="MEMSVC_MCP_DESTRUCTIVE",
            help="Also offer tools that take memories away (forget, delete_...).",
        ),
    ] = False,
    tools: Annotated[
        Literal["memory", "graph", "all"],
        typer.Option(
            envvar="MEMSVC_MCP_TOOLS",
            help="Memories as they are, the knowledge graph of the reference memory server, or both.",
        ),
    ] = "memory",
) -> None:
    """Serve the memory to an agent over stdin and stdout, as an MCP server. An MCP client starts it."""
    if find_spec("mcp") is None:
        typer.echo(NOT_INSTALLED, err=True)
        raise typer.Exit(USAGE)
    # Not at the top: it takes longer to import than all the other commands.
    import asyncio

    from memsvc_client.mcp.stdio import serve

    asyncio.run(
        serve(session.async_client(), namespace=session.namespace, allow_destructive=allow_destructive, tool_set=tools)
    )
