"""What worked, gists and their sources, aliases, and names that two memories share: structure beside the words."""

from __future__ import annotations

import random

from benchmarks.quality.ability import Ability, Ask, Json, Measure
from benchmarks.quality.words import CITIES, HOBBIES, NICKNAMES, SURNAMES, THINGS, WOMEN, made_up, seeded

_PROBLEMS = (
    "the printer jams", "the backup fails at night", "the tests time out", "the dough does not rise",
    "the bike chain slips", "the router loses its signal", "the tap drips", "the build runs out of memory",
    "the drill overheats", "the app crashes", "the lawn turns yellow", "the invoice export is empty",
    "the fridge hums loudly", "the map shows the wrong street",
)  # fmt: skip
_ACTIONS = (
    "replaced the small rubber ring", "switched it off for ten minutes", "wrote to the supplier",
    "raised the limit to eight", "cleaned the contacts with vinegar", "turned the valve by a quarter",
    "reinstalled version four", "moved it to the cellar", "asked the neighbour for help", "tightened both screws",
    "waited for two days", "added a spoonful of sugar", "changed the order of the steps", "drew a new diagram",
    "used the longer cable", "cut the request in two",
)  # fmt: skip


def procedural(n: int, seed: int) -> Ability:
    """Two things were tried in each of `n` situations; one worked. The outcome stands in its field alone."""
    rng = seeded("procedural", seed)
    memories: list[Json] = []
    asks: list[Ask] = []
    for number in range(n):
        problem = f"{_PROBLEMS[number % len(_PROBLEMS)]} in {CITIES[number // len(_PROBLEMS) % len(CITIES)]}"
        names = [f"procedural-{number}/{attempt}" for attempt in range(2)]
        worked = rng.randrange(2)
        for attempt, (name, action) in enumerate(zip(names, rng.sample(_ACTIONS, 2), strict=True)):
            memories.append(
                {
                    "content": f"When {problem}: {action}.",
                    "external_id": name,
                    "kind": "procedural",
                    "outcome": "success" if attempt == worked else "failure",
                }
            )
        right, wrong = frozenset({names[worked]}), frozenset({names[1 - worked]})
        asks.append(Ask(f"How do I fix it when {problem}?", "what worked", right, wrong))
    rng.shuffle(memories)
    return Ability("procedural outcome", tuple(memories), tuple(asks), 0.5, ("procedural",))


def gists(n: int, seed: int) -> Ability:
    """`n` gists with three sources each, which share no word with the question: only the links lead to them.

    Other memories are written in the very words of the sources, without a link.
    """
    rng = seeded("gists", seed)
    memories: list[Json] = []
    asks: list[Ask] = []
    for number in range(n):
        who, hobby = f"{WOMEN[number % len(WOMEN)]} {SURNAMES[number % len(SURNAMES)]}", HOBBIES[number % len(HOBBIES)]
        names = [f"gist-{number}/{source}" for source in range(3)]
        for name in names:
            memories.append({"content": _note(rng), "external_id": name, "kind": "episodic"})
        for other in range(3):
            memories.append({"content": _note(rng), "external_id": f"gist-{number}/other {other}", "kind": "episodic"})
        memories.append(
            {
                "content": f"{who} gave up {hobby} for good.",
                "external_id": f"gist-{number}",
                "kind": "semantic",
                "links": [{"relation": "derived_from", "to": name} for name in names],
            }
        )
        text = f"How do we know that {who} gave up {hobby}?"
        asks.append(Ask(text, "sources", frozenset(names), measure=Measure.FOUND))
    return Ability(
        "gist to sources", tuple(memories), tuple(asks), min(1.0, 10 / len(memories)), ("consolidation", "spreading")
    )


def _note(rng: random.Random) -> str:
    day = rng.choice(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"))
    return (
        f"{day}, {rng.randrange(1, 13)} o'clock, {made_up(rng)} quay: {rng.choice(THINGS)} left out in the rain again."
    )


def aliases(n: int, seed: int) -> Ability:
    """`n` people with a nickname that has nothing of the name; what is asked stands under the nickname."""
    rng = seeded("aliases", seed)
    memories: list[Json] = []
    asks: list[Ask] = []
    women, nicknames = rng.sample(WOMEN, len(WOMEN)), rng.sample(NICKNAMES, len(NICKNAMES))
    bought = {}
    for number in range(min(n, len(NICKNAMES))):
        name, nickname = f"{women[number]} {SURNAMES[number]}", nicknames[number]
        memories.append(
            {
                "content": f"{name}, also known as {nickname}, lives in {rng.choice(CITIES)}.",
                "external_id": f"alias-{number}",
                "kind": "semantic",
            }
        )
        bought[number] = f"alias-{number}/bought"
        content = f"{nickname} bought a {rng.choice(THINGS)} at the auction."
        memories.append({"content": content, "external_id": bought[number], "kind": "episodic"})
        asks.append(Ask(f"What did {name} buy at the auction?", "alias", frozenset({bought[number]}), frozenset()))
    rng.shuffle(memories)
    everyone = frozenset(bought.values())
    told_apart = tuple(Ask(a.text, a.type, a.gold, everyone - a.gold) for a in asks)
    return Ability("entity with alias", tuple(memories), told_apart, 1 / len(asks), ("entity",))


def associations(n: int, seed: int) -> Ability:
    """Two memories that share a name only they have: the question names one end, the answer stands at the other."""
    rng = seeded("associations", seed)
    memories: list[Json] = []
    asks: list[Ask] = []
    names = []
    for number in range(n):
        owner = f"{WOMEN[number % len(WOMEN)]} {SURNAMES[(number * 7) % len(SURNAMES)]}"
        boat = f"{made_up(rng)} {made_up(rng)}"
        names.append(f"association-{number}/harbour")
        memories.append(
            {"content": f"{owner} owns the boat {boat}.", "external_id": f"association-{number}", "kind": "semantic"}
        )
        content = f"{boat} lies in the harbour of {rng.choice(CITIES)}."
        memories.append({"content": content, "external_id": names[-1], "kind": "semantic"})
        asks.append(Ask(f"In which harbour does the boat of {owner} lie?", "two steps", frozenset({names[-1]})))
    rng.shuffle(memories)
    told_apart = tuple(Ask(a.text, a.type, a.gold, frozenset(names) - a.gold) for a in asks)
    return Ability("association", tuple(memories), told_apart, 1 / n, ("spreading", "entity", "associative"))
