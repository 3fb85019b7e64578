"""A made stream of conversations with known details, by a seed alone; used by `benchmarks.lifecycle_consolidation`.

Each day has two sessions, a morning and an evening, of 12 turns half a minute apart between Ada and Ben. Four turns of
a session tell a detail each: of a thing that is spoken of nowhere else (an adjective and a noun), where it is kept,
what it cost, who lent it, where it comes from, or who repaired it. Every third session one turn repeats one of five
facts about a speaker. The rest is small talk from a list. A question asks for one detail in other words than told.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

BEGIN = datetime(2026, 1, 5, 8, tzinfo=UTC)

_ADJECTIVES = """red blue green striped antique broken tiny heavy silver wooden plastic folding copper yellow painted
    borrowed rusty woollen leather ceramic""".split()  # noqa: SIM905
_NOUNS = """lamp kettle bicycle violin ladder tent drill mirror suitcase globe clock chair anchor camera telescope
    saddle teapot drum basket compass rug lantern sledge easel harmonica binoculars toolbox hammock typewriter
    microscope vase accordion canoe paddle barometer bookcase stove wheelbarrow jacket""".split()  # noqa: SIM905
_NAMES = ["Torvald", "Ingrid", "Marta", "Olav", "Sunniva", "Henrik", "Astrid", "Knut", "Liv", "Yusuf", "Priya", "Wanda"]
_PLACES = ["Narvik", "Lisbon", "Krakow", "Galway", "Turin", "Ghent", "Izmir", "Malmo", "Split", "Bodo", "Tartu", "Faro"]
_SPOTS = ["attic", "cellar", "garage", "hallway", "boathouse", "pantry", "shed", "office", "greenhouse", "loft"]
_DETAILS = [
    ("We keep the {thing} in the {spot} these days.", "In which room is the {thing} stored?"),
    ("I paid {number} crowns for the {thing}.", "What did the {thing} cost?"),
    ("{name} lent us the {thing} until the summer.", "Who is the owner of the {thing} that was borrowed?"),
    ("The {thing} was made in {place}.", "From which town does the {thing} come?"),
    ("{name} repaired the {thing} for me last weekend.", "Who fixed the {thing}?"),
]  # fmt: skip
_FACTS = [
    ("Ada", "I live in Bergen."),
    ("Ada", "I work at Fjord Labs."),
    ("Ben", "I live in Trondheim."),
    ("Ben", "My favourite tea is rooibos with honey."),
    ("Ada", "I always swim before breakfast."),
]
_TALK = """\
Did you sleep well?
Quite well, thanks, and you?
The rain will not stop today.
Let me get some more coffee.
That sounds good to me.
I have to leave in a bit.
Oh, I did not know that.
We should call each other more often.
The neighbours are loud again.
I am reading a good book at the moment.
Shall we eat soon?
Sure, why not.
It was a long day at work.
I will think about it.
Could you say that again?
You are right, as always.
The bus was late again.
Maybe we can talk about it tomorrow.
I am a little tired.
Good idea, let us do that.""".splitlines()


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn. `question` asks for its detail, if it has one."""

    session: str
    moment: datetime
    speaker: str
    text: str
    question: str | None


def turns(days: int, seed: int) -> Iterator[Turn]:
    """The stream, in order."""
    rng = random.Random(seed)
    things = [f"{adjective} {noun}" for adjective in _ADJECTIVES for noun in _NOUNS]
    rng.shuffle(things)
    for number in range(2 * days):
        start = BEGIN + timedelta(days=number // 2, hours=11 * (number % 2))
        places = sorted(rng.sample(range(12), 5))
        repeats = places.pop(rng.randrange(5))
        for place in range(12):
            speaker, text, question = ("Ada", "Ben")[place % 2], rng.choice(_TALK), None
            if place in places:
                told, asked = rng.choice(_DETAILS)
                slots = {
                    "thing": things.pop(), "spot": rng.choice(_SPOTS), "number": rng.randrange(100, 10_000),
                    "name": rng.choice(_NAMES), "place": rng.choice(_PLACES),
                }  # fmt: skip
                text, question = told.format(**slots), asked.format(**slots)
            elif place == repeats and number % 3 == 0:
                speaker, text = rng.choice(_FACTS)
            yield Turn(f"s{number}", start + timedelta(seconds=30 * place), speaker, text, question)
