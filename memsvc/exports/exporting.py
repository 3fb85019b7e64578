"""Writes a namespace into files, as one moment saw it.

Everything is read before the first byte is sent, into files without a name that are gone with the answer: no
transaction waits for whoever reads slowly, what goes wrong is a refusal and not half a file, and no copy stays on the
server that an erasure would have to find.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import IO, Self
from weakref import finalize

from sqlalchemy import Connection

import memsvc
from memsvc.audit import trail
from memsvc.core.clock import Clock
from memsvc.core.errors import NotFound
from memsvc.core.secrets import Secrets
from memsvc.db.engine import Database
from memsvc.exports.parts import EMBEDDINGS, PARTS, VECTORS, Part
from memsvc.exports.sealing import Written, pieces
from memsvc.memories.write import Author
from memsvc.models.tables import EMBEDDING
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow

_AT_ONCE = 500
_PIECE = 1 << 18

Opens = Callable[[], IO[bytes]]


@dataclass(frozen=True, slots=True)
class Export:
    """An export on its way."""

    size: int
    pieces: Iterator[bytes]


class Exporting:
    """Exports namespaces of all tenants."""

    def __init__(self, database: Database, clock: Clock, secrets: Secrets, new_file: Opens | None = None) -> None:
        self._database = database
        self._clock = clock
        self._secrets = secrets
        self._new_file: Opens = new_file or tempfile.TemporaryFile

    def __call__(self, author: Author, path: str) -> Export:
        """The namespace as it is now; the audit trail hears of it before anything is sent.

        Raises:
            NotFound: there is none of that path.
        """
        tenant, now = author.tenant_id, self._clock.now()
        with ExitStack() as closing:
            with self._database.read(tenant) as connection:
                namespace = namespaces.find(connection, tenant, path)
                if namespace is None:
                    raise NotFound("there is no such namespace")
                model, dim = namespaces.space(connection, namespace.space_id)
                parts = [self._part(connection, namespace, part, closing) for part in PARTS if part is not EMBEDDINGS]
                parts += self._vectors(connection, namespace, dim, closing)
            manifest = {
                "made_at": now.isoformat(),
                "made_by": memsvc.__version__,
                "tenant": str(tenant),
                "namespace": path,
                "seq": namespace.head_seq,
                "has_derived": namespace.has_derived,
                "settings": dict(namespace.settings),
                "space": {"model": model, "dim": dim},
            }
            self._database.write(tenant, partial(_tell, author=author, namespace=namespace, now=now))
            size, made = pieces(manifest, parts, self._secrets)
            return Export(size, _Pieces(made, closing.pop_all()))

    def _part(self, connection: Connection, namespace: NamespaceRow, part: Part, closing: ExitStack) -> Written:
        sink = _Sink(part.name, closing.enter_context(self._new_file()))
        query = part.rows(namespace).execution_options(yield_per=_AT_ONCE)
        for row in connection.execute(query):
            sink.write(part.written(row))
        return sink.written()

    def _vectors(
        self, connection: Connection, namespace: NamespaceRow, dim: int, closing: ExitStack
    ) -> tuple[Written, Written]:
        """What each vector belongs to, and the vectors, float16 `[n, dim]`, in the format of safetensors."""
        lines = _Sink(EMBEDDINGS.name, closing.enter_context(self._new_file()))
        vectors = _Sink(VECTORS, closing.enter_context(self._new_file()))
        rows = closing.enter_context(self._new_file())
        query = EMBEDDINGS.rows(namespace, EMBEDDING.c.vector).execution_options(yield_per=_AT_ONCE)
        number = 0
        for row in connection.execute(query):
            lines.write(EMBEDDINGS.written(row))
            rows.write(row.vector)
            number += 1
        vectors.write(safetensors_head(number, dim))
        rows.seek(0)
        while piece := rows.read(_PIECE):
            vectors.write(piece)
        rows.close()
        return lines.written(), vectors.written()


class _Pieces:
    """Pieces of an export, whose files are closed after the last one, or when nobody wants more.

    A generator that was never begun, for whoever asked had left, would not close them.
    """

    def __init__(self, made: Iterator[bytes], files: ExitStack) -> None:
        self._made = made
        self._close = finalize(self, files.close)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._made)
        except BaseException:
            self._close()
            raise


def _tell(connection: Connection, author: Author, namespace: NamespaceRow, now: datetime) -> None:
    trail.append(
        connection, author.tenant_id, "export", author.name, now, key_id=author.key_id, subject=namespace.id,
        facts={"seq": namespace.head_seq},
    )  # fmt: skip


def safetensors_head(n: int, dim: int) -> bytes:
    """What stands before the numbers of one float16 tensor `vectors` of shape `[n, dim]`."""
    told = {"vectors": {"dtype": "F16", "shape": [n, dim], "data_offsets": [0, 2 * n * dim]}}
    head = json.dumps(told, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head


class _Sink:
    def __init__(self, name: str, file: IO[bytes]) -> None:
        self._name, self._file = name, file
        self._size, self._digest = 0, hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._size += len(data)

    def written(self) -> Written:
        return Written(self._name, self._file, self._size, self._digest.hexdigest())
