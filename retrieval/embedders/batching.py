"""Shares one embedder between many threads.

Questions and documents have a lane each: a recall never waits behind a batch of a thousand memories. Inside a lane
calls that arrive while the workers are busy are embedded together, equal texts once. How many texts one run takes is
the wrapped model's matter: 1 for models whose vectors would depend on their neighbours (`onnx`), more for remote ones.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gpu.cores import usable_cores
from retrieval.embedders._lane import Lane
from retrieval.ports import Embedder, TokenEmbedder
from retrieval.types import EmbeddingSpace, Encoded, Passage

QUESTIONS, DOCUMENTS = "questions", "documents"
"""Names of the lanes."""

_MOST_WORKERS = 8

OnRun = Callable[[str, int, float], None]
"""Told of a run: `questions` or `documents`, how many texts, and the seconds that it took."""

S = TypeVar("S")
T = TypeVar("T")


class BatchingEmbedder:
    """An embedder around another one, with worker threads, sharing of equal texts and a small cache for questions.

    It gives states of tokens, and reads a text in the light of what was said before it, if the wrapped one does;
    otherwise it has no states, and what was said before makes no difference.

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
        on_run: OnRun = lambda lane, texts, seconds: None,
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
            cached_queries: encoded questions to keep.
            on_run: called after each run of `inner`.
        """
        cores = min(usable_cores(), _MOST_WORKERS)
        self._inner = inner
        self._encoder = inner if isinstance(inner, TokenEmbedder) else _Plain(inner)
        self._cache = _Cache(cached_queries)
        linger_s = linger_s if texts_per_run > 1 else 0.0
        self._documents: Lane[Passage, Encoded] = Lane(
            "embed-documents",
            lambda passages: [_frozen(encoded) for encoded in self._encoder.encode_documents(passages)],
            workers=document_workers or cores,
            batch_texts=texts_per_run,
            linger_s=linger_s,
            capacity_texts=waiting_documents,
            on_run=partial(on_run, DOCUMENTS),
        )
        self._queries: Lane[str, Encoded] = Lane(
            "embed-queries",
            lambda texts: [_frozen(self._encoder.encode_query(text)) for text in texts],
            workers=query_workers or max(1, cores // 2),
            batch_texts=1,
            linger_s=0.0,
            capacity_texts=waiting_queries,
            on_run=partial(on_run, QUESTIONS),
        )

    @property
    def space(self) -> EmbeddingSpace:
        """The space of its vectors."""
        return self._inner.space

    @property
    def waiting(self) -> dict[str, int]:
        """Texts that wait, by lane."""
        return {QUESTIONS: self._queries.waiting, DOCUMENTS: self._documents.waiting}

    @property
    def reads_context(self) -> bool:
        """Whether what was said before a text changes what comes out."""
        return isinstance(self._inner, TokenEmbedder)

    def embed_documents(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """See `retrieval.ports.Embedder`; raises as `encode_documents` does."""
        return [encoded.views for encoded in self.encode_documents([Passage(text) for text in texts])]

    def encode_documents(self, passages: Sequence[Passage]) -> list[Encoded]:
        """See `retrieval.ports.TokenEmbedder`.

        Raises:
            EmbedderBusyError: too many texts wait; none of these was queued.
            EmbedderClosedError: after `close()`.
        """
        if not self.reads_context:
            passages = [Passage(passage.text) for passage in passages]
        return [future.result() for future in self._documents.submit(passages)]

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `retrieval.ports.Embedder`; raises as `encode_documents` does."""
        return _vector(self.encode_query(text))

    def encode_query(self, text: str) -> Encoded:
        """See `retrieval.ports.TokenEmbedder`; raises as `encode_documents` does."""
        return self.submit_question(text).result()

    def submit_question(self, text: str) -> Future[Encoded]:
        """Starts to encode a question; for callers that wait with a limit of their own.

        Raises:
            EmbedderBusyError: too many questions wait.
            EmbedderClosedError: after `close()`.
        """
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if (cached := self._cache.get(key)) is not None:
            done: Future[Encoded] = Future()
            done.set_result(cached)
            return done
        (future,) = self._queries.submit([text])
        future.add_done_callback(lambda ended: self._remember(key, ended))
        return future

    def submit_query(self, text: str) -> Future[NDArray[np.float32]]:
        """As `submit_question`, for the vector alone."""
        return _then(self.submit_question(text), _vector)

    def close(self) -> None:
        """Ends the threads and closes the inner embedder, if it can be; what still waits gets `EmbedderClosedError`."""
        self._queries.close()
        self._documents.close()
        if isinstance(self._inner, _Closable):
            self._inner.close()

    def _remember(self, key: bytes, ended: Future[Encoded]) -> None:
        if ended.exception() is None:
            self._cache.put(key, ended.result())


@runtime_checkable
class _Closable(Protocol):
    def close(self) -> None: ...


class _Plain:
    """An embedder without states of tokens in the form of one that has them."""

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner

    def encode_documents(self, passages: Sequence[Passage]) -> list[Encoded]:
        return [Encoded(views) for views in self._inner.embed_documents([passage.text for passage in passages])]

    def encode_query(self, text: str) -> Encoded:
        return Encoded(self._inner.embed_query(text)[None, :])


class _Cache:
    """Least recently used encodings by digest of their text."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, Encoded] = OrderedDict()

    def get(self, key: bytes) -> Encoded | None:
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key]

    def put(self, key: bytes, encoded: Encoded) -> None:
        with self._lock:
            self._kept[key] = encoded
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


def _vector(encoded: Encoded) -> NDArray[np.float32]:
    vector: NDArray[np.float32] = encoded.views[0]
    return vector


def _frozen(encoded: Encoded) -> Encoded:
    encoded.views.flags.writeable = False
    if encoded.tokens is not None:
        encoded.tokens.flags.writeable = False
    return encoded


def _then(future: Future[S], turn: Callable[[S], T]) -> Future[T]:
    """A future of what `turn` makes of another one's result. It cannot be cancelled: others may wait for the same."""
    turned: Future[T] = Future()
    turned.set_running_or_notify_cancel()

    def ended(done: Future[S]) -> None:
        error = done.exception()
        if error is None:
            turned.set_result(turn(done.result()))
        else:
            turned.set_exception(error)

    future.add_done_callback(ended)
    return turned
