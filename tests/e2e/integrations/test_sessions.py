"""Conversations with a memory: what is recalled before a turn, and what is written after it, by both clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from memsvc_client import (
    AsyncMemoryClient,
    ConnectionFailed,
    InvalidArgument,
    InvalidRequest,
    MemoryClient,
    RetryPolicy,
    where,
    with_memory,
)

TOLD = [
    {"role": "user", "content": "I drink Assam tea in the morning."},
    {"role": "assistant", "content": "Assam it is."},
]
ASKED: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello!"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": [{"type": "text", "text": "Which tea do I drink?"}, {"type": "image_url"}]},
]


class Model:
    """Takes notes of what it is given, and answers as chat clients do."""

    def __init__(self, says: str | None = "Assam.") -> None:
        self.says = says
        self.given: list[dict[str, Any]] = []

    def create(self, *, messages: list[dict[str, Any]], stream: bool = False, **_: Any) -> Any:
        self.given = messages
        return self.chunks() if stream else completion("message", self.says)

    def chunks(self) -> Iterator[Any]:
        for part in (self.says or "").split(" "):
            yield completion("delta", part)
        yield SimpleNamespace(choices=[])

    async def acreate(self, **asked: Any) -> Any:
        answer = self.create(**asked)
        return self.achunks() if asked.get("stream") else answer

    async def achunks(self) -> AsyncIterator[Any]:
        for chunk in self.chunks():
            yield chunk


def completion(name: str, content: str | None) -> Any:
    return SimpleNamespace(choices=[SimpleNamespace(**{name: SimpleNamespace(content=content)})])


def contents(client: MemoryClient, **asked: Any) -> list[tuple[str | None, str]]:
    return [(memory.speaker, memory.content) for memory in client.list(order="oldest", **asked)]


def test_a_wrapped_client_remembers(client: MemoryClient) -> None:
    client.remember_conversation(TOLD, session_id="earlier")
    model = Model()
    with client.session("now", user_id="ada", token_budget=200) as session:
        create = with_memory(model.create, session)
        answer = create(model="m", messages=ASKED)
        assert answer.choices[0].message.content == "Assam."
        assert contents(client, filter=where.session_id == "now") == [
            ("user", "Which tea do I drink?"),
            ("assistant", "Assam."),
        ]
        create(model="m", messages=[*ASKED, {"role": "assistant", "content": "Assam."}, TOLD[0]])
    system, context, *rest = model.given
    assert system == ASKED[0]
    assert context["role"] == "system"
    assert "I drink Assam tea in the morning." in context["content"]
    assert "Which tea" not in context["content"]  # the prompt has what was said in this conversation
    assert rest[:3] == ASKED[1:]
    assert len(contents(client, filter=where.session_id == "now")) == 4
    assert {memory.user_id for memory in client.list(filter=where.session_id == "now")} == {"ada"}


def test_nothing_known_changes_nothing(client: MemoryClient) -> None:
    model = Model(says=None)  # calls a tool
    with client.session() as session:
        with_memory(model.create, session)(messages=ASKED)
        assert model.given == ASKED
        with_memory(model.create, session)(messages=[{"role": "system", "content": "x"}])
    assert contents(client) == [("user", "Which tea do I drink?")]


def test_streams_are_written_when_they_were_read(client: MemoryClient) -> None:
    model = Model("Assam in the morning")
    with client.session("s") as session:
        create = with_memory(model.create, session)
        chunks = create(messages=ASKED, stream=True)
        assert contents(client) == []
        assert len(list(chunks)) == 5
        left = create(messages=[TOLD[0]], stream=True)
        next(left)
        left.close()
    assert [content for _, content in contents(client)] == [
        "Which tea do I drink?",
        "Assaminthemorning",
        TOLD[0]["content"],
        "Assam",
    ]


def test_a_model_that_fails_leaves_no_turn(client: MemoryClient) -> None:
    def fail(**_: Any) -> Any:
        raise RuntimeError("overloaded")

    with client.session() as session:
        with pytest.raises(RuntimeError, match="overloaded"):
            with_memory(fail, session)(messages=ASKED)
        with pytest.raises(InvalidArgument, match="give `read`"):
            with_memory(lambda messages: 7, session)(messages=ASKED)
        with_memory(lambda messages: 7, session, read=str)(messages=ASKED)
    assert contents(client) == [("user", "Which tea do I drink?"), ("assistant", "7")]


def test_own_turns_and_filters(client: MemoryClient) -> None:
    client.remember("Ada drinks Assam tea.", tags=["drinks"])
    with client.session("s") as session:
        session.turn("user", "I drink Assam tea.")
        session.turn("user", "  ")
        assert session.waiting == 1
        session.flush()
        assert [hit.memory.content for hit in session.recall("Assam").hits] == ["Ada drinks Assam tea."]
        assert session.recall("Assam", filter=where.tags.contains("x")).hits == ()
        assert len(session.recall("Assam", filter=(where.kind == "semantic") | where.tags.exists()).hits) == 1
        assert session.recall("Assam", filter=where.session_id.exists()).hits == ()
        assert session.flush().items == ()
    with client.session("s", own_turns=True) as session:
        assert len(session.recall("Assam").hits) == 2


def test_what_could_not_be_written_waits(client: MemoryClient) -> None:
    broken = httpx.MockTransport(lambda request: (_ for _ in ()).throw(httpx.ConnectError("down")))
    lost = MemoryClient(namespace="user/ada", http_transport=broken, retry=RetryPolicy(attempts=1))
    session = lost.session("s", namespace="user/ada")
    session.turn("user", "one")
    session.turn("assistant", "two")
    with pytest.raises(ConnectionFailed):
        session.flush()
    assert session.waiting == 2
    with pytest.raises(ConnectionFailed), session:
        pass
    with pytest.raises(KeyError) as caught, session:
        raise KeyError("mine")
    assert "2 turns were not written" in caught.value.__notes__[0]

    session._client = client  # the service is back
    session.flush()
    assert contents(client) == [("user", "one"), ("assistant", "two")]


def test_a_turn_sent_twice_is_one(client: MemoryClient) -> None:
    session = client.session("s")
    session.turn("user", "one")
    again = list(session._waiting.turns)
    session.flush()
    session._waiting.turns = again  # as after an answer that was lost
    session.flush()
    assert contents(client) == [("user", "one")]


def test_a_refused_turn_is_said_once(client: MemoryClient) -> None:
    session = client.session("s")
    session.turn("user", "x" * 300_000)
    session.turn("user", "fine")
    with pytest.raises(InvalidRequest):
        session.flush()
    session.flush()
    assert contents(client) == [("user", "fine")]


def test_asyncio(client: MemoryClient, url: str) -> None:
    client.remember_conversation(TOLD, session_id="earlier")
    model = Model()
    key = client._transport._client.headers["authorization"].removeprefix("Bearer ")

    async def run() -> None:
        async with AsyncMemoryClient(url, key, namespace="user/ada") as memory:
            async with memory.session("now") as session:
                create = with_memory(model.acreate, session)
                await create(messages=ASKED)
                assert "I drink Assam tea" in model.given[1]["content"]
                assert len([chunk async for chunk in await create(messages=[TOLD[0]], stream=True)]) == 2
                assert session.waiting == 0
                session.turn("user", "bye")
                assert (await session.recall("Assam")).hits
            assert session.waiting == 0

    asyncio.run(run())
    assert [content for _, content in contents(client, filter=where.session_id == "now")] == [
        "Which tea do I drink?",
        "Assam.",
        TOLD[0]["content"],
        "Assam.",
        "bye",
    ]
