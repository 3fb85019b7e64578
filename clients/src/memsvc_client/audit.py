"""The audit trail: its entries, its anchors, and checking by oneself that nothing in it was changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from memsvc_client.inputs import When
from memsvc_client.pagination import AsyncPager, Pager
from memsvc_client.protocol import Protocol
from memsvc_client.transport import AsyncTransport, Transport
from memsvc_client.types import Anchor, AuditEntry, TrailVerdict

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 200


def digest_of(before: bytes, entry: AuditEntry) -> bytes:
    """SHA-256 of the digest before and the entry as a JSON list, as docs/audit.md of the service has it.

    Args:
        before: Digest of the entry before, 32 bytes; zeros before the first one.
        entry: The entry, whose own digest does not count.
    """
    facts = json.dumps(entry.facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    at_us = (entry.at - _EPOCH) // timedelta(microseconds=1)
    said = [entry.seq, at_us, entry.kind, entry.actor, entry.key_id, entry.subject, facts]
    return hashlib.sha256(before + json.dumps(said, separators=(",", ":"), ensure_ascii=True).encode()).digest()


class _Check:
    """Goes along a trail, entry by entry."""

    def __init__(self, anchor: Anchor | None) -> None:
        self._anchor = anchor
        self._before = bytes(32)
        self._count = 0

    def take(self, entry: AuditEntry) -> TrailVerdict | None:
        """What is wrong with the next entry; None: nothing."""
        if entry.seq != self._count + 1:
            return self._broken("an entry is missing")
        if digest_of(self._before, entry).hex() != entry.digest:
            return self._broken("the entry, or the one before it, is not what it was")
        if self._anchor is not None and self._anchor.seq == entry.seq and self._anchor.digest != entry.digest:
            return self._broken("the anchor shows that the trail was made anew up to this entry")
        self._before, self._count = bytes.fromhex(entry.digest), entry.seq
        return None

    def end(self) -> TrailVerdict:
        """What is true of the trail after its last entry."""
        if self._anchor is not None and self._anchor.seq > self._count:
            return self._broken("the end is cut off: entries from this one on are missing")
        return TrailVerdict(holds=True, entries=self._count)

    def _broken(self, problem: str) -> TrailVerdict:
        return TrailVerdict(holds=False, entries=self._count, broken_seq=self._count + 1, problem=problem)


class Audit:
    """The audit trail of the tenant; needs a key with the role `admin`."""

    def __init__(self, transport: Transport, protocol: Protocol) -> None:
        self._transport, self._protocol = transport, protocol

    def list(
        self,
        *,
        kind: str | None = None,
        since: When | None = None,
        until: When | None = None,
        limit: int | None = None,
    ) -> Pager[AuditEntry]:
        """Entries, the oldest first; pages are fetched while iterating.

        Args:
            kind: Only of this kind, or of those under it: `key` has `key.create`.
            since: Only from this moment on.
            until: Only before this moment.
            limit: So many at most.
        """
        return Pager(self._transport.send, self._protocol.audit(kind, since, until, None), limit=limit)

    def anchor(self) -> Anchor | None:
        """The last entry, signed; None while the trail is empty. Keep it elsewhere."""
        return self._transport.send(self._protocol.anchor())

    def verify(self, anchor: Anchor | Mapping[str, Any] | None = None) -> TrailVerdict:
        """Has the service go through the whole trail, and check the signature of an anchor that was kept.

        Raises:
            InvalidRequest: The service did not sign the anchor.
        """
        return self._transport.send(self._protocol.verify_audit(anchor))

    def check(self, anchor: Anchor | None = None) -> TrailVerdict:
        """Reads the whole trail and checks every digest here: the service's word is not taken for it."""
        check = _Check(anchor)
        entries: Iterator[AuditEntry] = iter(
            Pager(self._transport.send, self._protocol.audit(None, None, None, _AT_ONCE))
        )
        for entry in entries:
            if (broken := check.take(entry)) is not None:
                return broken
        return check.end()


class AsyncAudit:
    """The audit trail of the tenant; needs a key with the role `admin`."""

    def __init__(self, transport: AsyncTransport, protocol: Protocol) -> None:
        self._transport, self._protocol = transport, protocol

    def list(
        self,
        *,
        kind: str | None = None,
        since: When | None = None,
        until: When | None = None,
        limit: int | None = None,
    ) -> AsyncPager[AuditEntry]:
        """Entries, the oldest first; pages are fetched while iterating.

        Args:
            kind: Only of this kind, or of those under it: `key` has `key.create`.
            since: Only from this moment on.
            until: Only before this moment.
            limit: So many at most.
        """
        return AsyncPager(self._transport.send, self._protocol.audit(kind, since, until, None), limit=limit)

    async def anchor(self) -> Anchor | None:
        """The last entry, signed; None while the trail is empty. Keep it elsewhere."""
        return await self._transport.send(self._protocol.anchor())

    async def verify(self, anchor: Anchor | Mapping[str, Any] | None = None) -> TrailVerdict:
        """Has the service go through the whole trail, and check the signature of an anchor that was kept.

        Raises:
            InvalidRequest: The service did not sign the anchor.
        """
        return await self._transport.send(self._protocol.verify_audit(anchor))

    async def check(self, anchor: Anchor | None = None) -> TrailVerdict:
        """Reads the whole trail and checks every digest here: the service's word is not taken for it."""
        check = _Check(anchor)
        entries: AsyncIterator[AuditEntry] = aiter(
            AsyncPager(self._transport.send, self._protocol.audit(None, None, None, _AT_ONCE))
        )
        async for entry in entries:
            if (broken := check.take(entry)) is not None:
                return broken
        return check.end()
