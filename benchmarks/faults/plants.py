"""Faults planted on purpose: a line of the service's code changed, in the memory of one process alone."""

from __future__ import annotations


def plant(name: str) -> None:
    """Placeholder until written below."""
    raise KeyError(name)
