"""The process that has the device: searches of many clients, all that wait in one launch.

One thread takes what has arrived, and searches; what arrives meanwhile is the next batch. A second thread embeds the
questions of a batch while the one before it is being searched. A namespace that must be brought up to date first waits
beside, for the others go on.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from socket import socketpair
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np
import zmq
from numpy.typing import NDArray

from gpu import tracing
from gpu.bank.errors import DimensionError
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.device.bank import DeviceBank
from gpu.device.best import Best
from gpu.device.query import ChannelQuery, Query
from gpu.ops.channel_pass.questions import Listed
from gpu.process.messages import Asked, MalformedMessageError, Told, ToldList, read_asked, written
from gpu.process.served import Served

logger = logging.getLogger(__name__)

_MOST = 256
"""Searches in one launch."""
_NO_LISTS: Mapping[Listed, Best] = MappingProxyType({})
_CATCHING_UP = 4
"""Namespaces that are brought up to date side by side."""

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Questions to vectors, float32 `[n, dim]`."""


class Namespaces(Protocol):
    """Where the process has its namespaces from."""

    def held(self, name: bytes, seq: int) -> NamespaceBank | None:
        """The namespace, if it is here with the changes up to `seq`; does not wait."""
        ...

    def brought_up(self, name: bytes, seq: int) -> NamespaceBank:
        """The namespace with these changes.

        Raises:
            Exception: whatever hinders it; the client is told that there is no answer.
        """
        ...


class _Waiting(NamedTuple):
    """A search: whom it is from, what it asks, of which memories, and where."""

    client: bytes
    asked: Asked
    scan: ScanFilter
    namespace: NamespaceBank


class _Batch(NamedTuple):
    """Searches with the vectors of their questions, which may still be on their way; None for one that has none."""

    searches: Sequence[_Waiting]
    vectors: Future[list[NDArray[np.float32] | None]]


class _Bell:
    """Wakes a poll from another thread, or from a signal's handler. May be rung when it is closed."""

    def __init__(self) -> None:
        self._end, self._start = socketpair()
        self._end.setblocking(False)
        self._start.setblocking(False)

    def fileno(self) -> int:
        """What a poll waits for."""
        return self._end.fileno()

    def ring(self) -> None:
        """Wakes it. A bell that is full rings already."""
        with suppress(OSError):
            self._start.send(b".")

    def silence(self) -> None:
        """Lets it sleep until it is rung again."""
        with suppress(BlockingIOError):
            self._end.recv(1024)

    def close(self) -> None:
        """Gives the descriptors back."""
        self._start.close()
        self._end.close()


class GpuServer:
    """Answers searches until it is stopped. `run` takes a thread, and runs once; `stop` may be called from any.

    Attributes:
        served: what it did.
    """

    def __init__(self, bank: DeviceBank, namespaces: Namespaces, encode: Encode | None = None) -> None:
        """Prepares.

        Args:
            bank: the device; nobody else may search it.
            namespaces: what is searched.
            encode: embeds questions, in a thread of its own; without it only vectors are answered.
        """
        self._bank = bank
        self._namespaces = namespaces
        self._encode = encode
        self.served = Served()
        self._is_stopping = False
        self._ready: deque[_Waiting] = deque()
        self._failed: deque[tuple[bytes, Told]] = deque()
        self._bell = _Bell()
        self._embedding: _Batch | None = None
        self._pool = ThreadPoolExecutor(_CATCHING_UP, thread_name_prefix="catching-up")
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encoding")

    def run(self, endpoint: str, listening: Callable[[], None] = lambda: None) -> None:
        """Answers until `stop`.

        Args:
            endpoint: of ZeroMQ, as `ipc:///path/to/socket`. Whoever may connect may ask for any namespace.
            listening: called once clients can connect.

        Raises:
            zmq.ZMQError: the endpoint cannot be used.
            DeviceLostError: no device is left; clients search by themselves then.
        """
        with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
            socket.set_hwm(0)
            socket.linger = 0
            socket.bind(endpoint)
            listening()
            poller = zmq.Poller()
            poller.register(socket, zmq.POLLIN)
            poller.register(self._bell, zmq.POLLIN)
            try:
                while not self._is_stopping:
                    poller.poll(0 if self._ready or self._embedding else None)
                    self._bell.silence()
                    self._serve(socket)
                if self._embedding is not None:
                    self._answer(socket, self._embedding)
            finally:
                self._pool.shutdown(wait=True, cancel_futures=True)
                self._encoder.shutdown()
                self._bell.close()

    def stop(self) -> None:
        """Ends `run` after what is under way; does nothing once it has ended."""
        self._is_stopping = True
        self._bell.ring()

    def _serve(self, socket: zmq.Socket[bytes]) -> None:
        """Begins with what has arrived, and searches what came before it."""
        before, self._embedding = self._embedding, None
        now = self._begun(self._taken(socket))
        if now is not None and not now.vectors.done():
            now, self._embedding = None, now
        while self._failed:
            self.served.refused += 1
            _tell(socket, *self._failed.popleft())
        for batch in (before, now):
            if batch is not None:
                self._answer(socket, batch)

    def _taken(self, socket: zmq.Socket[bytes]) -> list[_Waiting]:
        """The searches that have arrived, as many as go into one launch."""
        batch = [self._ready.popleft() for _ in range(min(len(self._ready), _MOST))]
        for client, data in _arrived(socket, _MOST - len(batch)):
            try:
                asked = read_asked(data)
                scan = asked.scan.filter()
            except (MalformedMessageError, ValueError) as error:
                logger.warning("a message cannot be read: %s", error)
                continue  # its client gives up by itself
            if (namespace := self._namespaces.held(asked.namespace, asked.seq)) is None:
                self._pool.submit(self._bring_up, client, asked, scan)
            else:
                batch.append(_Waiting(client, asked, scan, namespace))
        return batch

    def _begun(self, searches: Sequence[_Waiting]) -> _Batch | None:
        """A batch whose questions are being embedded; at once if it has vectors alone. None if it is empty."""
        if not searches:
            return None
        if self._encode is not None and any(one.asked.text for one in searches):
            return _Batch(searches, self._encoder.submit(self._vectors, searches))
        given: Future[list[NDArray[np.float32] | None]] = Future()
        given.set_result(self._vectors(searches))
        return _Batch(searches, given)

    def _answer(self, socket: zmq.Socket[bytes], batch: _Batch) -> None:
        for waiting, told in self._answers(batch):
            self.served.refused += told.error != ""
            _tell(socket, waiting.client, told)

    def _bring_up(self, client: bytes, asked: Asked, scan: ScanFilter) -> None:
        try:
            namespace = self._namespaces.brought_up(asked.namespace, asked.seq)
        except Exception as error:  # noqa: BLE001 - the outer edge of a thread: the client must hear of it
            self._failed.append((client, Told(asked.number, error=f"{type(error).__name__}: {error}")))
        else:
            self._ready.append(_Waiting(client, asked, scan, namespace))
        self._bell.ring()

    def _answers(self, batch: _Batch) -> Iterator[tuple[_Waiting, Told]]:
        """Answers to a batch, in one search."""
        nearest: list[tuple[_Waiting, Query]] = []
        lists: list[tuple[_Waiting, ChannelQuery]] = []
        for waiting, vector in zip(batch.searches, batch.vectors.result(), strict=True):
            try:
                query = _query(waiting, vector)
            except (DimensionError, ValueError) as error:
                yield waiting, Told(waiting.asked.number, error=str(error))
                continue
            if isinstance(query, Query):
                nearest.append((waiting, query))
            else:
                lists.append((waiting, query))
        if nearest:
            self._count(len(nearest))
            begun_ns = time.time_ns()
            for (waiting, _), best in zip(nearest, self._bank.search([one for _, one in nearest]), strict=True):
                tracing.heard("gpu.launch", waiting.asked.trace, begun_ns, searches=len(nearest))
                yield waiting, _told(waiting.asked, best)
        if lists:
            self._count(len(lists))
            for (waiting, _), bests in zip(lists, self._bank.channels([one for _, one in lists]), strict=True):
                yield waiting, _told(waiting.asked, bests.dense, bests.lists)

    def _count(self, searches: int) -> None:
        self.served.launches += 1
        self.served.searches += searches

    def _vectors(self, batch: Sequence[_Waiting]) -> list[NDArray[np.float32] | None]:
        """The question of each search as a vector; None where there is nothing to embed it with."""
        vectors: list[NDArray[np.float32] | None] = [
            np.frombuffer(waiting.asked.vector, np.float32) if waiting.asked.vector else None for waiting in batch
        ]
        told = [at for at, waiting in enumerate(batch) if waiting.asked.text]
        if told and self._encode is not None:
            try:
                rows = self._encode([batch[at].asked.text for at in told])
            except Exception as error:  # noqa: BLE001 - whatever an embedder raises must not end the process
                logger.warning("questions could not be embedded: %s", error)
                return vectors
            for at, row in zip(told, rows, strict=True):
                vectors[at] = row
        return vectors


def _arrived(socket: zmq.Socket[bytes], most: int) -> Iterator[tuple[bytes, bytes]]:
    """What lies there, whom it is from and what it says; does not wait."""
    for _ in range(most):
        try:
            client = data = socket.recv(zmq.NOBLOCK, copy=False)  # frames know whether more follow: two calls less
        except zmq.Again:
            return
        while data.more:
            data = socket.recv(copy=False)
        yield client.bytes, data.bytes


def _query(waiting: _Waiting, vector: NDArray[np.float32] | None) -> Query | ChannelQuery:
    """What the device is asked.

    Raises:
        DimensionError: the vector is none of the namespace.
        ValueError: there is none, or the parts of the question do not fit together.
    """
    asked = waiting.asked
    if asked.wanted is not None:
        return ChannelQuery(waiting.namespace, asked.wanted.question(waiting.scan), vector, asked.limit)
    if vector is None:
        raise ValueError("there is no vector of the question")
    return Query(waiting.namespace, waiting.scan, vector, asked.limit)


def _told(asked: Asked, best: Best | None, lists: Mapping[Listed, Best] = _NO_LISTS) -> Told:
    told = tuple(ToldList(int(which), *_as_bytes(one)) for which, one in lists.items())
    nearest = (b"", b"", b"") if best is None else _as_bytes(best)
    return Told(asked.number, *nearest, lists=told)


def _as_bytes(best: Best) -> tuple[bytes, bytes, bytes]:
    return best.memory_ids.tobytes(), best.versions.tobytes(), best.scores.tobytes()


def _tell(socket: zmq.Socket[bytes], client: bytes, told: Told) -> None:
    socket.send(client, zmq.SNDMORE)
    socket.send(written(told))  # dropped where the client has left
