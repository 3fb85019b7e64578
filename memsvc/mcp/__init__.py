"""The tools for agents at `/mcp`."""
