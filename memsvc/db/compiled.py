"""What SQLAlchemy compiled, kept once for all engines of this process: there are two on SQLite."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.engine import Compiled
from sqlalchemy.util import LRUCache

from memsvc.models.sealed import keyring_of

KEPT = 1_000
"""So many statements are kept, up to half as many more for a while; as many as two engines keep by themselves."""


class CompiledStatements(LRUCache[Any, Compiled]):
    """A compiled cache for several engines: dialects that compile the same share what they compiled.

    SQLAlchemy's own has the dialect in its keys, and each engine has a dialect of its own. What it compiles depends on
    the kind, on the version of the server and, here, on the keys with which columns are sealed.
    """

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        """See `dict.get`."""
        return super().get(_shared(key), default)

    def __setitem__(self, key: tuple[Any, ...], value: Compiled) -> None:
        super().__setitem__(_shared(key), value)


def _shared(key: tuple[Any, ...]) -> Hashable:
    """A key of SQLAlchemy's with what matters of the dialect in the dialect's place."""
    dialect, *rest = key
    if not isinstance(dialect, Dialect):
        return key
    version = getattr(dialect, "server_version_info", None)
    return (type(dialect), version, keyring_of(dialect), *rest)


compiled_statements = CompiledStatements(KEPT)
"""Those of this process."""
