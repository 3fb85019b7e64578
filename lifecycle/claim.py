"""One claim of a text; see `lifecycle.claims`."""

from __future__ import annotations

from dataclasses import dataclass

OTHER = "other"
"""What an attribute is called that no table has."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim. What is compared is folded.

    Attributes:
        subject: who or what it is about.
        attribute: what of it; `OTHER` and the noun where no table has it.
        value: what it is; empty where the text only says what it is no more.
        is_single: whether the subject has one such value at a time.
        marks_change: whether the text says that it was another before.
        instead_of: what the text says it is no more; None if it does not say.
        start, end: the words of the text that make the claim.
    """

    subject: str
    attribute: str
    value: str
    is_single: bool
    marks_change: bool
    instead_of: str | None
    start: int
    end: int

    @property
    def label(self) -> str:
        """The attribute for a report, without words of the text."""
        return OTHER if self.attribute.startswith(OTHER) else self.attribute.split("/")[-1].split("#")[0]
