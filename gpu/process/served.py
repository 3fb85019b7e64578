"""What the process of the device did: plain numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Served:
    """What a server did so far.

    Attributes:
        searches: that were answered.
        launches: that they took; the ratio says how large batches are.
        refused: searches without an answer, for want of a namespace or a vector.
    """

    searches: int = 0
    launches: int = 0
    refused: int = 0
