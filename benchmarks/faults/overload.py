"""R-21: four times what it can do: what is beyond is refused early, and what is admitted is done as at the peak.

First clients that wait for their answers measure what it can do (requests a second); then requests come at four times
that rate, whether the ones before were answered or not, each with a connection of its own out of a pool; then the
clients of before measure again. What was written by then makes each write dearer: the overload, in the middle, is
compared with both. The service has its default settings.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson

from benchmarks._killable import ServerProcess
from benchmarks.faults.asking import Caller, percentile
from benchmarks.faults.row import Findings, Row
from benchmarks.faults.stage import Stage

TIMES = 4
GOODPUT, REFUSED_MS, ADMITTED_S, NORMAL_S = 0.85, 50.0, 2.0, 5.0
_CLIENTS = 4
_MEMORIES = 10
_FEWEST_TO_JUDGE = 30


@dataclass
class Load:
    """What came back.

    Attributes:
        statuses: how often each one came; 0: the connection was closed without an answer.
        admitted_s, refused_s: waits for 200 and for 503.
        without_retry_after: refusals that do not say when to come again.
        seconds, done_in_time: how long requests were sent, and how many were done by then.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    admitted_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    without_retry_after: int = 0
    seconds: float = 0.0
    done_in_time: int = 0

    @property
    def goodput(self) -> float:
        """Requests a second that were done."""
        return self.done_in_time / self.seconds if self.seconds else 0.0


def run(stage: Stage, n: int) -> Findings:
    """Measure for so many seconds each: the peak, half of it before and half after, and four times the peak."""
    findings = Findings()
    server = stage.server("overload", jobs="off")
    with Caller(server.url) as caller:
        caller.add("user/ada", "the namespace is there")
    asyncio.run(_closed(server, 1.0))  # what is compiled and opened at first
    before = asyncio.run(_closed(server, n / 2))
    over = asyncio.run(_open(server, TIMES * before.goodput, float(n)))
    back = _normal_again(server)
    after = asyncio.run(_closed(server, n / 2))
    _judge((before, after), over, back, findings, is_long=n >= _FEWEST_TO_JUDGE)
    server.kill()
    return findings


def _judge(peaks: tuple[Load, Load], over: Load, back: float, findings: Findings, *, is_long: bool) -> None:
    findings.tried(sum(over.statuses.values()))
    for status in over.statuses:
        if status not in {200, 503}:
            findings.broke("an unexpected answer under overload", status, over.statuses[status])
    if over.without_retry_after:
        findings.broke("503 without Retry-After", times=over.without_retry_after)
    peak = sum(one.goodput for one in peaks) / 2
    share = over.goodput / peak
    findings.figures |= {
        "seconds": {"peak": round(sum(one.seconds for one in peaks), 1), "overload": round(over.seconds, 1)},
        "peak_per_s": round(peak, 1),
        "peaks_per_s": [round(one.goodput, 1) for one in peaks],
        "goodput_per_s": round(over.goodput, 1),
        "goodput_share_of_peak": round(share, 3),
        "refused": over.statuses[503],
        "refused_p50_ms": round(1e3 * percentile(over.refused_s, 0.5), 1),
        "refused_p99_ms": round(1e3 * percentile(over.refused_s, 0.99), 1),
        "admitted_p99_s": round(percentile(over.admitted_s, 0.99), 3),
        "normal_again_s": round(back, 2),
    }
    findings.check(over.statuses[503] > 0, "nothing was refused under overload", dict(over.statuses))
    findings.check(back <= NORMAL_S, "not normal again 5 s after the overload", back)
    if not is_long:  # a second of a busy machine decides no rate
        return
    findings.check(share >= GOODPUT, "goodput under overload below 85 % of the peak", share)
    findings.check(
        percentile(over.refused_s, 0.99) * 1e3 <= REFUSED_MS,
        "refusals take longer than 50 ms (p99)",
        over.refused_s[:3],
    )
    findings.check(percentile(over.admitted_s, 0.99) <= ADMITTED_S, "admitted ones take longer than 2 s (p99)")


async def _closed(server: ServerProcess, seconds: float) -> Load:
    load, begun = Load(), time.monotonic()

    async def client() -> None:
        while time.monotonic() < begun + seconds:
            await _request(server.url, load)

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))
    load.seconds, load.done_in_time = time.monotonic() - begun, load.statuses[200]
    return load


async def _open(server: ServerProcess, per_s: float, seconds: float) -> Load:
    load, begun = Load(), time.monotonic()
    waiting: set[asyncio.Task[None]] = set()
    sent = 0
    while (passed := time.monotonic() - begun) < seconds:
        while sent < passed * per_s:
            task = asyncio.create_task(_request(server.url, load))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            sent += 1
        await asyncio.sleep(0.002)
    load.seconds = time.monotonic() - begun
    load.done_in_time = load.statuses[200]  # what comes after the end counts for no rate
    await asyncio.gather(*list(waiting))
    return load


_made = iter(range(10**9))


async def _request(url: str, load: Load) -> None:
    """One batch of memories, by a connection of its own."""
    number = next(_made)
    memories = [{"content": f"load {number} part {k} of what was said"} for k in range(_MEMORIES)]
    body = orjson.dumps({"namespace": "user/ada", "memories": memories})
    place = urlsplit(url)
    begun = time.monotonic()
    try:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(
            f"POST /v1/memories:batch HTTP/1.1\r\nhost: {place.netloc}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
            + body
        )
        answer = await reader.read()
        writer.close()
    except OSError:
        load.statuses[0] += 1
        return
    took = time.monotonic() - begun
    status = int(answer[9:12]) if len(answer) > 12 else 0
    load.statuses[status] += 1
    if status == 503:
        load.refused_s.append(took)
        load.without_retry_after += b"retry-after:" not in answer.lower()
    elif status == 200:
        load.admitted_s.append(took)


def _normal_again(server: ServerProcess) -> float:
    """Seconds until five requests in a row are done."""
    begun = time.monotonic()
    done = 0
    with Caller(server.url) as caller:
        while done < 5 and time.monotonic() < begun + 30:
            done = done + 1 if caller.add("user/ada", f"normal again {time.monotonic_ns()}").status == 201 else 0
    return time.monotonic() - begun


ROW = Row("R-21", "overload is refused early and costs no goodput", run, 2, 180, "requests under overload")
