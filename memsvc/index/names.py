"""What processes on one machine call a namespace among themselves: its tenant and its id, 32 bytes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import cast
from uuid import UUID

_UUID_BYTES = 16


def namespace_name(key: Hashable) -> bytes:
    """The name of the namespace with a key of the bank, (tenant, namespace)."""
    tenant, namespace = cast(tuple[UUID, UUID], key)
    return tenant.bytes + namespace.bytes


def namespace_key(name: bytes) -> tuple[UUID, UUID]:
    """The key that belongs to a name.

    Raises:
        ValueError: it is no name.
    """
    return UUID(bytes=name[:_UUID_BYTES]), UUID(bytes=name[_UUID_BYTES:])
