"""The files of the console, read once. What is not among them is not there, whatever a path says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".LICENSE": "text/plain; charset=utf-8",
}
PAGE = "index.html"
_BASE = b"{base}"
_KEYS = b"{keys}"


@dataclass(frozen=True, slots=True)
class File:
    """What is sent for one of them."""

    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Site:
    """The page, and the other files under the digest of all of them: a path never means two contents.

    Attributes:
        digest: of every file; in hexadecimal.
        template: of the page.
        files: the others by their names.
    """

    digest: str
    template: bytes
    files: Mapping[str, File]

    def page(self, *, is_open: bool) -> File:
        """The page: it names the files as `console/<digest>/<name>`, and whether the service answers without a key."""
        body = self.template.replace(_BASE, f"console/{self.digest}".encode())
        return File(body.replace(_KEYS, b"open" if is_open else b"needed"), _media_type(PAGE))


@cache
def site() -> Site:
    """The console as it was installed."""
    return made({name: body for name, body in sorted(_walk(files(__package__) / "static"))})


def made(bodies: Mapping[str, bytes]) -> Site:
    """A site of files by their names, `index.html` among them."""
    whole = hashlib.sha256()
    for name, body in sorted(bodies.items()):
        whole.update(b"%s %d\n" % (name.encode(), len(body)) + body)
    digest = whole.hexdigest()[:32]
    found = {name: File(body, _media_type(name)) for name, body in bodies.items()}
    return Site(digest, found.pop(PAGE).body, found)


def _media_type(name: str) -> str:
    return MEDIA_TYPES[name[name.rindex(".") :]]


def _walk(folder: Traversable, prefix: str = "") -> list[tuple[str, bytes]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        else:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found
