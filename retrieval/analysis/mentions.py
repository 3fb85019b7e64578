"""Names that a text mentions, found by rules: no model, no list of names.

- runs of capitalised words (`Ada Lovelace`, `Bank of England`); a capital that only starts a sentence does not count,
  unless the same word stands capitalised inside a sentence too, or a colon makes it the name of a speaker;
- `@handles`, and identifiers (`snake_case`, `camelCase`, `GPT-4`);
- short quoted names (`"Clair de Lune"`).

Whoever needs more puts a model behind the same function. Precision is modest by design: a mention only ever adds a way
of finding a memory. Mentions keep the form in which they were first written; their id is that of the folded form.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import regex
import xxhash
from numpy.typing import NDArray

from retrieval.analysis.folding import bounded_marks
from retrieval.analysis.stop_words import ENGLISH

MENTIONS_VERSION = 2

MOST_MENTIONS = 256
_AKA = r"(?!A\.?K\.?A\b|K\.A\b)"
"""Written in capitals, "also known as" stands between two names and belongs to neither."""
_NAME = _AKA + r"\p{Lu}[\p{L}\p{M}\p{N}]*(?:(?:['’\-&](?=[\p{L}\p{N}])|\.(?=\p{Lu}))[\p{L}\p{M}\p{N}]+)*"
_LINK = r"(?:of|de|da|di|del|la|le|van|von|der|den|al|bin|ibn|y|du)"
_RUN = regex.compile(rf"(?<![\p{{L}}\p{{N}}_@]){_NAME}(?:[ \t]+(?:{_LINK}[ \t]+){{0,2}}{_NAME}){{0,7}}")
_HANDLE = regex.compile(r"(?<![\p{L}\p{N}_.])@[\p{L}\p{N}_][\p{L}\p{N}_.\-]*[\p{L}\p{N}_]")
_LATIN = r"\p{Script=Latin}"
_IDENTIFIER = regex.compile(
    rf"(?<![{_LATIN}\p{{N}}_])(?:{_LATIN}[{_LATIN}\p{{N}}]*_[{_LATIN}\p{{N}}_]*|[a-z]+[A-Z][A-Za-z0-9]*"
    rf"|{_LATIN}{{1,10}}-?\p{{N}}{{1,8}})(?![{_LATIN}\p{{N}}_])"
)
_QUOTED = regex.compile(r"[\"“«](\p{L}[^\"“”«»\n]{1,58}[\p{L}\p{N}])[\"”»]")
_SENTENCE_END = regex.compile(r"(?:^|[.!?:;\n…][\"”»')\]]*\s*|[-•*]\s+)[\"“«'(\[]*\Z")
_POSSESSIVE = regex.compile(r"['’][sS]?\Z")
_WORD = regex.compile(r"\S+")
_MOST_QUOTED_WORDS = 6
_CALENDAR_AND_GREETINGS = """
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december yesterday today tomorrow i ok okay yes yeah hey hi hello thanks wow
"""
NO_NAME = ENGLISH.union(_CALENDAR_AND_GREETINGS.split())
"""Folded words that are capitalised for other reasons than being a name."""


class Spot(NamedTuple):
    """Where a name may stand in a text: `[start, end)`, without a possessive ending.

    `is_sure` is False where nothing but the start of a sentence accounts for the capital.
    """

    start: int
    end: int
    name: str
    is_sure: bool


def mentions(text: str) -> tuple[str, ...]:
    """Distinct mentions in the order of their first place, at most 256."""
    found: dict[str, tuple[int, str]] = {}
    for place, name in _candidates(text):
        key = folded(name)
        if key and key not in NO_NAME and (key not in found or place < found[key][0]):
            found[key] = (place, name)
    return tuple(name for _, name in sorted(found.values())[:MOST_MENTIONS])


def opening_speaker(text: str) -> str | None:
    """Who says a text that opens with a name and a colon ("Ada: I moved to Lisbon"); None if it does not."""
    opening = _RUN.match(text)
    if opening is None or text[opening.end() : opening.end() + 1] != ":":
        return None
    name = _bare(opening.group())
    return name if folded(name) not in NO_NAME else None


def spoken(text: str, speaker: str | None) -> str:
    """A text behind the name of whoever said it ("Ada: I moved to Lisbon"), unless it opens with that name."""
    who = (speaker or "").strip()
    if not who or not text or text.casefold().startswith(who.casefold()):
        return text
    return f"{who}: {text}"


def folded(name: str) -> str:
    """The form under which a mention is known: NFKC, case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", bounded_marks(name)).casefold().split())


def mention_id(name: str) -> int:
    """64-bit id of a mention, the same in every process and release."""
    return xxhash.xxh3_64_intdigest(folded(name).encode("utf-8", "surrogatepass"))


def mention_ids(names: tuple[str, ...]) -> NDArray[np.uint64]:
    """Ids of mentions, ascending."""
    return np.sort(np.fromiter(map(mention_id, names), dtype=np.uint64, count=len(names)))


def spots(text: str) -> list[Spot]:
    """Where runs of capitalised words and handles stand in a text, in order; words that name nothing are left out."""
    found = [*_runs(text), *(Spot(*match.span(), match.group(), is_sure=True) for match in _HANDLE.finditer(text))]
    return sorted(spot for spot in found if folded(spot.name) not in NO_NAME)


def _candidates(text: str) -> Iterator[tuple[int, str]]:
    yield from _capitalised(text)
    for pattern in (_HANDLE, _IDENTIFIER):
        yield from ((match.start(), match.group()) for match in pattern.finditer(text))
    for match in _QUOTED.finditer(text):
        if len(match.group(1).split()) <= _MOST_QUOTED_WORDS:
            yield match.start(1), match.group(1)


def _capitalised(text: str) -> Iterator[tuple[int, str]]:
    found = list(_runs(text))
    sure = {folded(spot.name) for spot in found if spot.is_sure}
    yield from ((spot.start, spot.name) for spot in found if spot.is_sure or folded(spot.name) in sure)


def _runs(text: str) -> Iterator[Spot]:
    for match in _RUN.finditer(text):
        words = [*_WORD.finditer(match.group())]
        opening = _opening_words([word.group() for word in words])
        if opening == len(words):
            continue
        start = match.start() + words[opening].start()
        name = _bare(" ".join(word.group() for word in words[opening:]))
        # What follows an opening word is capitalised for its own sake.
        may_only_open = not opening and len(words) == 1 and _starts_sentence(text, start)
        speaks = text[match.end() : match.end() + 1] == ":"
        is_sure = not may_only_open or speaks
        yield Spot(start, start + len(_bare(text[start : match.end()])), name, is_sure)


def _opening_words(words: list[str]) -> int:
    """How many words at the start of a run belong to no name: "When Ada" has one, "The" one, "In May" two."""
    for number, word in enumerate(words):
        if not word.islower() and folded(_bare(word)) not in NO_NAME:
            return number
    return len(words)


def _starts_sentence(text: str, place: int) -> bool:
    return _SENTENCE_END.search(text, max(0, place - 8), place) is not None if place else True


def _bare(name: str) -> str:
    bare: str = _POSSESSIVE.sub("", name)
    return bare.rstrip(".'’-&")
