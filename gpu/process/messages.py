"""What a client and the process of the device say to each other."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import DTypeLike, NDArray

from gpu.bank.filters import NumberColumn, Range, ScanFilter, TimeColumn
from gpu.bank.records import Kind, State
from gpu.ops.channel_pass.questions import Groups, Question, Terms

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


class Wanted(msgspec.Struct, array_like=True, frozen=True):
    """What a `Question` asks for beside its filter, in plain values; None where it asks nothing.

    Attributes:
        terms: ids (uint32), weights (float32), k1, b and the mean length.
        entities, places: the ids of each group (uint64), and the weights (float32).
        spans: starts and ends, int64.
        now_us: for the retention list.
    """

    terms: tuple[bytes, bytes, float, float, float] | None = None
    entities: tuple[tuple[bytes, ...], bytes] | None = None
    places: tuple[tuple[bytes, ...], bytes] | None = None
    spans: bytes | None = None
    now_us: int | None = None

    @classmethod
    def of(cls, question: Question) -> Wanted:
        """What is asked, as it is sent."""
        terms, spans = question.terms, question.spans
        return cls(
            None if terms is None else (_bytes(terms.ids, np.uint32), _bytes(terms.weights, np.float32), terms.k1,
                                        terms.b, terms.mean_length),
            _sent(question.entities),
            _sent(question.places),
            None if spans is None else _bytes(spans, np.int64),
            question.now_us,
        )  # fmt: skip

    def question(self, scan: ScanFilter) -> Question:
        """The question that was sent.

        Raises:
            ValueError: numbers are cut off.
        """
        terms = None
        if self.terms is not None:
            ids, weights, *constants = self.terms
            terms = Terms(np.frombuffer(ids, np.uint32), np.frombuffer(weights, np.float32), *constants)
        spans = None if self.spans is None else np.frombuffer(self.spans, np.int64).reshape(-1, 2)
        return Question(scan, terms, _groups(self.entities), _groups(self.places), spans, self.now_us)


def _bytes(values: NDArray[Any], dtype: DTypeLike) -> bytes:
    return np.ascontiguousarray(values, dtype).tobytes()


def _sent(groups: Groups | None) -> tuple[tuple[bytes, ...], bytes] | None:
    if groups is None:
        return None
    return tuple(_bytes(group, np.uint64) for group in groups.ids), _bytes(groups.weights, np.float32)


def _groups(sent: tuple[tuple[bytes, ...], bytes] | None) -> Groups | None:
    if sent is None:
        return None
    return Groups([np.frombuffer(group, np.uint64) for group in sent[0]], np.frombuffer(sent[1], np.float32))


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
        wanted: lists that are asked for; then neither a vector nor a text is needed.
        trace: the span that it belongs to, see `gpu.tracing.told`.
    """

    number: int
    namespace: bytes
    seq: int
    limit: int
    scan: Scan
    vector: bytes = b""
    text: str = ""
    wanted: Wanted | None = None
    trace: str = ""


class ToldList(msgspec.Struct, array_like=True, frozen=True):
    """One list: which (`Listed`), and its memories as in `Told`."""

    which: int
    memory_ids: bytes
    versions: bytes
    scores: bytes


class Told(msgspec.Struct, array_like=True, frozen=True):
    """The answer.

    Attributes:
        number: of the search.
        memory_ids: 16 bytes for each memory, best first.
        versions: int32.
        scores: float32.
        error: why there is no answer, for a log; "" if there is one.
        lists: that were asked for.
    """

    number: int
    memory_ids: bytes = b""
    versions: bytes = b""
    scores: bytes = b""
    error: str = ""
    lists: tuple[ToldList, ...] = ()


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
    is_one_too_many = bool(asked.vector) and bool(asked.text)
    is_none = not (asked.vector or asked.text or asked.wanted)
    if asked.limit < 1 or len(asked.vector) % 4 or is_one_too_many or is_none:
        raise MalformedMessageError("a search has a limit of at least 1, and wants lists or has a vector or a text")
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
