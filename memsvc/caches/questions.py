"""Vectors of questions, shared by processes. Keys are keyed digests: nobody reads a question out of them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from concurrent.futures import Future
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from memsvc.caches.layered import Layered
from memsvc.core.secrets import Secrets
from retrieval.types import EmbeddingSpace, Encoded

KEPT = 1_024

_LABEL = "question"
_HEAD = struct.Struct("<III")
_NO_TOKENS = 2**32 - 1


class Questions:
    """The embedder of questions behind a cache.

    Args:
        embed: starts to encode a question.
        space: of its vectors; another model has other keys.
    """

    def __init__(
        self, embed: Callable[[str], Future[Encoded]], space: EmbeddingSpace, secrets: Secrets, kept: Layered
    ) -> None:
        self._embed = embed
        self._space = f"{space.model}\0{space.dim}\0".encode()
        self._secrets = secrets
        self._kept = kept

    def __call__(self, tenant_id: UUID, text: str) -> Future[Encoded]:
        """What the model makes of a question; what goes wrong is in the future."""
        digest = self._secrets.sign(_LABEL, self._space + text.encode("utf-8", "surrogatepass"))
        value = self._kept.get(tenant_id, digest)
        encoded = None if value is None else unpacked(value)
        if encoded is not None:
            done: Future[Encoded] = Future()
            done.set_result(encoded)
            return done
        coming = self._embed(text)
        coming.add_done_callback(lambda ended: self._remember(tenant_id, digest, ended))
        return coming

    def _remember(self, tenant_id: UUID, digest: bytes, ended: Future[Encoded]) -> None:
        if not ended.cancelled() and ended.exception() is None:
            self._kept.put(tenant_id, digest, packed(ended.result()))


def packed(encoded: Encoded) -> bytes:
    """Numbers of views, dimensions and tokens (uint32), then the rows as float32, all little-endian."""
    n_tokens = _NO_TOKENS if encoded.tokens is None else len(encoded.tokens)
    parts = [encoded.views, *([] if encoded.tokens is None else [encoded.tokens])]
    head = _HEAD.pack(*encoded.views.shape, n_tokens)
    return head + b"".join(np.ascontiguousarray(part, dtype="<f4").tobytes() for part in parts)


def unpacked(value: bytes) -> Encoded | None:
    """What `packed` made a value of; None if it did not. The rows are read-only: several callers share them."""
    if len(value) < _HEAD.size:
        return None
    n_views, dim, n_tokens = _HEAD.unpack_from(value)
    has_tokens = n_tokens != _NO_TOKENS
    rows = n_views + (n_tokens if has_tokens else 0)
    if len(value) != _HEAD.size + 4 * dim * rows:
        return None
    numbers: NDArray[np.float32] = np.frombuffer(value, "<f4", offset=_HEAD.size).reshape(rows, dim)
    return Encoded(numbers[:n_views], numbers[n_views:] if has_tokens else None)
