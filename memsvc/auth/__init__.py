"""Who asks, and what they may do: API keys, roles, and the namespaces that a key reaches."""
