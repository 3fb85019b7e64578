"""How far memories have faded, from their rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gpu.bank.records import Kind, State
from lifecycle.fading import Faded, next_fall
from lifecycle.policy import Level, Policy
from memsvc.core.clock import from_us, to_us


def level_of(row: Mapping[str, Any]) -> Level | None:
    """Where a memory stands; None for one that does not fade: it waits for a review, or something newer is true."""
    match State(row["state"]):
        case State.ACTIVE:
            return Level(row["level"])
        case State.ARCHIVED:
            return Level.ARCHIVED
        case State.FORGOTTEN:
            return Level.FORGOTTEN
        case _:
            return None


def faded(row: Mapping[str, Any]) -> Faded | None:
    """What is known of a memory's fading, from its row; None for one that does not fade."""
    level = level_of(row)
    if level is None:
        return None
    return Faded(
        kind=Kind(row["kind"]),
        level=level,
        since_s=since_s(row["recorded_at"], row["last_recalled_at"]),
        stability_s=row["stability_s"],
        importance=row["importance"],
        surprise=row["surprise"],
        is_held=is_held(row),
    )


def is_held(row: Mapping[str, Any]) -> bool:
    """Whether a memory stays where it is: pinned, under a legal hold, or out for its namespace's quota."""
    return bool(row["pinned"] or row["legal_hold"] or (row["evicted"] and row["state"] == State.ARCHIVED))


def shown_fading(row: Mapping[str, Any], policy: Policy, now: datetime) -> dict[str, Any]:
    """The fields of an answer that say how far a memory has faded, and when it falls to the next level.

    Args:
        row: of the memory, or of a version with the memory's own columns.
        policy: of its namespace.
        now: the service's clock.
    """
    known = faded(row)
    recalls = {"recall_count": row["recall_count"], "last_recalled_at": row["last_recalled_at"]}
    if known is None:
        return {**recalls, "level": None, "retention": None, "fades_at": None}
    fall = next_fall(known, policy, seconds(now))
    return {
        **recalls,
        "level": known.level.name.lower(),
        "retention": round(known.retention(policy, seconds(now)), 6),
        "fades_at": None if fall is None else _moment(fall[1]),
    }


def _moment(seconds_: float) -> datetime | None:
    """None where it lies beyond the calendar."""
    try:
        return from_us(int(seconds_ * 1e6))
    except OverflowError:
        return None


def since_s(recorded_at: datetime, last_recalled_at: datetime | None) -> float:
    """From when a memory fades: the later of its recording and its last recall, in seconds since the epoch."""
    return seconds(recorded_at if last_recalled_at is None else max(recorded_at, last_recalled_at))


def seconds(moment: datetime) -> float:
    """Seconds since the epoch."""
    return to_us(moment) / 1e6
