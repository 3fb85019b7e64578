"""Requests that arrive by the clock, as those of many clients do: whether the ones before were answered or not.

Arrivals are a Poisson process, and a wait is counted from when its request was to arrive, so that a service that stops
for a moment is charged with all that would have come meanwhile (no "coordinated omission").
"""

from __future__ import annotations

import asyncio
import gc
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
import psutil

from benchmarks._capacity import Trial

_ANSWER_S = 30.0
_GONE = (OSError, asyncio.IncompleteReadError)


@dataclass(frozen=True, slots=True)
class Request:
    """A POST of JSON to one of the processes."""

    url: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


def offer(requests: Sequence[Request], per_s: float, seed: int) -> Trial:
    """Send each request once, at this mean rate.

    Args:
        requests: at least one.
        per_s: the rate.
        seed: of the gaps between arrivals.

    Returns:
        What came of them, when all have their answers or waited for them in vain.
    """
    gaps = np.random.default_rng(seed).exponential(1.0 / per_s, len(requests))
    due = np.cumsum(gaps).tolist()
    psutil.cpu_percent()  # from here on
    gc.collect()
    gc.disable()  # a pause of the client's would be counted as the service's
    try:
        return asyncio.run(_Offering(Trial(per_s, due[-1])).run(requests, due))
    finally:
        gc.enable()


class _Offering:
    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._ended_s = math.inf
        self._idle: dict[str, list[_Connection]] = {}

    async def run(self, requests: Sequence[Request], due: Sequence[float]) -> Trial:
        clock = asyncio.get_running_loop().time
        begun, used_s, waiting = clock(), time.process_time(), set[asyncio.Task[None]]()
        for request, at in zip(requests, due, strict=True):
            if (left := begun + at - clock()) > 0:
                await asyncio.sleep(left)
            task = asyncio.create_task(self._ask(request, begun + at))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        self._ended_s = clock()
        self._trial.busy = psutil.cpu_percent() / 100
        self._trial.client_cores = (time.process_time() - used_s) / (clock() - begun)
        self._trial.sent = len(requests)
        await asyncio.gather(*list(waiting))
        for connection in (one for idle in self._idle.values() for one in idle):
            connection.writer.close()
            with suppress(OSError):
                await connection.writer.wait_closed()
        return self._trial

    async def _ask(self, request: Request, due_s: float) -> None:
        status, says_when = 0, False
        try:
            async with asyncio.timeout(_ANSWER_S):
                status, says_when = await self._answer(request)
        except (*_GONE, TimeoutError):
            pass
        now_s = asyncio.get_running_loop().time()
        self._trial.told(status, (now_s - due_s) * 1e3, says_when=says_when, is_after=now_s > self._ended_s)

    async def _answer(self, request: Request) -> tuple[int, bool]:
        idle = self._idle.setdefault(request.url, [])
        while idle and (kept := idle.pop()):
            if kept.reader.at_eof():  # the server closed it, for it was idle for long
                kept.writer.close()
                continue
            return await self._exchange(request, kept, idle)
        place = urlsplit(request.url)
        return await self._exchange(
            request, _Connection(*await asyncio.open_connection(place.hostname, place.port)), idle
        )

    @staticmethod
    async def _exchange(request: Request, connection: _Connection, idle: list[_Connection]) -> tuple[int, bool]:
        is_kept = False
        try:
            connection.writer.write(
                b"POST %b HTTP/1.1\r\nhost: %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                % (request.path.encode(), urlsplit(request.url).netloc.encode(), len(request.body))
                + request.body
            )
            head = (await connection.reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            await connection.reader.readexactly(length)
            is_kept = b"connection: close" not in head
            return int(head[9:12]), b"\r\nretry-after:" in head
        finally:
            if is_kept:
                idle.append(connection)
            else:
                connection.writer.close()
