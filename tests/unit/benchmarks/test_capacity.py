"""The arithmetic of the load benchmark, on made numbers; and its client, against a server that does as it is told."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Queue

import pytest

from benchmarks._capacity import Trial, highest, overload, peak
from benchmarks._open_loop import Request, offer
from benchmarks.report import LINES


def trial(done_ms: list[float], *, sent: int | None = None, refused: int = 0, offered: float = 10.0) -> Trial:
    made = Trial(offered_per_s=offered, seconds=10.0, sent=sent or len(done_ms) + refused)
    for ms in done_ms:
        made.told(200, ms, says_when=False)
    for _ in range(refused):
        made.told(503, 3.0, says_when=True)
    return made


@pytest.mark.parametrize("most", [2.0, 3.0, 20.0, 47.0, 1234.0])
def test_the_rate_that_is_found_holds_and_a_tenth_more_does_not(most: float) -> None:
    tried: list[float] = []

    def holds(rate: float) -> bool:
        tried.append(rate)
        return rate <= most

    found = highest(holds, 20.0)
    assert found is not None
    assert found <= most < 1.1 * found
    assert found in tried
    assert len(tried) <= 16


def test_no_rate_is_found_where_none_holds() -> None:
    tried: list[float] = []

    def holds(rate: float) -> bool:
        tried.append(rate)
        return False

    assert highest(holds, 30.0) is None
    assert 3.0 >= min(tried) > 1.8


@pytest.mark.parametrize(("most", "found"), [(50.0, 20.0 * 1.6**2), (20.0, 20.0), (5.0, 20.0)])
def test_rates_grow_until_no_more_is_done(most: float, found: float) -> None:
    """What is beyond costs a little: refusing it is work, too."""
    assert peak(lambda rate: min(rate, most) - 0.01 * rate, 20.0) == pytest.approx(found)


def test_a_refusal_is_a_wait_without_end() -> None:
    assert trial([float(ms) for ms in range(1, 101)]).wait_ms(0.99) == 99.0
    assert trial([5.0] * 99, refused=1).wait_ms(0.99) == 5.0
    assert trial([5.0] * 98, refused=2).wait_ms(0.99) == math.inf
    assert trial([5.0] * 98, refused=2).figures()["p99_ms"] is None


def test_a_request_without_an_answer_is_a_wait_without_end() -> None:
    assert trial([5.0] * 98, sent=100).wait_ms(0.99) == math.inf
    assert Trial(10.0, 1.0).wait_ms(0.99) == math.inf


def test_goodput_counts_what_was_done_in_time_alone() -> None:
    held = trial([10.0] * 100)
    over = trial([50.0] * 60 + [1500.0] * 30 + [2500.0] * 40, refused=270)
    of = overload(held, over, 2000.0)
    assert (of["goodput_per_s"], of["goodput_share"]) == (9.0, 0.9)
    assert overload(held, over, 100.0)["goodput_share"] == 0.6
    assert (of["refused"], of["refused_p99_ms"], of["admitted_p99_ms"]) == (270, 3.0, 2500.0)
    assert of["failed"] == 0


def test_what_is_done_after_the_last_request_counts_for_no_rate() -> None:
    """Else a queue that is worked off at the end would look like goodput, most in a short trial."""
    over = trial([50.0] * 60)
    for _ in range(40):
        over.told(200, 50.0, says_when=False, is_after=True)
    assert over.goodput(100.0) == 6.0
    assert len(over.done_ms) == 100


def test_failures_are_told_from_refusals() -> None:
    over = trial([1.0])
    for status, says_when in ((500, False), (0, False), (503, False), (429, True)):
        over.told(status, 1.0, says_when=says_when)
    of = overload(trial([1.0]), over, 100.0)
    assert (of["failed"], of["refused"], of["without_retry_after"]) == (2, 2, 1)
    assert of["statuses"] == {"0": 1, "200": 1, "429": 1, "500": 1, "503": 1}


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, goes_on: asyncio.Event) -> None:
    with suppress(asyncio.IncompleteReadError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(2)
            if head.startswith(b"POST /no"):
                writer.write(b"HTTP/1.1 503 no\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                break
            asyncio.get_running_loop().call_later(0.2, goes_on.set)
            await goes_on.wait()
            writer.write(b"HTTP/1.1 201 ok\r\nContent-Length: 4\r\n\r\ndone")
    writer.close()
    await writer.wait_closed()


@pytest.fixture
def stalling() -> Iterator[str]:
    """A server that says nothing for 0.2 s, then 201 to all that wait; to `/no` it says 503, and closes."""
    told: Queue[tuple[str, Callable[[], object]]] = Queue()

    async def serve() -> None:
        goes_on, is_over, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()
        server = await asyncio.start_server(lambda reader, writer: _answer(reader, writer, goes_on), "127.0.0.1", 0)
        url = "http://{}:{}".format(*server.sockets[0].getsockname())
        told.put((url, lambda: loop.call_soon_threadsafe(is_over.set)))
        async with server:
            await is_over.wait()

    with ThreadPoolExecutor(1) as threads:
        served = threads.submit(asyncio.run, serve())
        url, stop = told.get(timeout=10)
        yield url
        stop()
        served.result(10)


def test_a_service_that_stops_for_a_moment_is_charged_with_all_that_came_meanwhile(stalling: str) -> None:
    """A client that waits for each answer would see one slow request; these come by the clock."""
    found = offer([Request(stalling, "/yes", b"{}")] * 100, 400.0, seed=1)
    assert found.statuses == {201: 100}
    assert sum(ms > 50.0 for ms in found.done_ms) >= 30
    assert found.wait_ms(0.99) >= 150.0
    assert len(found.counted_ms) < len(found.done_ms) == 100  # the last one has its answer after the last arrival
    assert 0.1 < found.seconds < 0.6


def test_refusals_that_close_their_connections_are_counted(stalling: str) -> None:
    found = offer([Request(stalling, "/no", b"{}")] * 20, 1000.0, seed=1)
    assert found.statuses == {503: 20}
    assert (len(found.refused_ms), found.without_retry_after, found.failed) == (20, 0, 0)


def test_nobody_there_is_a_failure() -> None:
    assert offer([Request("http://127.0.0.1:9", "/yes", b"{}")] * 3, 1000.0, seed=1).failed == 3


def test_the_report_shows_what_was_held_and_what_was_not() -> None:
    held, over = trial([10.0] * 100, offered=10.0), trial([10.0] * 100, offered=40.0)
    both = {"overload": overload(held, over, 2000.0), "overload_of_peak": overload(over, over, 2000.0)}
    one = {"held": held.figures(), **both}
    none = one | {"held": None, "overload": None}
    figures = {
        "processes": 4, "namespaces": 200, "memories": 5000, "p99_ms": 100.0, "profile": "fast", "embedder": "a stub",
        "recalls": one, "writes": none, "mixed": one,
    }  # fmt: skip
    lines = dict(LINES["load_stub"](figures))
    of = "(4 processes, 200 × 5000, a stub)"
    assert lines[f"recalls at p99 ≤ 100 ms {of}"] == "10.0/s, p50 10.0 ms, p99 10.0 ms"
    assert lines[f"writes at p99 ≤ 100 ms {of}"] == "none"
    told = "goodput 10.0/s within 2000 ms, 1.0 of before; 0 of 100 refused, 0 failed"
    assert lines["mixed at four times that: 40.0/s"] == told
    assert lines["writes at four times the peak: 40.0/s"] == told
    assert "writes at four times that: 40.0/s" not in lines
