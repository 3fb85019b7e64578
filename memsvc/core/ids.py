"""Identifiers: UUIDv7, so that ids made later sort later and index pages fill in order."""

from __future__ import annotations

from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    """A new time-ordered id."""
    return UUID(int=uuid_utils.uuid7().int)
