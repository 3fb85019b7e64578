"""A recall as it was asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gpu.bank.records import Kind
from lifecycle.trust import LEAST, Trust
from memsvc.filters.ast import Node
from retrieval.types import Profile


@dataclass(frozen=True, slots=True)
class Question:
    """A recall as it was asked, checked and in the service's own terms."""

    path: str
    text: str
    top_k: int
    kinds: frozenset[Kind]
    condition: Node | None
    raw_condition: Any
    as_of: datetime | None
    valid_at: datetime | None
    asked_at: datetime | None
    profile: Profile
    min_seq: int | None
    deadline_s: float | None
    with_vectors: bool = False
    descends: bool = False
    explains: bool = False
    min_trust: Trust = LEAST
    sees_quarantined: bool = False
