"""Sends calls with httpx. The two transports differ only in how they wait."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from typing import Any, BinaryIO, Generic, TypeVar

import httpx
import tenacity

from memsvc_client.connection import CONNECT_TIMEOUT_S, Connection
from memsvc_client.errors import ConnectionFailed, MemsvcError, NotFound, ServiceUnavailable, TimedOut
from memsvc_client.events import Event, Following
from memsvc_client.wire import Call, Reply

T = TypeVar("T")

_PIECE_BYTES = 1 << 16


class Exchange(Generic[T]):
    """All tries of one call: one request, one idempotency key, and what is known of the tries so far."""

    def __init__(self, call: Call[T]) -> None:
        self._call = call
        self._key = (call.idempotency_key or str(uuid.uuid4())) if call.keyed else None
        self._may_have_worked = False

    def request(self, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """The request, the same for every try."""
        call = self._call
        headers = dict(call.headers) | ({"Idempotency-Key": self._key} if self._key else {})
        content: Any = call.body
        if call.file is not None:
            content = _pieces(call.file) if isinstance(client, httpx.AsyncClient) else call.file
            headers |= _length(call.file)
        timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S) if call.patient else client.timeout
        return client.build_request(
            call.method, call.path, params=call.params, content=content, headers=headers, timeout=timeout
        )

    def settle(self, response: httpx.Response) -> T:
        """The result of an answer.

        Raises:
            MemsvcError: The service said no, or the answer cannot be read.
        """
        reply = Reply(response.status_code, response.headers, response.content)
        try:
            return self._call.result(reply)
        except NotFound:
            if self._may_have_worked and self._call.gone_is_done:
                return self._call.read(reply)
            raise
        except ServiceUnavailable:
            self._may_have_worked = True
            raise

    def failed(self, error: httpx.RequestError) -> MemsvcError:
        """The error for a try without an answer."""
        never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
        self._may_have_worked |= not never_sent
        if isinstance(error, httpx.TimeoutException) and not never_sent:
            return TimedOut("the service did not answer in time", idempotency_key=self._key)
        reason = str(error) or type(error).__name__
        return ConnectionFailed(f"cannot reach the service: {reason}", idempotency_key=self._key)


class Transport:
    """Sends calls, blocking.

    Args:
        connection: Where to and how.
        http: A transport of httpx to use in place of the network (tests, proxies).
    """

    def __init__(self, connection: Connection, http: httpx.BaseTransport | None = None) -> None:
        self._connection = connection
        self._client = httpx.Client(**connection.options(), transport=http)

    def send(self, call: Call[T]) -> T:
        """Sends a call, trying again where that helps.

        Raises:
            MemsvcError: See `memsvc_client.errors`.
        """
        exchange = Exchange(call)

        def attempt() -> T:
            try:
                response = self._client.send(exchange.request(self._client))
            except httpx.RequestError as error:
                raise exchange.failed(error) from error
            return exchange.settle(response)

        return tenacity.Retrying(**self._connection.retrying(call))(attempt)

    def follow(self, call: Call[T], after: str | None) -> Iterator[Event[T]]:
        """Events of a stream, for ever: a connection that ends is made anew, after the last event.

        Raises:
            MemsvcError: The service said no, or cannot be reached any more; see `RetryPolicy`.
        """
        following = Following(call, after)

        def attempt() -> httpx.Response:
            try:
                response = self._client.send(following.request(self._client), stream=True)
                if not response.is_success:
                    response.read()
            except httpx.RequestError as error:
                raise Exchange(call).failed(error) from error
            if not response.is_success:
                following.refused(response)
            return response

        while True:
            response = tenacity.Retrying(**self._connection.retrying(call))(attempt)
            try:
                for line in response.iter_lines():
                    if (found := following.line(line)) is not None:
                        yield found
            except httpx.RequestError:
                pass  # the next connection says whether the service is there
            finally:
                response.close()

    def download(self, call: Call[None], file: BinaryIO) -> int:
        """Sends a call once and writes its answer into a file as it comes; returns how many bytes.

        Raises:
            MemsvcError: See `memsvc_client.errors`; what the file holds then is no answer.
        """
        exchange, size = Exchange(call), 0
        try:
            response = self._client.send(exchange.request(self._client), stream=True)
            with closing(response):
                if not response.is_success:
                    response.read()
                    exchange.settle(response)
                for piece in response.iter_bytes():
                    size += file.write(piece)
        except httpx.RequestError as error:
            raise exchange.failed(error) from error
        return size

    def close(self) -> None:
        """Closes all connections."""
        self._client.close()


class AsyncTransport:
    """Sends calls from an event loop.

    Args:
        connection: Where to and how.
        http: A transport of httpx to use in place of the network (tests, proxies).
    """

    def __init__(self, connection: Connection, http: httpx.AsyncBaseTransport | None = None) -> None:
        self._connection = connection
        self._client = httpx.AsyncClient(**connection.options(), transport=http)

    async def send(self, call: Call[T]) -> T:
        """Sends a call, trying again where that helps.

        Raises:
            MemsvcError: See `memsvc_client.errors`.
        """
        exchange = Exchange(call)

        async def attempt() -> T:
            try:
                response = await self._client.send(exchange.request(self._client))
            except httpx.RequestError as error:
                raise exchange.failed(error) from error
            return exchange.settle(response)

        return await tenacity.AsyncRetrying(**self._connection.retrying(call))(attempt)

    async def follow(self, call: Call[T], after: str | None) -> AsyncIterator[Event[T]]:
        """Events of a stream, for ever: a connection that ends is made anew, after the last event.

        Raises:
            MemsvcError: The service said no, or cannot be reached any more; see `RetryPolicy`.
        """
        following = Following(call, after)

        async def attempt() -> httpx.Response:
            try:
                response = await self._client.send(following.request(self._client), stream=True)
                if not response.is_success:
                    await response.aread()
            except httpx.RequestError as error:
                raise Exchange(call).failed(error) from error
            if not response.is_success:
                following.refused(response)
            return response

        while True:
            response: httpx.Response = await tenacity.AsyncRetrying(**self._connection.retrying(call))(attempt)
            try:
                async for line in response.aiter_lines():
                    if (found := following.line(line)) is not None:
                        yield found
            except httpx.RequestError:
                pass  # the next connection says whether the service is there
            finally:
                await response.aclose()

    async def download(self, call: Call[None], file: BinaryIO) -> int:
        """See `Transport.download`."""
        exchange, size = Exchange(call), 0
        try:
            response = await self._client.send(exchange.request(self._client), stream=True)
            async with aclosing(response):
                if not response.is_success:
                    await response.aread()
                    exchange.settle(response)
                async for piece in response.aiter_bytes():
                    size += file.write(piece)
        except httpx.RequestError as error:
            raise exchange.failed(error) from error
        return size

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.aclose()


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    """A file for an async client, which takes no file."""
    while piece := file.read(_PIECE_BYTES):
        yield piece


def _length(file: BinaryIO) -> dict[str, str]:
    """Says how much there is left to read, so that what is too large is refused unread; nothing of a pipe."""
    if not file.seekable():
        return {}
    here = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(here)
    return {"Content-Length": str(end - here)}
