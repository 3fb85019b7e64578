"""Shares one embedder between many threads.

Questions and documents have a lane each: a recall never waits behind a batch of a thousand memories. Inside a lane
calls that arrive while the workers are busy are embedded together, equal texts once. How many texts one run takes is
the wrapped model's matter: 1 for models whose vectors would depend on their neighbours (`onnx`), more for remote ones.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from retrieval.embedders._lane import Lane
from retrieval.ports import Embedder
from retrieval.types import EmbeddingSpace

_MOST_WORKERS = 8


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class BatchingEmbedder:
    """An `Embedder` around another one, with worker threads, sharing of equal texts and a small cache for questions.

    The cache and the sharing of texts that are in flight can tell a caller that somebody asked the very same question
    a moment ago (it answers faster); `cached_queries=0` switches the cache off where that matters.
    Vectors are handed to several callers, so they are read-only.
    """

    def __init__(
        self,
        inner: Embedder,
        *,
        document_workers: int | None = None,
        query_workers: int | None = None,
        texts_per_run: int = 1,
        linger_s: float = 0.002,
        waiting_documents: int = 20_000,
        waiting_queries: int = 1_000,
        cached_queries: int = 1_024,
    ) -> None:
        """Starts the worker threads.

        Args:
            inner: a thread-safe embedder.
            document_workers: threads that embed documents (default: one for each usable core, at most 8).
            query_workers: threads that embed questions (default: half as many, at least one).
            texts_per_run: most documents in one call of `inner`.
            linger_s: how long a run may wait to fill up, only while another run is under way.
            waiting_documents: most documents that may wait; more are refused.
            waiting_queries: most questions that may wait.
            cached_queries: question vectors to keep.
        """
        cores = min(usable_cores(), _MOST_WORKERS)
        self._inner = inner
        self._cache = _VectorCache(cached_queries)
        linger_s = linger_s if texts_per_run > 1 else 0.0
        self._documents = Lane(
            "embed-documents",
            lambda texts: [_frozen(rows) for rows in inner.embed_documents(texts)],
            workers=document_workers or cores,
            batch_texts=texts_per_run,
            linger_s=linger_s,
            capacity_texts=waiting_documents,
        )
        self._queries = Lane(
            "embed-queries",
            lambda texts: [_frozen(inner.embed_query(text)) for text in texts],
            workers=query_workers or max(1, cores // 2),
            batch_texts=1,
            linger_s=0.0,
            capacity_texts=waiting_queries,
        )

    @property
    def space(self) -> EmbeddingSpace:
        """The space of its vectors."""
        return self._inner.space

    def embed_documents(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """See `retrieval.ports.Embedder`.

        Raises:
            EmbedderBusyError: too many texts wait; none of these was queued.
            EmbedderClosedError: after `close()`.
        """
        return [future.result() for future in self._documents.submit(texts)]

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `retrieval.ports.Embedder`; raises as `embed_documents` does."""
        return self.submit_query(text).result()

    def submit_query(self, text: str) -> Future[NDArray[np.float32]]:
        """Starts to embed a question; for callers that wait with a limit of their own.

        Raises:
            EmbedderBusyError: too many questions wait.
            EmbedderClosedError: after `close()`.
        """
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if (cached := self._cache.get(key)) is not None:
            done: Future[NDArray[np.float32]] = Future()
            done.set_result(cached)
            return done
        (future,) = self._queries.submit([text])
        future.add_done_callback(lambda ended: self._remember(key, ended))
        return future

    def close(self) -> None:
        """Ends the threads and closes the inner embedder, if it can be; what still waits gets `EmbedderClosedError`."""
        self._queries.close()
        self._documents.close()
        if isinstance(self._inner, _Closable):
            self._inner.close()

    def _remember(self, key: bytes, ended: Future[NDArray[np.float32]]) -> None:
        if ended.exception() is None:
            self._cache.put(key, ended.result())


@runtime_checkable
class _Closable(Protocol):
    def close(self) -> None: ...


class _VectorCache:
    """Least recently used vectors by digest of their text."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._vectors: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()

    def get(self, key: bytes) -> NDArray[np.float32] | None:
        with self._lock:
            if key not in self._vectors:
                return None
            self._vectors.move_to_end(key)
            return self._vectors[key]

    def put(self, key: bytes, vector: NDArray[np.float32]) -> None:
        with self._lock:
            self._vectors[key] = vector
            self._vectors.move_to_end(key)
            while len(self._vectors) > self._size:
                self._vectors.popitem(last=False)


def _frozen(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors.flags.writeable = False
    return vectors
