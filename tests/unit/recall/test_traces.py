"""What is kept of recalls is bounded in time and in number, and seen by its own tenant only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from memsvc.recall.found import Found
from memsvc.recall.several import Located
from memsvc.recall.traces import Traces
from retrieval.types import ChannelScore, Hit

ADA, EVE = UUID(int=1), UUID(int=2)


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


def hits(n: int, path: str = "a") -> list[Located]:
    return [
        Located(path, Found(Hit(i + 1, 1.0, uuid4(), 1, {"keyword": ChannelScore(i, float(i))}), None, {}), 1.0)
        for i in range(n)
    ]


def test_only_the_own_tenant_finds_a_trace() -> None:
    traces = Traces(Clock())
    recall_id = traces.record(ADA, ["a"], hits(2))
    assert traces.find(ADA, recall_id) is not None
    assert traces.find(EVE, recall_id) is None
    assert traces.find(ADA, uuid4()) is None


def test_traces_end_after_an_hour() -> None:
    clock = Clock()
    traces = Traces(clock)
    recall_id = traces.record(ADA, ["a"], hits(1))
    clock.moment += timedelta(minutes=60)
    assert traces.find(ADA, recall_id) is not None
    clock.moment += timedelta(seconds=1)
    assert traces.find(ADA, recall_id) is None


def test_the_oldest_give_way_to_new_ones() -> None:
    few, small = Traces(Clock(), recalls_max=10), Traces(Clock(), hits_max=30)
    ids = [few.record(ADA, ["a"], hits(1)) for _ in range(25)]
    assert [few.find(ADA, i) is not None for i in ids] == [False] * 15 + [True] * 10
    ids = [small.record(ADA, ["a"], hits(8)) for _ in range(5)]
    assert [small.find(ADA, i) is not None for i in ids] == [False, False, True, True, True]


def test_hits_are_compared_with_those_of_their_own_namespace() -> None:
    traces = Traces(Clock())
    found = [*hits(3, "a"), *hits(2, "b")]
    trace = traces.find(ADA, traces.record(ADA, ["a", "b"], found))
    assert trace is not None
    apart = [trace.apart(hit.found.hit.memory_id)["keyword"] for hit in found]
    assert [round(value, 3) for value in apart] == [-1.225, 0.0, 1.225, -1.0, 1.0]


@pytest.mark.parametrize("n", [0, 1, 7])
def test_a_trace_is_found_as_it_was_recorded(n: int) -> None:
    found = [*hits(n, "user/zoë\n"), *hits(n, "b")]
    clock = Clock()
    traces = Traces(clock)
    trace = traces.find(ADA, traces.record(ADA, ["b", "user/zoë\n"], found))

    assert trace is not None
    assert (trace.tenant_id, trace.at, trace.asked) == (ADA, clock.moment, ("b", "user/zoë\n"))
    assert trace.memory_ids == tuple(hit.found.hit.memory_id for hit in found)
    assert trace.paths == tuple(hit.path for hit in found)
    assert trace.channels == (("keyword",) if n else ())
    assert trace.scores.shape == (len(trace.channels), 2 * n)
    assert trace.scores.tolist() == ([[*map(float, range(n)), *map(float, range(n))]] if n else [])
