"""A channel that hangs holds its own threads and nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait

import pytest

from retrieval.channels.lanes import ChannelHangsError, Lanes

PATIENCE_S = 5.0


@pytest.fixture
def released() -> threading.Event:
    return threading.Event()


@pytest.fixture
def lanes(released: threading.Event) -> Iterator[Lanes]:
    made = Lanes(2)
    yield made
    released.set()
    made.close()


def hang(lanes: Lanes, released: threading.Event, name: str = "stuck") -> None:
    """Let both threads of a channel be held by runs that nobody waits for."""
    begun = [threading.Event(), threading.Event()]

    def run(event: threading.Event) -> None:
        event.set()
        released.wait(PATIENCE_S)

    futures = [lanes.submit(name, lambda event=event: run(event)) for event in begun]
    assert all(event.wait(PATIENCE_S) for event in begun)
    assert all(lanes.abandon(name, future) for future in futures)


def test_another_channel_runs_while_one_hangs(lanes: Lanes, released: threading.Event) -> None:
    hang(lanes, released)
    assert lanes.submit("healthy", lambda: 7).result(PATIENCE_S) == 7


def test_a_channel_that_hangs_is_refused_at_once_and_starts_no_thread(lanes: Lanes, released: threading.Event) -> None:
    hang(lanes, released)
    threads = threading.active_count()
    refused = [lanes.submit("stuck", lambda: 7) for _ in range(1_000)]
    assert all(isinstance(future.exception(0), ChannelHangsError) for future in refused)
    assert threading.active_count() == threads


def test_a_channel_is_in_again_when_a_run_comes_back(lanes: Lanes, released: threading.Event) -> None:
    hang(lanes, released)
    released.set()
    ends_s = time.monotonic() + PATIENCE_S
    while (future := lanes.submit("stuck", lambda: 7)).exception(PATIENCE_S) and time.monotonic() < ends_s:
        time.sleep(0.01)
    assert future.result(PATIENCE_S) == 7


def test_a_run_in_line_is_taken_out_and_not_counted(lanes: Lanes, released: threading.Event) -> None:
    busy = [lanes.submit("busy", lambda: released.wait(PATIENCE_S)) for _ in range(2)]
    waiting = lanes.submit("busy", lambda: 7)
    assert not lanes.abandon("busy", waiting)
    assert waiting.cancelled()
    late = lanes.submit("busy", lambda: 8)
    released.set()
    wait(busy, PATIENCE_S)
    assert late.result(PATIENCE_S) == 8


def test_a_run_that_has_ended_is_not_counted(lanes: Lanes) -> None:
    for _ in range(5):
        done = lanes.submit("quick", lambda: 7)
        done.result(PATIENCE_S)
        assert not lanes.abandon("quick", done)
    assert lanes.submit("quick", lambda: 8).result(PATIENCE_S) == 8


def test_a_lane_needs_a_thread() -> None:
    with pytest.raises(ValueError, match="thread"):
        Lanes(0)
