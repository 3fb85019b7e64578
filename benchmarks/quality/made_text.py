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


_KINDS = ("phrase", "identifier", "path", "error code", "substring", "one typo")


def exact(n: int, seed: int) -> Ability:
    """Strings to be found exactly as they are among `n` log lines; the right ones are those of a naive scan.

    Every line has a twin with the same words in another order, which no phrase of the first one occurs in. One kind is
    an identifier with a wrong letter: there the right ones are those that hold the identifier as it was.
    """
    rng = seeded("exact", seed)
    fresh = codes(rng)
    texts: dict[str, str] = {}
    for number in range(n):
        code, word = next(fresh), rng.choice(_QUOTABLE)
        path = f"/srv/{made_up(rng).lower()}/{made_up(rng).lower()}.cfg"
        error = f"E{rng.randrange(10_000, 99_999)}"
        deed = rng.choice(DEEDS)
        who = rng.choice(WOMEN)
        texts[f"exact-{number}"] = (
            f"Ticket {code}: {who} said she {deed}. The {word} job read {path} and stopped with {error}."
        )
        if number % len(_KINDS) == 0:
            words = texts[f"exact-{number}"].split()
            rng.shuffle(words)
            texts[f"exact-{number}/twin"] = " ".join(words)
    asks = []
    for number in range(n):
        kind, text = _KINDS[number % len(_KINDS)], texts[f"exact-{number}"]
        wanted = _wanted(kind, text, rng)
        gold = naive_scan(texts, wanted)
        if kind == "one typo":
            wanted = _mistyped(wanted, rng)
        if not 1 <= len(gold) <= 10:
            continue
        quoted = kind in ("phrase", "substring")
        asks.append(
            Ask(f'Where does it say "{wanted}"?' if quoted else f"Find {wanted}", kind, gold, measure=Measure.FIRST)
        )
    memories = tuple({"content": text, "external_id": name, "kind": "semantic"} for name, text in texts.items())
    return Ability("exact text", memories, tuple(asks), 0.0, ("exact",))


def _wanted(kind: str, text: str, rng: random.Random) -> str:
    """A string of one kind out of a text that `exact` made."""
    if kind == "phrase":
        words = text.split()
        length = rng.randrange(4, 8)
        start = rng.randrange(len(words) - length + 1)
        return " ".join(words[start : start + length]).upper()
    if kind == "substring":  # out of the middle of a path: no word of it is whole
        path = str(re.findall(r"/srv/(\S+)", text)[0])
        return path[2:-5]
    pattern = {"path": r"(/srv/\S+)", "error code": r"(E\d{5})"}.get(kind, r"Ticket (\S+):")
    return str(re.findall(pattern, text)[0])


def _mistyped(code: str, rng: random.Random) -> str:
    """A code with one letter replaced."""
    place = rng.randrange(1, 6)
    other = rng.choice([letter for letter in "xqwj" if letter != code[place]])
    return code[:place] + other + code[place + 1 :]
