"""Made-up memories whose right answers are known, one generator for each ability that plain similarity does not have.

Every generator is a pure function of a size and a seed.

    for name, make in MAKERS.items():
        played = play(speaker, make(20, seed), f"made/{name}", profile="thorough")
        print(name, played.score, played.chance, played.by_type())
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.quality.ability import Ability, Ask, Measure, Played, Speaker, play, tell
from benchmarks.quality.made_context import joint, threads, what_where_when
from benchmarks.quality.made_links import aliases, associations, gists, procedural
from benchmarks.quality.made_order import Clocks, order
from benchmarks.quality.made_text import exact, folded, naive_scan

__all__ = (
    "MAKERS",
    "Ability",
    "Ask",
    "Clocks",
    "Measure",
    "Played",
    "Speaker",
    "aliases",
    "associations",
    "exact",
    "folded",
    "gists",
    "joint",
    "naive_scan",
    "order",
    "play",
    "procedural",
    "tell",
    "threads",
    "what_where_when",
)

MAKERS: dict[str, Callable[[int, int], Ability]] = {
    **{f"order, {clocks}": partial(order, clocks=clocks) for clocks in Clocks},
    "threads": lambda n, seed: threads(max(1, n // 7), seed),
    "joint recall": joint,
    "what where when": what_where_when,
    "exact text": lambda n, seed: exact(4 * n, seed),
    "procedural outcome": procedural,
    "gist to sources": gists,
    "entity with alias": aliases,
    "association": associations,
}
"""Every ability by name, made from a size (about so many cases) and a seed."""
