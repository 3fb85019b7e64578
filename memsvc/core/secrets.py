"""The server's own secret: signs cursors, keys the digests of API keys and of erased ids."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from memsvc.core.errors import StartupRefused
from memsvc.core.settings import Settings

SECRET_FILE = "secret"  # noqa: S105 - the name of the file
_SECRET_BYTES = 32
_MIN_BYTES = 32


class Secrets:
    """Keys derived from one secret, one for each use, so that no use can be turned against another."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._derived: dict[str, bytes] = {}

    def derive(self, label: str) -> bytes:
        """The 32-byte key for one use."""
        key = self._derived.get(label)
        if key is None:
            key = hmac.digest(self._root, b"memsvc:" + label.encode(), "sha256")
            self._derived[label] = key
        return key

    def sign(self, label: str, message: bytes) -> bytes:
        """HMAC-SHA-256 of `message` (32 bytes) under the key for `label`."""
        return hmac.digest(self.derive(label), message, "sha256")

    def verify(self, label: str, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is what `sign` gives, compared in constant time."""
        return self.matches(self.sign(label, message), signature)

    @staticmethod
    def matches(left: bytes, right: bytes) -> bool:
        """Whether two digests are equal, compared in constant time."""
        return hmac.compare_digest(left, right)


def load_secrets(settings: Settings) -> Secrets:
    """The secret from the settings, or the one in the data folder, which is made on first use.

    Raises:
        StartupRefused: the file is too short, can be read by others, or cannot be made.
    """
    if settings.secret is not None:
        return Secrets(settings.secret.get_secret_value().encode())
    path = settings.data_dir / SECRET_FILE
    try:
        root = _read(path) or _make(path)
    except OSError as error:
        raise StartupRefused(f"cannot use the secret file {path}: {error.strerror}") from None
    return Secrets(root)


def secret_file_problem(path: Path) -> str | None:
    """What is wrong with an existing secret file, in words, or None."""
    info = path.stat()
    if not stat.S_ISREG(info.st_mode):
        return f"{path} is not a regular file"
    if os.name == "posix" and info.st_mode & 0o077:
        return f"{path} can be read by others; run: chmod 600 {path}"
    if info.st_size < _MIN_BYTES:
        return f"{path} is shorter than {_MIN_BYTES} bytes; put a longer secret there"
    return None


def _read(path: Path) -> bytes | None:
    try:
        problem = secret_file_problem(path)
    except FileNotFoundError:
        return None
    if problem:
        raise StartupRefused(problem)
    return hashlib.sha256(path.read_bytes().strip()).digest()


def _make(path: Path) -> bytes:
    """Write a new secret whole or not at all; of two processes that try at once, both use the first one's."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(_SECRET_BYTES).encode())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    root = _read(path)
    if root is None:
        raise StartupRefused(f"the secret file {path} vanished while it was made; start again")
    return root
