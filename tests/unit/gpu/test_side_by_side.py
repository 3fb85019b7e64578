"""Parts of one operation in several threads."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from gpu.side_by_side import parts_for, side_by_side

PATIENCE_S = 30.0


@pytest.mark.parametrize("bounds", [[0, 5], [0, 2, 5], [0, 1, 1, 5], [0, 1, 2, 3, 4, 5]])
def test_every_part_runs_once(bounds: list[int]) -> None:
    seen = np.zeros(5, np.int64)

    def run(start: int, end: int) -> None:
        seen[start:end] += 1

    side_by_side(run, bounds)
    assert seen.tolist() == [1] * 5


def test_the_caller_does_what_no_thread_has_begun() -> None:
    released = threading.Event()
    in_time: list[bool] = []

    def hang(start: int, end: int) -> None:
        in_time.append(released.wait(PATIENCE_S))

    hogs = [threading.Thread(target=side_by_side, args=(hang, [0, 1, 2])) for _ in range(64)]
    for hog in hogs:
        hog.start()
    ran: list[int] = []
    side_by_side(lambda start, end: ran.append(start), [0, 1, 2, 3])
    released.set()
    for hog in hogs:
        hog.join(PATIENCE_S)
    assert sorted(ran) == [0, 1, 2]
    assert all(in_time), "it waited for threads that were busy with something else"


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_comes_when_no_part_runs_any_more(failing: int) -> None:
    running = set()

    def run(start: int, end: int) -> None:
        running.add(start)
        time.sleep(0.01)
        running.remove(start)
        if start == failing:
            raise ValueError("this part")

    with pytest.raises(ValueError, match="this part"):
        side_by_side(run, [0, 1, 2, 3])
    assert not running


@pytest.mark.parametrize(
    ("work", "cores", "parts"), [(0.0, 8, 1), (19.0, 8, 1), (25.0, 8, 2), (1e9, 2, 2), (1e9, 8, 4)]
)
def test_work_is_cut_into_as_many_parts_as_pay(
    monkeypatch: pytest.MonkeyPatch, work: float, cores: int, parts: int
) -> None:
    monkeypatch.setattr("gpu.side_by_side.usable_cores", lambda: cores)
    assert parts_for(work, 10.0) == parts
