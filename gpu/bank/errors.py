"""Errors of the memory bank."""

from __future__ import annotations


class BankError(Exception):
    """The bank cannot do what was asked of it."""


class PageOwnershipError(BankError):
    """A page does not carry the owner and generation that its reader expects: what it holds must not be read."""


class NamespaceFullError(BankError):
    """A namespace has reached the size that its row addresses can express."""


class DimensionError(BankError, ValueError):
    """Vectors of a batch or a query do not have the dimension of the namespace."""


class SnapshotClosedError(BankError):
    """A view was used outside its context; the pages it read may hold something else by now."""
