"""How memories are shown to a cross-encoder: their text, after the day on which it happened ("8 May 2023: ...").

The text is the folded one that the bank holds, behind its speaker (`retrieval.analysis`), so that a rerank reads no
database. The cross-encoders in use are uncased, so that folding changes next to nothing
(`docs/decisions/0006-rerank.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import UNKNOWN_US

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = (  # strftime would ask the locale
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class ShownText:
    """A memory's text and the day that is put before each part of it that is shown ("" where it is not known)."""

    text: str
    day: str = ""

    def part(self, text: str) -> str:
        """A part of the text as the cross-encoder reads it."""
        return f"{self.day}: {text}" if self.day else text


def shown_texts(view: BankView, slots: NDArray[np.int64]) -> list[ShownText]:
    """What the bank knows of memories, in the order asked, slots int64 `[m]`.

    Raises:
        IndexError: a slot is out of range.
    """
    texts = folded_texts(view, slots)
    days = view.column("occurred_us", slots).tolist()
    return [ShownText(text, day_in_words(day)) for text, day in zip(texts, days, strict=True)]


def folded_texts(view: BankView, slots: NDArray[np.int64]) -> list[str]:
    """Folded texts of memories, in the order asked; "" where there is none."""
    columns, offsets = view.ranges("texts", slots)
    (content,) = columns.values()
    whole = np.ascontiguousarray(content, dtype=np.uint8).tobytes()
    ends = offsets.tolist()
    return [whole[a:b].decode("utf-8", "replace") for a, b in pairwise(ends)]


def day_in_words(moment_us: int) -> str:
    """The day of a moment (microseconds since the epoch, UTC): "8 May 2023"; "" if unknown or beyond the calendar."""
    if moment_us == UNKNOWN_US:
        return ""
    try:
        day = _EPOCH + timedelta(microseconds=moment_us)
    except OverflowError:
        return ""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
