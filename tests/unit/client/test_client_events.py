"""A stream over several connections: where it goes on, what it makes of half an event, and when it gives up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import httpx
import pytest

from memsvc_client import AsyncMemoryClient, Forbidden, MemoryClient, RetryPolicy
from memsvc_client.protocol import Protocol
from tests.unit.client.recorder import memory

AT_ONCE = RetryPolicy(attempts=3, backoff_s=0.0)


def told(mark: str, name: str) -> str:
    due = {"memory": memory(content=name), "due_at": "2026-01-01T00:00:00Z", "rehearsals": 0, "rehearsed_at": None}
    return f"id: {mark}\nevent: due\ndata: {json.dumps(due)}\n\n"


class Broken(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Some bytes, and then the connection is lost."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __iter__(self) -> Iterator[bytes]:
        yield self._text.encode()
        raise httpx.ReadError("lost")

    async def __aiter__(self) -> Any:
        yield self._text.encode()
        raise httpx.ReadError("lost")


class Service:
    """Gives its answers one after the other, and keeps what was asked."""

    def __init__(self, *answers: httpx.Response) -> None:
        self._answers = iter(answers)
        self.after: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.after.append(request.headers.get("last-event-id"))
        return next(self._answers)


def answers() -> Service:
    """Two events and half of a third, a refusal that passes, and the third to the end."""
    return Service(
        httpx.Response(200, stream=Broken("retry: 2000\n\n" + told("a", "one") + ": still here\n\n" + told("b", "two")
                                          + told("c", "three")[:30])),
        httpx.Response(503, json={}),
        httpx.Response(200, text=told("c", "three")),
        httpx.Response(200, text=told("d", "four")),
    )  # fmt: skip


def test_a_lost_connection_neither_loses_nor_repeats() -> None:
    service = answers()
    with MemoryClient("http://x", namespace="n", retry=AT_ONCE, http_transport=httpx.MockTransport(service)) as client:
        found = [(event.id, event.value.memory.content) for event in islice(client.follow_due(after="0"), 4)]
    assert found == [("a", "one"), ("b", "two"), ("c", "three"), ("d", "four")]
    assert service.after == ["0", "b", "b", "c"]


def test_the_same_from_an_event_loop() -> None:
    service = answers()

    async def run() -> list[str]:
        found = []
        async with AsyncMemoryClient(
            "http://x", namespace="n", retry=AT_ONCE, http_transport=httpx.MockTransport(service)
        ) as client:
            async for event in client.follow_due():
                found.append(event.id)
                if len(found) == 4:
                    break
        return found

    assert asyncio.run(run()) == ["a", "b", "c", "d"]
    assert service.after == [None, "b", "b", "c"]


def test_a_refusal_ends_it() -> None:
    service = Service(httpx.Response(403, json={"code": "forbidden", "title": "no", "status": 403}))
    with (
        MemoryClient("http://x", namespace="n", retry=AT_ONCE, http_transport=httpx.MockTransport(service)) as client,
        pytest.raises(Forbidden),
    ):
        next(client.follow_due())


def test_what_is_asked() -> None:
    assert dict(Protocol("n").follow_due(None, 60).params) == {"namespace": "n", "horizon_s": "60"}


def test_changes_are_followed_by_their_numbers() -> None:
    def told_change(seq: int) -> str:
        change = {"seq": seq, "op": "put", "memory_id": "m", "recorded_at": "2026-01-01T00:00:00Z"}
        return f"id: {seq}\nevent: change\ndata: {json.dumps(change)}\n\n"

    service = Service(
        httpx.Response(200, stream=Broken("retry: 2000\n\n" + told_change(4))),
        httpx.Response(200, text=told_change(5)),
    )
    with MemoryClient("http://x", namespace="n", retry=AT_ONCE, http_transport=httpx.MockTransport(service)) as client:
        found = [(event.id, event.value.seq) for event in islice(client.follow_changes(after="3"), 2)]
    assert (found, service.after) == ([("4", 4), ("5", 5)], ["3", "4"])
