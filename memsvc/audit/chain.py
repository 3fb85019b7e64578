"""How entries hang together: each digest covers its entry and the digest before.

A hash chain after Schneier and Kelsey, "Secure Audit Logs to Support Computer Forensics" (1999), without their evolving
keys: whoever can write the whole database can make the whole chain anew. Against that, and against an end that is cut
off, stand anchors: heads signed with the server's secret and kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from memsvc.core.clock import to_us
from memsvc.core.secrets import Secrets

ORIGIN = bytes(32)
"""The digest before the first entry."""
_LABEL = "audit-anchor"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a tenant's trail.

    Attributes:
        seq: its place, from 1, without gaps.
        actor: the name of the key, or what acted without one.
        subject: the id of what it is about: a key, an erasure, a run, a memory, a namespace.
        facts: JSON object, as text; ids, names of fields, counts: nothing of what anybody remembers.
        digest: 32 bytes, see `digest_of`.
    """

    seq: int
    at: datetime
    kind: str
    actor: str
    key_id: UUID | None
    subject: str | None
    facts: str
    digest: bytes


class Head(NamedTuple):
    """The last entry of a trail: its place and its digest."""

    seq: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at a trail found.

    Attributes:
        entries: how many were looked at.
        broken_seq: the first entry that is not what it was, or missing; None: none is.
        problem: what is wrong, in words; None: nothing.
    """

    entries: int
    broken_seq: int | None = None
    problem: str | None = None


def facts_text(facts: Mapping[str, Any]) -> str:
    """Facts as they are kept and digested: JSON with sorted keys, without spaces, in ASCII."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest_of(before: bytes, entry: Entry) -> bytes:
    """SHA-256 of the digest before and the entry as a JSON list; documented in docs/audit.md, clients check it."""
    said = [
        entry.seq, to_us(entry.at), entry.kind, entry.actor, None if entry.key_id is None else str(entry.key_id),
        entry.subject, entry.facts,
    ]  # fmt: skip
    text = json.dumps(said, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(before + text.encode()).digest()


def verified(entries: Iterable[Entry], head: Head | None, anchors: Iterable[Head] = ()) -> Finding:
    """Goes through a whole trail.

    Args:
        entries: in order.
        head: what the database says is the last one; None: it says that there is none.
        anchors: heads that were seen at some time, whose signatures hold.
    """
    before, expected = ORIGIN, 1
    wanted = {anchor.seq: anchor.digest for anchor in anchors}
    for entry in entries:
        if entry.seq != expected:
            return Finding(expected - 1, expected, "an entry is missing")
        if digest_of(before, entry) != entry.digest:
            return Finding(expected, entry.seq, "the entry, or the one before it, is not what it was")
        if wanted.pop(entry.seq, entry.digest) != entry.digest:
            return Finding(expected, entry.seq, "an anchor shows that the trail was made anew up to this entry")
        before, expected = entry.digest, expected + 1
    count = expected - 1
    if wanted or (head is not None and head.seq > count):
        return Finding(count, expected, "the end is cut off: entries from this one on are missing")
    if (Head(count, before) if count else None) != head:
        return Finding(count, count, "the head is not that of the last entry")
    return Finding(count)


def signed(secrets: Secrets, tenant_id: UUID, head: Head) -> str:
    """The signature of an anchor: hex of an HMAC under the server's secret."""
    return secrets.sign(_LABEL, _anchor(tenant_id, head)).hex()


def is_genuine(secrets: Secrets, tenant_id: UUID, head: Head, signature: str) -> bool:
    """Whether this server signed that anchor for that tenant."""
    try:
        given = bytes.fromhex(signature)
    except ValueError:
        return False
    return secrets.verify(_LABEL, _anchor(tenant_id, head), given)


def _anchor(tenant_id: UUID, head: Head) -> bytes:
    return tenant_id.bytes + head.seq.to_bytes(8, "big") + head.digest
