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

    def hang(start: int, end: int) -> None:
        released.wait(PATIENCE_S)

    hogs = [threading.Thread(target=side_by_side, args=(hang, [0, 1, 2])) for _ in range(64)]
    for hog in hogs:
        hog.start()
    ran: list[int] = []
    side_by_side(lambda start, end: ran.append(start), [0, 1, 2, 3])
    released.set()
    for hog in hogs:
        hog.join(PATIENCE_S)
    assert sorted(ran) == [0, 1, 2]


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


def test_little_work_is_not_cut() -> None:
    assert parts_for(9.0, 10.0) == 1
    assert parts_for(0.0, 10.0) == 1
    assert parts_for(1e9, 10.0) >= 1
