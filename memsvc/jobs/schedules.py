"""When work is due: a cron line in UTC, or a fixed time between runs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

_FIELDS = 5
_EVERY = re.compile(r"every ([1-9][0-9]{0,8})s")
LEAST_S = 60
"""Seconds between two runs, at least."""


def check(schedule: str) -> None:
    """Refuses a schedule that means nothing.

    Raises:
        ValueError: why.
    """
    every = _EVERY.fullmatch(schedule)
    if every is not None:
        if int(every[1]) < LEAST_S:
            raise ValueError(f"give at least {LEAST_S} seconds")
        return
    refusal = ValueError("give `every <seconds>s`, or five fields of cron that come true some day")
    if len(schedule.split()) != _FIELDS:  # a sixth would be seconds
        raise refusal
    try:
        next(CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        raise refusal from None


def next_after(schedule: str, now: datetime) -> datetime:
    """The first moment after `now` at which a checked schedule is due."""
    every = _EVERY.fullmatch(schedule)
    if every is not None:
        return now + timedelta(seconds=int(every[1]))
    found: datetime = next(CronSim(schedule, now))
    return found
