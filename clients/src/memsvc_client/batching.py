"""Any number of memories through calls of bounded size.

`ingest` does no I/O: it yields calls and is sent their results, so that both clients drive the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from memsvc_client.errors import BatchInterrupted, InvalidArgument, MemsvcError, PayloadTooLarge, UnexpectedAnswer
from memsvc_client.inputs import NewMemory, Turn
from memsvc_client.types import BatchItem, BatchResult
from memsvc_client.wire import Call, encode

MAX_ITEMS = 1000
MAX_BYTES = 15 * 1024 * 1024  # below the service's 16 MiB a body, with room for the envelope

Ingest: TypeAlias = Generator[Call[BatchResult], BatchResult, BatchResult]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is.

    Attributes:
        done: Items that the service has answered for.
        failed: Those of them that it refused.
        sent_bytes: JSON sent for them.
        total: Items in all, if that is known.
    """

    done: int
    failed: int
    sent_bytes: int
    total: int | None


OnProgress: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Size of one call: at most `items` memories and `max_bytes` of JSON; a single larger memory goes alone."""

    items: int = 200
    max_bytes: int = 4 * 1024 * 1024

    def __post_init__(self) -> None:
        if not 1 <= self.items <= MAX_ITEMS or not 1 <= self.max_bytes <= MAX_BYTES:
            raise InvalidArgument(f"a batch has 1 to {MAX_ITEMS} items and 1 to {MAX_BYTES} bytes")


def encode_memory(memory: NewMemory | Mapping[str, Any] | str) -> bytes:
    """One memory of a batch as JSON; a text stands for a memory with only that content."""
    return encode({"content": memory} if isinstance(memory, str) else memory)


def encode_turn(turn: Turn | Mapping[str, Any]) -> bytes:
    """One turn as JSON; a chat message's `role` becomes the `speaker`."""
    fields = dict(turn)
    role = fields.pop("role", None)
    return encode(fields if role is None else {"speaker": role} | fields)


def split(encoded: Iterable[bytes], limits: BatchLimits) -> Iterator[list[bytes]]:
    """Cuts encoded items into batches within the limits, in order; a full batch goes before the next item is read."""
    batch: list[bytes] = []
    size = 0
    for item in encoded:
        if batch and size + len(item) > limits.max_bytes:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item) + 1  # the comma
        if len(batch) >= limits.items:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Tally:
    """Results so far."""

    def __init__(self, total: int | None, on_progress: OnProgress | None) -> None:
        self._total, self._on_progress = total, on_progress
        self._items: list[BatchItem] = []
        self._failed = self._bytes = 0
        self._seq: int | None = None

    def add(self, result: BatchResult, batch: Sequence[bytes]) -> None:
        if len(result.items) != len(batch):
            raise UnexpectedAnswer(f"{len(result.items)} results for {len(batch)} items")
        self._items.extend(result.items)
        self._failed += len(result.failed)
        self._bytes += sum(map(len, batch))
        if result.seq is not None:
            self._seq = result.seq if self._seq is None else max(self._seq, result.seq)
        if self._on_progress:
            self._on_progress(Progress(len(self._items), self._failed, self._bytes, self._total))

    def result(self) -> BatchResult:
        return BatchResult(items=tuple(self._items), seq=self._seq)


def ingest(
    encoded: Iterable[bytes],
    make_call: Callable[[Sequence[bytes]], Call[BatchResult]],
    limits: BatchLimits,
    *,
    total: int | None = None,
    on_progress: OnProgress | None = None,
) -> Ingest:
    """Yields the calls of an import one by one; returns the result of every item.

    A batch that is too large for the service is halved until it fits; a single memory that is too large is reported
    among the results like any other refusal.

    Args:
        encoded: Items as JSON.
        make_call: Makes the call for one batch.
        limits: Size of one batch.
        total: Number of items, if known, for the progress.
        on_progress: Called after every batch.

    Raises:
        BatchInterrupted: A call failed after others had worked.
        MemsvcError: The first call failed.
    """
    tally = _Tally(total, on_progress)
    try:
        for batch in split(encoded, limits):
            yield from _send(batch, make_call, tally)
    except MemsvcError as error:
        done = tally.result()
        if not done.items:
            raise
        raise BatchInterrupted(f"stopped after {len(done.items)} items: {error}", done) from error
    return tally.result()


def _send(
    batch: Sequence[bytes], make_call: Callable[[Sequence[bytes]], Call[BatchResult]], tally: _Tally
) -> Generator[Call[BatchResult], BatchResult, None]:
    waiting = [batch]
    while waiting:
        part = waiting.pop()
        try:
            result = yield make_call(part)
        except PayloadTooLarge as error:
            if len(part) > 1:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]  # the first half is taken first
                continue
            result = BatchResult(items=(BatchItem(status=error.status, problem=error.problem),))
        tally.add(result, part)
