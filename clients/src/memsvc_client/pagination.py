"""Lists that fetch their own pages while they are iterated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from memsvc_client.protocol import PageCall
from memsvc_client.types import Page
from memsvc_client.wire import Call

T = TypeVar("T")


class _Walk(Generic[T]):
    """Where a walk through the pages stands; shared by both kinds of pager."""

    def __init__(self, calls: PageCall, limit: int | None, cursor: str | None) -> None:
        self._calls = calls
        self._left = limit
        self._cursor = cursor
        self._more = limit is None or limit > 0

    def next_call(self) -> Call[Page[T]] | None:
        return self._calls.at(self._cursor) if self._more else None

    def take(self, page: Page[T]) -> Page[T]:
        # A cursor that does not move would never end.
        self._more = page.next_cursor is not None and page.next_cursor != self._cursor
        self._cursor = page.next_cursor
        if self._left is not None:
            page = page.model_copy(update={"items": page.items[: self._left]})
            self._left -= len(page.items)
            self._more = self._more and self._left > 0
        return page


class Pager(Generic[T]):
    """A list on the service. Iterate it for items, or `pages()` for pages; each iteration starts anew."""

    def __init__(
        self,
        send: Callable[[Call[Page[T]]], Page[T]],
        calls: PageCall,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> None:
        self._send, self._calls, self._limit, self._cursor = send, calls, limit, cursor

    def pages(self) -> Iterator[Page[T]]:
        """Page by page; `next_cursor` of a page goes on from there in another process."""
        walk: _Walk[T] = _Walk(self._calls, self._limit, self._cursor)
        while call := walk.next_call():
            yield walk.take(self._send(call))

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items


class AsyncPager(Generic[T]):
    """A list on the service. Iterate it (`async for`) for items, or `pages()` for pages."""

    def __init__(
        self,
        send: Callable[[Call[Page[T]]], Awaitable[Page[T]]],
        calls: PageCall,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> None:
        self._send, self._calls, self._limit, self._cursor = send, calls, limit, cursor

    async def pages(self) -> AsyncIterator[Page[T]]:
        """Page by page; `next_cursor` of a page goes on from there in another process."""
        walk: _Walk[T] = _Walk(self._calls, self._limit, self._cursor)
        while call := walk.next_call():
            yield walk.take(await self._send(call))

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item
