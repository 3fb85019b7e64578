"""Opaque cursors: where a list goes on, signed, and good only for the tenant, route and filter that got them."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from uuid import UUID

import orjson

from memsvc.core.clock import Clock, to_us
from memsvc.core.errors import BadCursor
from memsvc.core.secrets import Secrets

_LABEL = "cursor"
_TTL_US = 24 * 3600 * 1_000_000
_MAC_BYTES = 16
_MAX_CHARS = 2048


class CursorCodec:
    """Makes and reads cursors. They are signed, not encrypted: put ids and times in them, never content."""

    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock

    def encode(self, position: Any, *, tenant_id: UUID, route: str, digest: bytes = b"", ttl_us: int = _TTL_US) -> str:
        """A cursor that holds `position`.

        Args:
            position: anything orjson can write.
            tenant_id: whose list it is.
            route: name of the list.
            digest: digest of the filter and order of the list.
            ttl_us: microseconds for which it is good.
        """
        payload = orjson.dumps([to_us(self._clock.now()) + ttl_us, position])
        mac = self._mac(payload, tenant_id, route, digest)
        return base64.urlsafe_b64encode(mac + payload).rstrip(b"=").decode()

    def decode(self, cursor: str, *, tenant_id: UUID, route: str, digest: bytes = b"") -> Any:
        """The position in a cursor made with the same arguments.

        Raises:
            BadCursor: it was changed, is too old, or belongs to another list.
        """
        raw = _unpack(cursor)
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not self._secrets.matches(mac, self._mac(payload, tenant_id, route, digest)):
            raise _bad()
        expires_us, position = orjson.loads(payload)
        if to_us(self._clock.now()) > expires_us:
            raise _bad()
        return position

    def _mac(self, payload: bytes, tenant_id: UUID, route: str, digest: bytes) -> bytes:
        parts = (tenant_id.bytes, route.encode(), digest, payload)
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return self._secrets.sign(_LABEL, framed)[:_MAC_BYTES]


def _unpack(cursor: str) -> bytes:
    if not cursor.isascii() or len(cursor) > _MAX_CHARS:
        raise _bad()
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _bad() from None
    # One spelling for each cursor: the unused bits of the last character must be zero.
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != cursor:
        raise _bad()
    return raw


def _bad() -> BadCursor:
    return BadCursor("this cursor was not made for this list, or is older than 24 h; start the list again")
