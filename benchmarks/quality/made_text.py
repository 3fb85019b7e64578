"""Exact text against a naive scan."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Mapping

from benchmarks.quality.ability import Ability, Ask, Measure
from benchmarks.quality.words import DEEDS, WOMEN, codes, made_up, seeded


def folded(text: str) -> str:
    """What two equal texts share for exact search: NFKC, case folded, runs of white space as one space."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def naive_scan(texts: Mapping[str, str], wanted: str) -> frozenset[str]:
    """Names of the texts that hold a string, by looking at every one of them."""
    needle = folded(wanted)
    return frozenset(name for name, text in texts.items() if needle in folded(text))


_QUOTABLE = (
    "Straße", "naïve", "Ångström", "façade", "東京", "Ελλάδα", "jalapeño", "crème brûlée", "ﬁnal draft", "smörgåsbord",
)  # fmt: skip


def exact(n: int, seed: int) -> Ability:
    """Phrases, identifiers, paths and error codes among `n` log lines; the right ones are those of a naive scan."""
    rng = seeded("exact", seed)
    fresh = codes(rng)
    texts: dict[str, str] = {}
    for number in range(n):
        code, word = next(fresh), rng.choice(_QUOTABLE)
        path = f"/srv/{made_up(rng).lower()}/{made_up(rng).lower()}.cfg"
        error = f"E{rng.randrange(10_000, 99_999)}"
        deed = rng.choice(DEEDS)
        texts[f"exact-{number}"] = (
            f"Ticket {code}: {rng.choice(WOMEN)} said she {deed}. The {word} job read {path} and stopped with {error}."
        )
    asks = []
    for name, text in texts.items():
        kind = ("phrase", "identifier", "path", "error code")[int(name.split("-")[1]) % 4]
        wanted = _wanted(kind, text, rng)
        gold = naive_scan(texts, wanted)
        if not 1 <= len(gold) <= 10:
            continue
        asked = f'Where does it say "{wanted}"?' if kind == "phrase" else f"Find {wanted}"
        asks.append(Ask(asked, kind, gold, measure=Measure.FIRST))
    memories = tuple({"content": text, "external_id": name, "kind": "semantic"} for name, text in texts.items())
    return Ability("exact text", memories, tuple(asks), 0.0, ("exact",))


def _wanted(kind: str, text: str, rng: random.Random) -> str:
    """A string of one kind out of a text that `exact` made."""
    if kind == "phrase":
        words = text.split()
        length = rng.randrange(4, 8)
        start = rng.randrange(len(words) - length + 1)
        return " ".join(words[start : start + length]).upper()
    pattern = {"identifier": r"Ticket (\S+):", "path": r"(/srv/\S+)", "error code": r"(E\d{5})"}[kind]
    return str(re.findall(pattern, text)[0])
