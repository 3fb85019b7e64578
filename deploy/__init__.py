"""How memsvc is run: files for containers, and the same processes on one machine without any."""
