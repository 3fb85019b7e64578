"""The one on whose behalf a request runs."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args
from uuid import UUID

from lifecycle.trust import Trust
from memsvc.core.errors import Forbidden

Role = Literal["read", "write", "erase", "export", "admin"]
ROLES: frozenset[Role] = frozenset(get_args(Role))
EVERYWHERE = ("**",)

_SEGMENT = re.compile(r"[^/\x00*]+")


@dataclass(frozen=True, slots=True)
class Principal:
    """A tenant, and what its key may do.

    `namespaces` are patterns over path segments: `*` stands for one segment, a last `**` for any rest (also none).
    `trust` is the most that what it writes may be trusted.
    """

    tenant_id: UUID
    key_id: UUID | None
    name: str
    roles: frozenset[str]
    namespaces: tuple[str, ...]
    trust: Trust = Trust.AGENT
    networks: tuple[str, ...] | None = None

    def may_come_from(self, address: str | None) -> bool:
        """Whether the key may be used from an IP address (None: not known)."""
        return self.networks is None or (address is not None and any(_holds(net, address) for net in self.networks))

    def require(self, role: Role) -> None:
        """Check that the key has a role.

        Raises:
            Forbidden: it does not; the message names the role.
        """
        if role not in self.roles:
            raise Forbidden(f"this key lacks the role '{role}'")

    def may(self, path: str) -> bool:
        """Whether the key reaches the namespace at `path`."""
        return any(pattern_matches(pattern, path) for pattern in self.namespaces)

    def require_namespace(self, path: str) -> None:
        """Check that the key reaches a namespace.

        Raises:
            Forbidden: it does not, whether or not the namespace exists.
        """
        if not self.may(path):
            raise Forbidden("this key does not reach this namespace")


@lru_cache(maxsize=4096)
def _holds(network: str, address: str) -> bool:
    try:
        at = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(at, "ipv4_mapped", None)  # how a socket of both families shows an IPv4 address
    return (mapped or at) in ipaddress.ip_network(network)


def is_pattern(text: str) -> bool:
    """Whether `text` is a well-formed pattern over namespace paths."""
    *init, last = text.split("/")
    return (last == "**" and all(map(_is_part, init))) or all(map(_is_part, text.split("/")))


def _is_part(segment: str) -> bool:
    return segment == "*" or _SEGMENT.fullmatch(segment) is not None


def pattern_matches(pattern: str, path: str) -> bool:
    """Whether a namespace path, or every path that another pattern stands for, is covered by a pattern."""
    if pattern == "**":
        return True
    wanted, given = pattern.split("/"), path.split("/")
    if wanted[-1] == "**":
        wanted.pop()
        if given[-1] == "**":
            given.pop()
        given = given[: len(wanted)]
    elif given[-1] == "**":
        return False
    return len(wanted) == len(given) and all(
        w == g or (w == "*" and g != "**") for w, g in zip(wanted, given, strict=True)
    )
