"""Where memories stand as they fade: bounds, hysteresis, holds, and the date of the next fall."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu.bank.records import Kind
from lifecycle.fading import Faded, due_level, next_fall
from lifecycle.policy import DEFAULT, Level, Policy

DAY = 86_400.0
FADES = replace(
    DEFAULT,
    below={Level.WARM: 0.6, Level.COLD: 0.3, Level.ARCHIVED: 0.1, Level.FORGOTTEN: 0.02},
)
EPISODE = Faded(Kind.EPISODIC, Level.ACTIVE, 0.0, 10 * DAY, 0.5)


def at(level: float) -> float:
    """The second at which the episode's retention is a little below a level."""
    return -10 * DAY * math.log(level) + 1


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (0.9, Level.ACTIVE),
        (0.6, Level.WARM),
        (0.3, Level.COLD),
        (0.1, Level.ARCHIVED),
        (0.02, Level.FORGOTTEN),
    ],
)
def test_it_falls_with_its_retention(level: float, expected: Level) -> None:
    assert due_level(EPISODE, FADES, at(level)) is expected


def test_by_default_nothing_leaves_recalls() -> None:
    for kind in Kind:
        assert due_level(replace(EPISODE, kind=kind), DEFAULT, 1e12) <= Level.COLD


def test_what_is_held_true_does_not_fade_away() -> None:
    assert due_level(replace(EPISODE, kind=Kind.SEMANTIC), FADES, 1e12) is Level.WARM


def test_between_the_bound_and_the_bound_of_climbing_it_stays_on_either_side() -> None:
    between = -10 * DAY * math.log(0.63)
    assert due_level(EPISODE, FADES, between) is Level.ACTIVE
    assert due_level(replace(EPISODE, level=Level.WARM), FADES, between) is Level.WARM
    assert due_level(replace(EPISODE, level=Level.WARM), FADES, -10 * DAY * math.log(0.67)) is Level.ACTIVE


def test_it_climbs_as_far_as_its_retention_has() -> None:
    assert due_level(replace(EPISODE, level=Level.ARCHIVED), FADES, -10 * DAY * math.log(0.4)) is Level.WARM


@pytest.mark.parametrize("change", [{"is_held": True}, {"importance": 0.9}, {"level": Level.FORGOTTEN}])
def test_some_do_not_move(change: dict[str, object]) -> None:
    memory = replace(EPISODE, **change)  # type: ignore[arg-type]
    assert due_level(memory, FADES, 1e12) is memory.level
    assert next_fall(memory, FADES, 0.0) is None


@given(
    st.sampled_from(Level),
    st.sampled_from(Kind),
    st.floats(3_600, 1e9),
    st.floats(0, 0.89),
    st.floats(-1e10, 1e10),
)
def test_a_second_look_changes_nothing(
    level: Level, kind: Kind, stability: float, importance: float, now: float
) -> None:
    memory = Faded(kind, level, 0.0, stability, importance)
    once = due_level(memory, FADES, now)
    assert due_level(replace(memory, level=once), FADES, now) is once


@given(st.sampled_from([Level.ACTIVE, Level.WARM, Level.COLD]), st.floats(3_600, 1e8), st.floats(0, 1e8))
def test_it_falls_when_that_is_foretold(level: Level, stability: float, now: float) -> None:
    memory = Faded(Kind.EPISODIC, level, 0.0, stability, 0.5)
    memory = replace(memory, level=due_level(memory, FADES, now))
    fall = next_fall(memory, FADES, now)
    if fall is None:
        assert memory.level is Level.FORGOTTEN
        return
    colder, when = fall
    assert when >= now - 1e-3
    assert due_level(memory, FADES, when - max(1.0, when * 1e-9)) < colder
    assert due_level(memory, FADES, when + max(1.0, when * 1e-9)) >= colder


@pytest.mark.parametrize(
    "wrong",
    [
        {"below": {Level.WARM: 0.3, Level.COLD: 0.6}},
        {"below": {Level.WARM: 0.3, Level.COLD: 0.3}},
        {"below": {Level.WARM: 1.0}},
        {"hysteresis": 0.7},
        {"share_per_run": 0.0},
        {"factors": dict.fromkeys(Kind, 0.0)},
    ],
)
def test_a_policy_without_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"bound|hysteresis|share|factors"):
        Policy(**wrong)  # type: ignore[arg-type]
