"""Keys and what is done with them: a root key wraps tenants' keys, a tenant's key wraps a data key for each memory.

AES-256-GCM (NIST SP 800-38D) everywhere, with random nonces of 96 bits: a data key seals the few values of one memory,
and a tenant's key would have to wrap 2^32 memories before two nonces being the same is worth a thought.

Whatever is sealed or wrapped is bound to where it stands (associated data), so that nobody who can write to the
database can have it stand anywhere else.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass
from functools import lru_cache
from os import urandom
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memsvc.core.errors import Damaged, StartupRefused
from memsvc.core.secrets import Secrets
from memsvc.core.settings import Settings

_KEY_BYTES, _NONCE_BYTES, _TAG_BYTES = 32, 12, 16
OVERHEAD_BYTES = _NONCE_BYTES + _TAG_BYTES
"""By how much a sealed value is longer than a plain one."""
_ROOT_ID = 8  # hex digits
_WRAPPED = 80  # base64 of nonce, key and tag
WRAPPED_TENANT = _ROOT_ID + _WRAPPED
ID = 32
"""Length of an id as hex digits."""
HEADER = _WRAPPED + WRAPPED_TENANT + 2 * ID
"""Length of what names the key of a memory: its wrapped key, the tenant's, and both ids as hex digits."""
_KEPT = 4_096  # data keys that stay unwrapped: a few pages of rows


class DataKey:
    """The key of one memory.

    Args:
        key: 32 bytes.
        of: the ids of its tenant and of the memory, as hex digits.
    """

    __slots__ = ("_cipher", "_of")

    def __init__(self, key: bytes, of: str) -> None:
        self._cipher = AESGCM(key)
        self._of = of

    @property
    def memory_id(self) -> UUID:
        """Whose it is."""
        return UUID(self._of[ID:])

    def seal(self, place: str, value: bytes) -> bytes:
        """A value that can be opened at this place alone: a column, and which of the memory's rows."""
        nonce = urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value, f"{self._of}|{place}".encode())

    def open(self, place: str, sealed: bytes) -> bytes:
        """The value.

        Raises:
            Damaged: it was changed, or sealed for another place or with another key.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], f"{self._of}|{place}".encode())
        except (InvalidTag, ValueError):
            raise Damaged(self.memory_id) from None


@dataclass(frozen=True, slots=True)
class TenantKey:
    """The key of a tenant, and as it is stored: wrapped, behind the id of the root key that did so."""

    tenant_id: UUID
    key: bytes
    wrapped: str

    def new_data_key(self, memory_id: UUID) -> tuple[str, DataKey]:
        """A key for a memory: as it is stored, and to be used."""
        key = AESGCM.generate_key(8 * _KEY_BYTES)
        of = self.tenant_id.hex + memory_id.hex
        return _wrap(self.key, key, f"memory|{of}"), DataKey(key, of)

    def digest(self, text: str) -> str:
        """Keyed digest of a text, by which what is sealed can be looked up (HMAC-SHA-256, hex digits)."""
        return hmac.digest(hmac.digest(self.key, b"lookup", "sha256"), text.encode(), "sha256").hex()


class Keyring:
    """The root keys of this process.

    Args:
        current: wraps what is wrapped from now on.
        former: another one that unwraps what it wrapped, until `memsvc encryption rotate-root` has been run.
    """

    def __init__(self, current: bytes, former: bytes | None = None) -> None:
        keys = [Secrets(key) for key in (current, former) if key is not None]
        self._roots = {key.derive("root key id").hex()[:_ROOT_ID]: key.derive("root key") for key in keys}
        self._current = next(iter(self._roots))
        self._tenant = lru_cache(_KEPT)(self._unwrapped_tenant)
        self.data_key = lru_cache(_KEPT)(self._data_key)

    def new_tenant_key(self, tenant_id: UUID) -> TenantKey:
        """A key for a tenant that has none."""
        return self._wrapped_tenant(tenant_id, AESGCM.generate_key(8 * _KEY_BYTES))

    def tenant_key(self, tenant_id: UUID, wrapped: str) -> TenantKey:
        """A stored one.

        Raises:
            StartupRefused: none of the root keys has wrapped it.
        """
        key = self._tenant(tenant_id.hex, wrapped)
        if key is None:
            raise StartupRefused(
                "MEMSVC_ROOT_KEY is not the one that this database is encrypted with, and MEMSVC_ROOT_KEY_FORMER is "
                "not either; nothing was changed. Give the right one: without it nothing here can be read"
            )
        return TenantKey(tenant_id, key, wrapped)

    def rewrapped(self, key: TenantKey) -> TenantKey:
        """The same key of a tenant, wrapped by the current root key."""
        return key if key.wrapped.startswith(self._current) else self._wrapped_tenant(key.tenant_id, key.key)

    def _wrapped_tenant(self, tenant_id: UUID, key: bytes) -> TenantKey:
        wrapped = _wrap(self._roots[self._current], key, f"tenant|{tenant_id.hex}")
        return TenantKey(tenant_id, key, self._current + wrapped)

    def _unwrapped_tenant(self, tenant: str, wrapped: str) -> bytes | None:
        root = self._roots.get(wrapped[:_ROOT_ID])
        return None if root is None else _unwrap(root, wrapped[_ROOT_ID:], f"tenant|{tenant}")

    def _data_key(self, header: str) -> DataKey:
        """The key that a header names, see `HEADER`.

        Raises:
            Damaged: it cannot be unwrapped.
        """
        of = header[-2 * ID :]
        tenant = self._tenant(of[:ID], header[_WRAPPED : _WRAPPED + WRAPPED_TENANT])
        key = None if tenant is None else _unwrap(tenant, header[:_WRAPPED], f"memory|{of}")
        if key is None:
            raise Damaged(UUID(of[ID:]))
        return DataKey(key, of)


def load_keyring(settings: Settings) -> Keyring | None:
    """The root keys of the settings; None: this server encrypts nothing."""
    if settings.root_key is None:
        if settings.root_key_former is not None:
            raise StartupRefused("MEMSVC_ROOT_KEY_FORMER is given, and no MEMSVC_ROOT_KEY that takes its place")
        return None
    former = settings.root_key_former
    return Keyring(
        settings.root_key.get_secret_value().encode(), None if former is None else former.get_secret_value().encode()
    )


def _wrap(by: bytes, key: bytes, of: str) -> str:
    nonce = urandom(_NONCE_BYTES)
    return b64encode(nonce + AESGCM(by).encrypt(nonce, key, of.encode())).decode()


def _unwrap(by: bytes, wrapped: str, of: str) -> bytes | None:
    """None: it is not what `by` wrapped for this."""
    try:
        sealed = b64decode(wrapped, validate=True)
        return AESGCM(by).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], of.encode())
    except (InvalidTag, ValueError):
        return None
