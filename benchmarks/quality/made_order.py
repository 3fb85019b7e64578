"""Order recall: what came before and after, what was first and last, with clocks and by the order of telling alone.

In the manner of Pink et al. 2024 (Sequence Order Recall Tasks, arXiv:2410.08133); the texts are our own.
"""

from __future__ import annotations

import random
from datetime import timedelta
from enum import StrEnum

from benchmarks.quality.ability import FIRST_DAY, Ability, Ask, Json
from benchmarks.quality.words import DEEDS, HOBBIES, SURNAMES, WOMEN, seeded


class Clocks(StrEnum):
    """What the memories say about when they happened."""

    TRUE = "clocks"
    EQUAL = "equal clocks"
    MISSING = "no clocks"
    SHUFFLED = "shuffled"
    """Control: neither clocks nor the order of writing tell the order that is asked for; the score must be chance."""


def order(n: int, seed: int, clocks: Clocks = Clocks.TRUE) -> Ability:
    """What came before and after, what was first and last, in `n` conversations of seven turns.

    In each, one woman does five things once and one thing twice, with other people. Look-alikes: for "after" what came
    before, for "first" the other time. Conversations are apart by `session_id`; without true clocks, their order is the
    order of writing.
    """
    rng = seeded(f"order {clocks}", seed)
    memories: list[Json] = []
    asks: list[Ask] = []
    for number in range(n):
        who = f"{WOMEN[number % len(WOMEN)]} {SURNAMES[number // len(WOMEN) % len(SURNAMES)]}"
        told, asked = _conversation(rng, number, who)
        asks += asked
        when = FIRST_DAY + timedelta(days=rng.randrange(30))
        stamps = [when + timedelta(days=3 * turn) for turn in range(len(told))]
        if clocks is Clocks.SHUFFLED:
            rng.shuffle(told)
            rng.shuffle(stamps)
        for memory, stamp in zip(told, stamps, strict=True):
            if clocks is Clocks.EQUAL:
                stamp = when
            memories.append(memory if clocks is Clocks.MISSING else {**memory, "occurred_at": stamp.isoformat()})
    return Ability(f"order, {clocks}", tuple(memories), tuple(asks), 0.5, ("temporal",))


def _conversation(rng: random.Random, number: int, who: str) -> tuple[list[Json], list[Ask]]:
    """Turns in the order in which they happened, and questions about the order."""
    deeds, hobby = rng.sample(DEEDS, 5), HOBBIES[number % len(HOBBIES)]
    friends = rng.sample(WOMEN, 2)
    contents = [f"{who} {deed}." for deed in deeds]
    first, last = sorted(rng.sample(range(7), 2))
    for place, friend in zip((first, last), friends, strict=True):
        contents.insert(place, f"{who} went {hobby} with {friend}.")
    names = [f"order-{number}/{turn}" for turn in range(7)]
    told = [
        {"content": content, "external_id": name, "kind": "episodic", "session_id": f"talk {number}"}
        for content, name in zip(contents, names, strict=True)
    ]
    one, other = frozenset({names[first]}), frozenset({names[last]})
    asks = [
        Ask(f"When was the first time {who} went {hobby}?", "first", one, other),
        Ask(f"When was the last time {who} went {hobby}?", "last", other, one),
    ]
    for turn in range(1, 6):
        if turn in (first, last):
            continue
        before, after = frozenset({names[turn - 1]}), frozenset({names[turn + 1]})
        deed = contents[turn].removeprefix(f"{who} ").removesuffix(".")
        asks.append(Ask(f"What did {who} do right after she {deed}?", "after", after, before))
        asks.append(Ask(f"What did {who} do right before she {deed}?", "before", before, after))
    return told, asks
