"""Many memories out of a real corpus: every further copy has other names, other numbers and some other words.

So a namespace of any size has texts of natural length, words and names, no two of them the same.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from benchmarks.quality.sets import Json
from benchmarks.quality.words import made_up

SHARE = 0.1
"""Of the words of a copy that are drawn anew from the corpus."""
_WORD = re.compile(r"\w+|\W+")
_SPEAKER = re.compile(r"(?m)^(\w+):")


def tiled(rows: Sequence[Json], n: int, seed: int) -> list[Json]:
    """`n` memories as `/v1/memories:batch` takes them: the rows themselves first, then copies that differ.

    A copy happens a year after the one before, in a conversation of its own (`session_id`).
    """
    rng = random.Random(seed)
    words = [word for row in rows for word in _WORD.findall(row["content"]) if word.isalpha() and word.islower()]
    made: list[Json] = []
    seen: set[str] = set()
    for tile in range(-(-n // len(rows))):
        for memory in _tile(rows, tile, words, rng):
            while memory["content"] in seen:
                memory["content"] += f" {made_up(rng)}."
            seen.add(memory["content"])
            made.append(memory)
    return made[:n]


def _tile(rows: Sequence[Json], tile: int, words: Sequence[str], rng: random.Random) -> Iterator[Json]:
    names: dict[str, str] = {}
    for row in rows:
        for speaker in _SPEAKER.findall(row["content"]):
            names.setdefault(speaker, speaker if tile == 0 else made_up(rng))
    for row in rows:
        memory = {name: value for name, value in row.items() if name != "metadata"}
        memory["external_id"] = f"{row['external_id']}/{tile}"
        session = (row.get("metadata") or {}).get("session")
        if session is not None:
            memory["session_id"] = f"{row['external_id'].split('/')[0]} {tile} {session}"
        if "occurred_at" in row:
            moved = datetime.fromisoformat(row["occurred_at"]) + timedelta(days=365 * tile)
            memory["occurred_at"] = moved.isoformat()
        if tile:
            memory["content"] = _varied(row["content"], names, words, rng)
        yield memory


def _varied(text: str, names: dict[str, str], words: Sequence[str], rng: random.Random) -> str:
    def other(part: str) -> str:
        if part in names:
            return names[part]
        if part.isdigit():
            return str(rng.randrange(10 ** len(part)))
        return rng.choice(words) if part.isalpha() and part.islower() and rng.random() < SHARE else part

    return "".join(other(part) for part in _WORD.findall(text))
