"""Memory for any chat client that is called as OpenAI's is, without a proxy in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, overload

from memsvc_client.errors import InvalidArgument, MemsvcError
from memsvc_client.session import AsyncSession, Message, Session, new_turns, text_of


def answer_text(answer: Any) -> str:
    """The text of a chat completion, an object or a dictionary; "" for one that only calls tools.

    Raises:
        InvalidArgument: It has another form.
    """
    if isinstance(answer, str):
        return answer
    message = _first_choice(answer, "message")
    if message is None:
        raise InvalidArgument("not a chat completion: give `read`, which takes the text out of an answer")
    return text_of({"content": _part(message, "content")})


@overload
def with_memory(
    create: Callable[..., Any], session: Session, *, read: Callable[[Any], str] = answer_text
) -> Callable[..., Any]: ...
@overload
def with_memory(
    create: Callable[..., Awaitable[Any]], session: AsyncSession, *, read: Callable[[Any], str] = answer_text
) -> Callable[..., Awaitable[Any]]: ...
def with_memory(
    create: Callable[..., Any], session: Session | AsyncSession, *, read: Callable[[Any], str] = answer_text
) -> Callable[..., Any]:
    """A function that is called and answers as `create` does, and has a memory.

    Each call's `messages` get what is remembered about the user's last one; what the user said since the last answer is
    written afterwards, with the answer; with `stream=True` when the stream has been read. If writing fails, the answer
    comes all the same: the turns wait in the session for its next `flush`, or its end.

    Args:
        create: Such as `OpenAI().chat.completions.create`: takes `messages` by name. With an `AsyncSession`, awaited.
        session: The conversation.
        read: Takes the text out of an answer that is not a chat completion; not used with `stream=True`.
    """
    if isinstance(session, AsyncSession):
        return _awaited(create, session, read)

    def remembering(*, messages: Sequence[Message], **options: Any) -> Any:
        given = session.add_context(messages)
        answer = create(messages=given, **options)
        if options.get("stream"):
            return _streamed(answer, session, messages)
        _take(session, messages, read(answer))
        with suppress(MemsvcError):
            session.flush()
        return answer

    return remembering


def _awaited(
    create: Callable[..., Awaitable[Any]], session: AsyncSession, read: Callable[[Any], str]
) -> Callable[..., Awaitable[Any]]:
    async def remembering(*, messages: Sequence[Message], **options: Any) -> Any:
        given = await session.add_context(messages)
        answer = await create(messages=given, **options)
        if options.get("stream"):
            return _streamed_later(answer, session, messages)
        _take(session, messages, read(answer))
        with suppress(MemsvcError):
            await session.flush()
        return answer

    return remembering


def _take(session: Session | AsyncSession, messages: Sequence[Message], answer: str) -> None:
    for said in new_turns(messages):
        session.turn("user", said)
    session.turn("assistant", answer)


def _streamed(chunks: Iterable[Any], session: Session, messages: Sequence[Message]) -> Iterator[Any]:
    parts: list[str] = []
    try:
        for chunk in chunks:
            parts.append(_delta(chunk))
            yield chunk
    finally:  # a stream that is left early was an answer as far as it went
        _take(session, messages, "".join(parts))
        with suppress(MemsvcError):
            session.flush()


async def _streamed_later(
    chunks: AsyncIterator[Any], session: AsyncSession, messages: Sequence[Message]
) -> AsyncIterator[Any]:
    parts: list[str] = []
    try:
        async for chunk in chunks:
            parts.append(_delta(chunk))
            yield chunk
    finally:
        _take(session, messages, "".join(parts))
        with suppress(MemsvcError):
            await session.flush()


def _delta(chunk: Any) -> str:
    delta = _first_choice(chunk, "delta")
    return "" if delta is None else str(_part(delta, "content") or "")


def _first_choice(answer: Any, name: str) -> Any:
    choices = _part(answer, "choices")
    return _part(choices[0], name) if choices else None


def _part(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
