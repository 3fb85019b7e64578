"""The server's own commands, which the client's `memsvc` command adds to its own through an entry point."""

from memsvc.commands.root import app

__all__ = ["app"]
