"""What a client and the process of the device say to each other."""

from __future__ import annotations

from functools import lru_cache

import msgspec
import numpy as np

from gpu.bank.filters import NumberColumn, Range, ScanFilter, TimeColumn
from gpu.bank.records import Kind, State

ID_BYTES = 16

_COLUMNS: dict[str, TimeColumn | NumberColumn] = {column.value: column for column in (*TimeColumn, *NumberColumn)}


class MalformedMessageError(Exception):
    """Bytes that are no message."""


class Scan(msgspec.Struct, array_like=True, frozen=True):
    """A `ScanFilter` in plain values; `allowed` has 16 bytes for each memory."""

    kinds: tuple[int, ...]
    states: tuple[int, ...]
    any_pairs: tuple[tuple[int, ...], ...]
    no_pairs: tuple[int, ...]
    ranges: tuple[tuple[str, float, float], ...]
    now_us: int | None
    as_of_us: int | None
    valid_at_us: int | None
    allowed: bytes | None

    @classmethod
    def of(cls, scan: ScanFilter) -> Scan:
        """A filter as it is sent."""
        return cls(
            tuple(int(kind) for kind in scan.kinds),
            tuple(int(state) for state in scan.states),
            scan.any_pairs,
            scan.no_pairs,
            tuple((one.column.value, one.low, one.high) for one in scan.ranges),
            scan.now_us,
            scan.as_of_us,
            scan.valid_at_us,
            None if scan.allowed is None else scan.allowed.tobytes(),
        )

    def filter(self) -> ScanFilter:
        """The filter that was sent.

        Raises:
            ValueError: a column, a kind or a state is unknown, or the ids are cut off.
        """
        allowed = None if self.allowed is None else np.frombuffer(self.allowed, np.uint8).reshape(-1, ID_BYTES)
        said = _said(self.kinds, self.states, self.ranges)
        return ScanFilter(
            said.kinds,
            said.states,
            self.any_pairs,
            self.no_pairs,
            said.ranges,
            self.now_us,
            self.as_of_us,
            self.valid_at_us,
            allowed,
        )


@lru_cache(maxsize=1_024)
def _said(kinds: tuple[int, ...], states: tuple[int, ...], ranges: tuple[tuple[str, float, float], ...]) -> ScanFilter:
    """The part of a filter that few requests say differently.

    Raises:
        ValueError: a column, a kind or a state is unknown.
    """
    unknown = sorted({column for column, _, _ in ranges} - _COLUMNS.keys())
    if unknown:
        raise ValueError(f"there is no column {unknown[0]}")
    return ScanFilter(
        kinds=frozenset(map(Kind, kinds)),
        states=frozenset(map(State, states)),
        ranges=tuple(Range(_COLUMNS[column], low, high) for column, low, high in ranges),
    )


class Asked(msgspec.Struct, array_like=True, frozen=True):
    """A search.

    Attributes:
        number: comes back with the answer.
        namespace: what the service calls it.
        seq: the changes up to this one must be in what is searched.
        limit: how many memories, at least 1.
        scan: which of them.
        vector: float32, the question as a vector; or empty, and
        text: the question itself, to be embedded by the process.
        trace: the span that it belongs to, see `gpu.tracing.told`.
    """

    number: int
    namespace: bytes
    seq: int
    limit: int
    scan: Scan
    vector: bytes = b""
    text: str = ""
    trace: str = ""


class Told(msgspec.Struct, array_like=True, frozen=True):
    """The answer.

    Attributes:
        number: of the search.
        memory_ids: 16 bytes for each memory, best first.
        versions: int32.
        scores: float32.
        error: why there is no answer, for a log; "" if there is one.
    """

    number: int
    memory_ids: bytes = b""
    versions: bytes = b""
    scores: bytes = b""
    error: str = ""


_encoder = msgspec.msgpack.Encoder()
_asked = msgspec.msgpack.Decoder(Asked)
_told = msgspec.msgpack.Decoder(Told)


def written(message: Asked | Told) -> bytes:
    """A message as bytes."""
    return _encoder.encode(message)


def read_asked(data: bytes) -> Asked:
    """A search out of bytes.

    Raises:
        MalformedMessageError: they are none.
    """
    try:
        asked = _asked.decode(data)
    except msgspec.DecodeError as error:
        raise MalformedMessageError(str(error)) from None
    if asked.limit < 1 or len(asked.vector) % 4 or bool(asked.vector) == bool(asked.text):
        raise MalformedMessageError("a search has a limit of at least 1, and either a vector or a text")
    return asked


def read_told(data: bytes) -> Told:
    """An answer out of bytes.

    Raises:
        MalformedMessageError: they are none.
    """
    try:
        return _told.decode(data)
    except msgspec.DecodeError as error:
        raise MalformedMessageError(str(error)) from None
