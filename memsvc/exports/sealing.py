"""The file: an uncompressed tar of a manifest, its signature and the parts that it names.

The manifest has length and SHA-256 of every part, and stands first with an HMAC-SHA-256 under a key of the server's:
who changes a byte needs the secret. Nothing is compressed, so that a file cannot hold more than it weighs, and nothing
is ever written to a path that it names. Why an HMAC: docs/decisions/0036-exports.md.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from memsvc.core.errors import InvalidInput
from memsvc.core.secrets import Secrets
from memsvc.exports.parts import PARTS, VECTORS

FORMAT, VERSION = "memsvc-export", 1
_MANIFEST, _SIGNATURE = "manifest.json", "manifest.sig"
_LABEL = "export"
_SMALL_BYTES = 4 << 20  # of a manifest
_PIECE = 1 << 18
_NAMES = frozenset({part.name for part in PARTS} | {VECTORS})


@dataclass(frozen=True, slots=True)
class Written:
    """A part that was written to a file, which belongs to it."""

    name: str
    file: IO[bytes]
    size: int
    sha256: str


def pieces(manifest: dict[str, Any], parts: list[Written], secrets: Secrets) -> tuple[int, Iterator[bytes]]:
    """How long the tar is, and its bytes; the files are closed with them."""
    told = {one.name: {"bytes": one.size, "sha256": one.sha256} for one in parts}
    head = json.dumps({**manifest, "format": FORMAT, "version": VERSION, "parts": told}, allow_nan=False).encode()
    small = ((_MANIFEST, head), (_SIGNATURE, secrets.sign(_LABEL, head).hex().encode()))
    blocks = [len(content) for _, content in small] + [one.size for one in parts]
    size = sum(tarfile.BLOCKSIZE + _padded(length) for length in blocks) + 2 * tarfile.BLOCKSIZE

    def run() -> Iterator[bytes]:
        try:
            for name, content in small:
                yield _header(name, len(content)) + content + bytes(_padded(len(content)) - len(content))
            for one in parts:
                yield _header(one.name, one.size)
                one.file.seek(0)
                while piece := one.file.read(_PIECE):
                    yield piece
                yield bytes(_padded(one.size) - one.size)
            yield bytes(2 * tarfile.BLOCKSIZE)
        finally:
            for one in parts:
                one.file.close()

    return size, run()


@dataclass(frozen=True, slots=True)
class Opened:
    """An export whose signature and parts were checked."""

    manifest: dict[str, Any]
    places: dict[str, tuple[int, int]]
    file: IO[bytes]

    def lines(self, name: str, most: int) -> Iterator[tuple[int, bytes]]:
        """The lines of a part with their numbers, from 1.

        Raises:
            InvalidInput: one is longer than `most` bytes.
        """
        start, size = self.places[name]
        at, number = start, 0
        while at < start + size:
            self.file.seek(at)
            line = self.file.readline(min(most + 1, start + size - at))
            number, at = number + 1, at + len(line)
            if len(line) > most:
                raise InvalidInput(f"{name}, line {number} is longer than {most} bytes")
            yield number, line

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Bytes of a part."""
        start, whole = self.places[name]
        self.file.seek(start + offset)
        return self.file.read(max(0, min(size, whole - offset)))


def opened(file: IO[bytes], secrets: Secrets) -> Opened:
    """Checks everything that can be checked without looking into the parts.

    Raises:
        InvalidInput: it is no export of this server's, of another version, or not what it was.
    """
    places = _places(file)
    head = _at(file, places.pop(_MANIFEST, None), _SMALL_BYTES)
    signature = _at(file, places.pop(_SIGNATURE, None), _SMALL_BYTES)
    if head is None or signature is None:
        raise InvalidInput("this is no export: it needs a manifest and its signature")
    if not secrets.matches(secrets.sign(_LABEL, head).hex().encode(), signature):
        raise InvalidInput("the signature is not this server's: the export was changed, or made with another secret")
    manifest = json.loads(head)
    if (manifest["format"], manifest["version"]) != (FORMAT, VERSION):
        raise InvalidInput(f"this export has version {manifest['version']}; this release reads version {VERSION}")
    if places.keys() != manifest["parts"].keys() or places.keys() != _NAMES:
        raise InvalidInput("the parts are not those of the manifest")
    for name, (start, size) in places.items():
        told = manifest["parts"][name]
        if size != told["bytes"] or _sha256(file, start, size) != told["sha256"]:
            raise InvalidInput(f"{name} is not what the manifest says: the export was cut off or changed")
    return Opened(manifest, places, file)


def _places(file: IO[bytes]) -> dict[str, tuple[int, int]]:
    """Where each member lies: (offset, length)."""
    places: dict[str, tuple[int, int]] = {}
    try:
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:", errors="replace") as tar:
            while (member := tar.next()) is not None:
                name = member.name
                is_known = name in _NAMES or name in (_MANIFEST, _SIGNATURE)
                if not is_known or name in places or member.type != tarfile.REGTYPE or member.issparse():
                    raise InvalidInput("the export holds something that is none of its parts, or one twice")
                places[name] = (member.offset_data, member.size)
    except (tarfile.TarError, OverflowError, ValueError, EOFError):
        raise InvalidInput("this is no export: it cannot be read as a tar") from None
    return places


def _at(file: IO[bytes], place: tuple[int, int] | None, most: int) -> bytes | None:
    if place is None or place[1] > most:
        return None
    file.seek(place[0])
    return file.read(place[1])


def _sha256(file: IO[bytes], start: int, size: int) -> str:
    digest, left = hashlib.sha256(), size
    file.seek(start)
    while left and (piece := file.read(min(left, _PIECE))):
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest() if not left else ""


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)


def _padded(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
