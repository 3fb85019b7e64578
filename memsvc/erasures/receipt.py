"""What can be shown of an erasure afterwards: that it was done, and of how much; never of what.

A receipt holds keyed digests of the erased ids, counts and times, under a signature by the server's secret. Whoever
keeps it can have it checked at any time, also after a backup was restored; without the secret the digests say nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from memsvc.core.secrets import Secrets
from memsvc.erasures.repository import ErasureRow
from memsvc.http.schemas import format_instant

DIGESTS_MAX = 100_000
"""An erasure of more memories has a receipt without their digests one by one."""
_LABEL = "erasure-receipt"
_SIGNATURE = "signature"


def receipt(secrets: Secrets, erasure: ErasureRow, digests: Sequence[bytes]) -> dict[str, Any] | None:
    """The receipt of an erasure; None while it is not over.

    Args:
        digests: its tombstones, ascending.
    """
    if erasure.ended_at is None:
        return None
    said: dict[str, Any] = {
        "erasure_id": str(erasure.id),
        "asked_at": format_instant(erasure.asked_at),
        "ended_at": format_instant(erasure.ended_at),
        "overwritten_at": None if erasure.overwritten_at is None else format_instant(erasure.overwritten_at),
        "overwriting": erasure.overwriting,
        "counts": dict(erasure.counts),
        "digests": [_text(one) for one in digests] if len(digests) <= DIGESTS_MAX else None,
        "digest_of_all": _text(hashlib.sha256(b"".join(digests)).digest()),
    }
    return {**said, _SIGNATURE: _text(_signed(secrets, erasure.tenant_id, said))}


def is_genuine(secrets: Secrets, tenant_id: UUID, given: Mapping[str, Any]) -> bool:
    """Whether this server signed a receipt, as it is given, for the tenant."""
    said = {name: value for name, value in given.items() if name != _SIGNATURE}
    signature = _bytes(given.get(_SIGNATURE))
    return signature is not None and secrets.matches(signature, _signed(secrets, tenant_id, said))


def digests_of(given: Mapping[str, Any]) -> list[bytes] | None:
    """The digests in a genuine receipt; None if it has none one by one."""
    found = given.get("digests")
    return None if found is None else [digest for one in found if (digest := _bytes(one)) is not None]


def _signed(secrets: Secrets, tenant_id: UUID, said: Mapping[str, Any]) -> bytes:
    return secrets.sign(_LABEL, tenant_id.bytes + orjson.dumps(said, option=orjson.OPT_SORT_KEYS))


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _bytes(text: object) -> bytes | None:
    if not isinstance(text, str) or not text.isascii():
        return None
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
