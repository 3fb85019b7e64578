"""The commands of an installed server, merged beside the client's own.

They are loaded only when one is called or help is asked for: the client must start fast, and work beside a server
that does not.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import typer
from typer.core import TyperGroup

from memsvc_client.cli.output import USAGE, Output

ENTRY_POINT_GROUP = "memsvc.commands"
SERVER_COMMANDS = frozenset({"serve", "migrate", "doctor", "admin-key", "lab", "verify-audit"})
NOT_INSTALLED = "the memsvc server is not installed here; get it with: pip install memsvc"


def load_server_commands() -> dict[str, Any]:
    """The commands of every installed server, by name; one that cannot be loaded is named on stderr."""
    found: dict[str, Any] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            app = point.load()
        except (ImportError, AttributeError) as error:
            Output().note(f"the server's commands ({point.value}) cannot be loaded: {error}")
            continue
        loaded = typer.main.get_command(app)
        commands = getattr(loaded, "commands", None) or {loaded.name: loaded}
        found = commands | found
    return found


class RootGroup(TyperGroup):
    """The client's commands first, then the server's; the client's win where both have a name."""

    def _server(self) -> dict[str, Any]:
        if not hasattr(self, "_loaded"):
            self._loaded = load_server_commands()
        return self._loaded

    def list_commands(self, ctx: Any) -> list[str]:
        """Every name: the client's, then the server's."""
        own = super().list_commands(ctx)
        return own + sorted(self._server().keys() - set(own))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name."""
        command = super().get_command(ctx, cmd_name)
        if command is None:
            command = self._server().get(cmd_name)
        if command is None and cmd_name in SERVER_COMMANDS:
            if not entry_points(group=ENTRY_POINT_GROUP):  # else it has been said why it cannot be loaded
                typer.echo(NOT_INSTALLED, err=True)
            raise typer.Exit(USAGE)
        return command
