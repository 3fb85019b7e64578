"""Values as they lie in Redis: nobody but a holder of the server's secret can have put them there, under that key.

    version (1 byte) | digest (16 bytes) | payload

The digest covers key and payload, so that a value that was changed, cut short, moved to another key (and so to another
tenant) or written by anybody else opens as nothing. Payloads are plain bytes or JSON, never anything that is executed.
"""

from __future__ import annotations

from memsvc.core.secrets import Secrets

_VERSION = b"\x01"
_DIGEST_BYTES = 16
_LABEL = "redis-value"


def sealed(secrets: Secrets, key: bytes, payload: bytes) -> bytes:
    """A payload as it is stored under `key`."""
    return _VERSION + _digest(secrets, key, payload) + payload


def opened(secrets: Secrets, key: bytes, value: object) -> bytes | None:
    """The payload of a value that was found under `key`, or None if `sealed` did not make it for this key."""
    if not isinstance(value, bytes) or value[:1] != _VERSION:
        return None
    digest, payload = value[1 : 1 + _DIGEST_BYTES], value[1 + _DIGEST_BYTES :]
    return payload if secrets.matches(digest, _digest(secrets, key, payload)) else None


def _digest(secrets: Secrets, key: bytes, payload: bytes) -> bytes:
    return secrets.sign(_LABEL, len(key).to_bytes(4, "big") + key + payload)[:_DIGEST_BYTES]
