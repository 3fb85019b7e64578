"""What a run of a job does to one memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

BY = "by"
ERASE = "erase"
"""The memory is gone."""
EMBED, FREE = "embed", "free"
"""A memory got vectors of another model, or lost them: nothing of what it is, or of what is found, changed."""
UNREPORTED = frozenset({ERASE, EMBED, FREE})
"""Actions of which no report is kept for each memory, and which no undo takes back."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change to one memory, as a report shows it and an undo takes it back. Holds nothing of its content.

    Attributes:
        memory_id: whose.
        action: what is done, in one word.
        before, after: what changes, by name.
        why: what it follows from: numbers, and under `BY` the id of another memory, if it is because of one.
    """

    memory_id: UUID
    action: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    why: Mapping[str, Any] = field(default_factory=dict)


class Aim(list[Step]):
    """Steps that together reach something, and what is to be said of the whole.

    If some of them are no longer right when they are done, a run plans again for what is left.

    Attributes:
        report: numbers.
    """

    def __init__(self, steps: Iterable[Step], report: Mapping[str, Any]) -> None:
        super().__init__(steps)
        self.report = report
