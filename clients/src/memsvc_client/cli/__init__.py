"""The `memsvc` command: the client's methods for a terminal, and the commands of an installed server."""
