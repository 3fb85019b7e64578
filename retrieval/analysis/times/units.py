"""Calendar units by where they lie from now: "last month", "this year", "the month"."""

from __future__ import annotations

from retrieval.analysis.times import periods as cal
from retrieval.analysis.times.text import Found, Text
from retrieval.analysis.times.words import CALENDAR_UNITS, LAST, NEXT, THIS, UNITS


def relative_unit(text: Text, index: int) -> Found | None:
    """`last month`, `this year`, `next week`."""
    word, unit = text.low(index), UNITS.get(text.bare(index + 1), "")
    if unit not in CALENDAR_UNITS or text.now is None or text.bare(index + 1).endswith("s"):
        return None
    if word in LAST or word in NEXT or word in THIS:
        return cal.unit_at(text.now, unit, -1 if word in LAST else 1 if word in NEXT else 0), index + 2
    return None


def this_unit(text: Text, index: int) -> Found | None:
    """`the month`, `the year`: the one that is now."""
    unit = text.low(index)
    if unit not in CALENDAR_UNITS or text.now is None or text.low(index - 1) != "the":
        return None
    return cal.unit_at(text.now, unit), index + 1
