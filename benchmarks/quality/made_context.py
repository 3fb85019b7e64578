"""Threads of keys, the same key in several contexts, and events that only what, where and when tell apart.

Threads after Roberts et al. 2024 (Needle Threading, arXiv:2411.05000); what-where-when after Clayton and Dickinson 1998
(doi:10.1038/26216). The texts are our own.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta

from benchmarks.quality.ability import FIRST_DAY, Ability, Ask, Json, Measure
from benchmarks.quality.words import CITIES, HOBBIES, SURNAMES, WOMEN, codes, made_up, seeded


def threads(n: int, seed: int, depths: Sequence[int] = tuple(range(2, 9))) -> Ability:
    """Chains of keys: each note names the next box; `n` chains of each depth, all of them in one namespace, mixed.

    Only the first key stands in the question. Score: share of the chain's notes among the hits.
    """
    rng = seeded("threads", seed)
    fresh = codes(rng)
    memories: list[Json] = []
    asks: list[Ask] = []
    for depth in depths:
        for number in range(n):
            boxes = list(itertools.islice(fresh, depth + 1))
            names = [f"thread-{depth}-{number}/{hop}" for hop in range(depth)]
            memories += [
                {
                    "content": f"The note in box {here} says: go on to box {there}.",
                    "external_id": name,
                    "kind": "semantic",
                }
                for (here, there), name in zip(itertools.pairwise(boxes), names, strict=True)
            ]
            text = f"Start at box {boxes[0]} and follow the notes. Which boxes do they lead to?"
            asks.append(Ask(text, f"{depth} hops", frozenset(names), measure=Measure.FOUND))
    rng.shuffle(memories)
    chance = sum(1 / depth for depth in depths) / len(depths)  # the first note alone
    return Ability("threads", tuple(memories), tuple(asks), chance, ("spreading", "entity", "exact"))


_KEYS = (
    ("door code", "4-digit"), ("guest password", "word"), ("alarm code", "4-digit"), ("badge number", "4-digit"),
    ("locker number", "4-digit"), ("wireless password", "word"), ("copier code", "4-digit"), ("parking pass", "word"),
)  # fmt: skip


def joint(n: int, seed: int) -> Ability:
    """The same key with another value in each of four contexts; the question names key and context, for `n` keys.

    In half of them the context stands in the memory itself. In the others it was said in the turn before, and the
    memory has the key alone: it can only be told apart by the conversation.
    """
    rng = seeded("joint", seed)
    memories: list[Json] = []
    asks: list[Ask] = []
    for number in range(n):
        key, form = _KEYS[number % len(_KEYS)]
        cities, who = rng.sample(CITIES, 4), WOMEN[number // len(_KEYS) % len(WOMEN)]
        apart = number % 2 == 1
        names = {city: f"joint-{number}/{city}" for city in cities}
        for city, name in names.items():
            value = str(rng.randrange(1000, 10_000)) if form == "4-digit" else made_up(rng).lower()
            session = {"session_id": f"talk {number} {city}", "kind": "episodic"}
            if apart:
                setting = f"{who}: I am in the {city} office today, about to start."
                memories.append({"content": setting, "external_id": f"{name}/setting", **session})
                memories.append({"content": f"{who}: The {key} is {value}.", "external_id": name, **session})
            else:
                content = f"{who}: In the {city} office the {key} is {value}."
                memories.append({"content": content, "external_id": name, **session})
        kind = "in the turn before" if apart else "in the memory"
        for city, name in names.items():
            others = frozenset(names.values()) - {name}
            asks.append(Ask(f"What {key} did {who} give for the {city} office?", kind, frozenset({name}), others))
    return Ability("joint recall", tuple(memories), tuple(asks), 0.25, ("semantic", "keyword", "late_interaction"))


def what_where_when(n: int, seed: int) -> Ability:
    """Events that only what, where and when together tell apart: each of `n` women has eight, two of each.

    Where and when stand in the fields `place` and `occurred_at`, or in the text. Look-alikes are her other events.
    """
    rng = seeded("what where when", seed)
    memories: list[Json] = []
    asks: list[Ask] = []
    for number in range(n):
        who = f"{WOMEN[number % len(WOMEN)]} {SURNAMES[number // len(WOMEN) % len(SURNAMES)]}"
        in_fields = number % 2 == 0
        kind = "in fields" if in_fields else "in the text"
        hobbies, cities = rng.sample(HOBBIES, 2), rng.sample(CITIES, 2)
        days = [FIRST_DAY + timedelta(days=day) for day in sorted(rng.sample(range(0, 300, 20), 2))]
        names = {}
        for what, where, when in itertools.product(hobbies, cities, days):
            name = f"www-{number}/{what}/{where}/{when:%Y-%m-%d}"
            names[what, where, when] = name
            said = f"{who} went {what}"
            if in_fields:
                memory = {"content": f"{said}.", "place": where, "occurred_at": when.isoformat()}
            else:
                memory = {"content": f"{said} in {where} on {when.day} {when:%B %Y}."}
            memories.append({**memory, "external_id": name, "kind": "episodic"})
        for (what, where, when), name in names.items():
            others = frozenset(names.values()) - {name}
            text = f"Did {who} go {what} in {where} on {when.day} {when:%B %Y}?"
            asks.append(Ask(text, kind, frozenset({name}), others))
    rng.shuffle(memories)
    return Ability("what where when", tuple(memories), tuple(asks), 0.125, ("place", "temporal"))
