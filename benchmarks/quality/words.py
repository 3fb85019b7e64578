"""Words that made-up memories are made of; no list has a word of another one."""

from __future__ import annotations

import random
from collections.abc import Iterator

WOMEN = (
    "Agnes", "Beatrice", "Clara", "Delia", "Esther", "Fiona", "Gloria", "Helena", "Irene", "Judith", "Katrin",
    "Leonie", "Marta", "Nora", "Olivia", "Paula", "Renata", "Sonia", "Teresa", "Ursula", "Viola", "Wanda", "Xenia",
    "Yvonne",
)  # fmt: skip
SURNAMES = (
    "Aldred", "Bostock", "Calder", "Denham", "Elwood", "Fairfax", "Garrick", "Holloway", "Ingram", "Jessop", "Kendrick",
    "Lockhart", "Maddox", "Norwood", "Oakley", "Prescott", "Quigley", "Radcliffe", "Stanhope", "Thackeray",
)  # fmt: skip
NICKNAMES = (
    "Bobbie", "Dusty", "Foxy", "Gigi", "Jinx", "Kiki", "Lulu", "Minty", "Pip", "Rusty", "Skip", "Tiggy", "Ziggy",
    "Coco", "Dot", "Birdie", "Bunny", "Peaches", "Sparky", "Trixie",
)  # fmt: skip
CITIES = (
    "Lisbon", "Oslo", "Kyoto", "Denver", "Nairobi", "Zagreb", "Montreal", "Hobart", "Seville", "Tallinn", "Bergen",
    "Quito", "Cork", "Aarhus", "Turin", "Porto",
)  # fmt: skip
DEEDS = (
    "repaired the old kayak", "painted the garden fence", "baked a walnut cake", "sold the piano",
    "planted two pear trees", "borrowed a telescope", "cleaned the chimney", "ordered new curtains",
    "wrote to the mayor", "learned to juggle", "bought a second-hand tractor", "visited the lighthouse",
    "joined a choir", "built a bookcase", "lost the car keys", "found a stray kitten", "cancelled the newspaper",
    "framed the photographs", "fixed the doorbell", "hosted a dinner", "returned the library books",
    "adopted a greyhound", "tuned the violin", "rented a caravan", "won the raffle", "photographed the eclipse",
    "moved the sofa", "knitted a scarf", "started a compost heap", "opened a bakery",
)  # fmt: skip
HOBBIES = (
    "sailing", "climbing", "fencing", "skating", "bowling", "surfing", "dancing", "archery", "fishing", "cycling",
    "painting", "gliding", "diving", "rowing", "curling", "juggling",
)  # fmt: skip
THINGS = (
    "cello", "windmill", "canoe", "typewriter", "harp", "sailboat", "telescope", "motorbike", "tractor", "accordion",
    "greenhouse", "caravan", "printing press", "loom", "trampoline", "grandfather clock",
)  # fmt: skip
_SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu", "ly")


def made_up(rng: random.Random) -> str:
    """A word that no text has, such as `Kalevo`."""
    return "".join(rng.choice(_SYLLABLES) for _ in range(3)).capitalize()


def codes(rng: random.Random) -> Iterator[str]:
    """Endless different made-up codes, such as `Kalevo-417`."""
    seen: set[str] = set()
    while True:
        code = f"{made_up(rng)}-{rng.randrange(100, 1000)}"
        if code not in seen:
            seen.add(code)
            yield code


def seeded(name: str, seed: int) -> random.Random:
    """Random numbers of one generator: another name gives others."""
    return random.Random(f"{name}/{seed}")
