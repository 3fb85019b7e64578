"""Asks the process that has the device."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from dataclasses import dataclass

import numpy as np
import zmq
from numpy.typing import NDArray

from gpu import tracing
from gpu.bank.filters import ScanFilter
from gpu.device.errors import DeviceLostError
from gpu.ops.channel_pass.questions import Listed, Question
from gpu.process.messages import (
    ID_BYTES,
    Asked,
    MalformedMessageError,
    Scan,
    Told,
    ToldList,
    Wanted,
    read_told,
    written,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """The best memories of a search: ids uint8 `[m, 16]`, versions int32 `[m]`, scores float32 `[m]`."""

    memory_ids: NDArray[np.uint8]
    versions: NDArray[np.int32]
    scores: NDArray[np.float32]


class GpuClient:
    """Thread-safe; searches that are under way at the same time have a socket each.

    A process that does not answer in time is left alone for a while: a hung one costs one wait, not one a recall.
    """

    def __init__(self, endpoint: str, *, timeout_s: float = 0.25, pause_s: float = 5.0) -> None:
        """Connects when it is first asked.

        Args:
            endpoint: of ZeroMQ, where `GpuServer` listens.
            timeout_s: how long an answer may take.
            pause_s: how long nothing is asked after none came.
        """
        self._endpoint = endpoint
        self._timeout_ms = int(timeout_s * 1e3)
        self._pause_s = pause_s
        self._not_before_s = 0.0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._free: list[zmq.Socket[bytes]] = []
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def search(
        self,
        namespace: bytes,
        seq: int,
        scan: ScanFilter,
        limit: int,
        *,
        vector: NDArray[np.float32] | None = None,
        text: str = "",
    ) -> Found:
        """The nearest memories of a namespace to a vector, or to a text that the process embeds.

        Args:
            namespace: its name there.
            seq: the changes that must be in it.
            scan: which memories.
            limit: how many at most, at least 1.
            vector: float32 `[dim]`.
            text: the question, instead of a vector.

        Raises:
            DeviceLostError: no answer came, or the process has none; whoever asked searches here.
        """
        said = b"" if vector is None else np.ascontiguousarray(vector, np.float32).tobytes()
        with tracing.step("gpu.search"):
            asked = Asked(next(self._numbers), namespace, seq, limit, Scan.of(scan), said, text, trace=tracing.told())
            return _found(self._told(asked))

    def lists(self, namespace: bytes, seq: int, question: Question, limit: int) -> dict[Listed, Found]:
        """The best memories of every list that a question asks for.

        Args:
            namespace, seq: see `search`.
            question: what is asked, with its filter.
            limit: how many of each list at most, at least 1.

        Raises:
            DeviceLostError: no answer came, or the process has none; whoever asked scans here.
        """
        wanted = Wanted.of(question)
        with tracing.step("gpu.lists"):
            asked = Asked(
                next(self._numbers), namespace, seq, limit, Scan.of(question.scan), wanted=wanted, trace=tracing.told()
            )
            return {Listed(one.which): _found(one) for one in self._told(asked).lists}

    def close(self) -> None:
        """Ends the connections; nobody may ask any more."""
        self._not_before_s = float("inf")
        self._context.destroy(linger=0)

    def _told(self, asked: Asked) -> Told:
        if time.monotonic() < self._not_before_s:
            raise DeviceLostError
        told = self._answer(asked)
        if told.error:
            logger.warning("the process of the device has no answer: %s", told.error)
            raise DeviceLostError
        return told

    def _answer(self, asked: Asked) -> Told:
        socket = None
        try:
            socket = self._taken()
            socket.send(written(asked))
            until_s = time.monotonic() + self._timeout_ms / 1e3
            while socket.poll(max(0, int((until_s - time.monotonic()) * 1e3))):
                told = read_told(socket.recv())
                if told.number == asked.number:
                    with self._lock:
                        self._free.append(socket)
                    return told
            reason = f"no answer in {self._timeout_ms} ms"
        except (zmq.ZMQError, MalformedMessageError) as error:
            reason = str(error)
        logger.warning("the process of the device is left alone for %s s: %s", self._pause_s, reason)
        self._not_before_s = max(self._not_before_s, time.monotonic() + self._pause_s)
        if socket is not None:
            socket.close(linger=0)  # a late answer must not meet the next question
        raise DeviceLostError

    def _taken(self) -> zmq.Socket[bytes]:
        """A connected socket that nobody else uses."""
        with self._lock:
            if self._free:
                return self._free.pop()
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        socket.connect(self._endpoint)
        return socket


def _found(told: Told | ToldList) -> Found:
    return Found(
        np.frombuffer(told.memory_ids, np.uint8).reshape(-1, ID_BYTES),
        np.frombuffer(told.versions, np.int32),
        np.frombuffer(told.scores, np.float32),
    )
