"""Namespaces: the memory banks of a tenant."""
