"""How much of an answer the words of one untrusted source may be: at most a fifth, and one hit in any case.

Whoever floods a namespace with memories that are close to everything takes whole answers otherwise (MemoryGraft,
arXiv:2512.16962: a handful took about half of later retrievals). What is left out gives its place to others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from lifecycle.trust import Trust
from memsvc.filters.ast import Field
from memsvc.filters.pairs import equality_hash

SHARE = 0.2
"""Of the hits that are asked for."""
ROUNDS = 4
"""Searches that are made at most to fill the places of what is left out; then fewer hits are answered."""

One = TypeVar("One")


def capped(found: Sequence[One], top_k: int, memory_of: Callable[[One], Any]) -> tuple[list[One], Counter[str]]:
    """The best hits, at most `top_k`, and by origin how many of those before the last of them were left out.

    Args:
        found: best first.
        memory_of: the row of a hit's memory, with its trust and origin.
    """
    most = max(1, int(SHARE * top_k))
    taken: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    kept: list[One] = []
    for one in found:
        if len(kept) == top_k:
            break
        memory = memory_of(one)
        if memory.trust >= Trust.AGENT.rank:
            kept.append(one)
            continue
        origin = memory.origin or "unknown"
        if taken[origin] < most:
            taken[origin] += 1
            kept.append(one)
        else:
            left_out[origin] += 1
    return kept, left_out


def pairs_of(origins: Collection[str]) -> tuple[int, ...]:
    """What the rows of memories from these origins carry in the bank."""
    return tuple(equality_hash(Field("origin"), origin) for origin in sorted(origins))
