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

import numpy as np
import regex
import xxhash
from numpy.typing import NDArray

from retrieval.analysis.folding import bounded_marks
from retrieval.analysis.stop_words import ENGLISH

MENTIONS_VERSION = 2

_MOST_MENTIONS = 256
_NAME = r"\p{Lu}[\p{L}\p{M}\p{N}]*(?:(?:['’\-&](?=[\p{L}\p{N}])|\.(?=\p{Lu}))[\p{L}\p{M}\p{N}]+)*"
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
_MOST_QUOTED_WORDS = 6
_CALENDAR_AND_GREETINGS = """
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december yesterday today tomorrow i ok okay yes yeah hey hi hello thanks wow
"""
_NO_NAME = ENGLISH.union(_CALENDAR_AND_GREETINGS.split())


def mentions(text: str) -> tuple[str, ...]:
    """Distinct mentions in the order of their first place, at most 256."""
    found: dict[str, tuple[int, str]] = {}
    for place, name in _candidates(text):
        key = folded(name)
        if key and key not in _NO_NAME and (key not in found or place < found[key][0]):
            found[key] = (place, name)
    return tuple(name for _, name in sorted(found.values())[:_MOST_MENTIONS])


def opening_speaker(text: str) -> str | None:
    """Who says a text that opens with a name and a colon ("Ada: I moved to Lisbon"); None if it does not."""
    opening = _RUN.match(text)
    if opening is None or text[opening.end() : opening.end() + 1] != ":":
        return None
    name = _bare(opening.group())
    return name if folded(name) not in _NO_NAME else None


def folded(name: str) -> str:
    """The form under which a mention is known: NFKC, case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", bounded_marks(name)).casefold().split())


def mention_id(name: str) -> int:
    """64-bit id of a mention, the same in every process and release."""
    return xxhash.xxh3_64_intdigest(folded(name).encode("utf-8", "surrogatepass"))


def mention_ids(names: tuple[str, ...]) -> NDArray[np.uint64]:
    """Ids of mentions, ascending."""
    return np.sort(np.fromiter(map(mention_id, names), dtype=np.uint64, count=len(names)))


def _candidates(text: str) -> Iterator[tuple[int, str]]:
    yield from _capitalised(text)
    for pattern in (_HANDLE, _IDENTIFIER):
        yield from ((match.start(), match.group()) for match in pattern.finditer(text))
    for match in _QUOTED.finditer(text):
        if len(match.group(1).split()) <= _MOST_QUOTED_WORDS:
            yield match.start(1), match.group(1)


def _capitalised(text: str) -> Iterator[tuple[int, str]]:
    doubtful: list[tuple[int, str]] = []
    sure: set[str] = set()
    for match in _RUN.finditer(text):
        place, words = match.start(), match.group().split()
        starts_sentence = _starts_sentence(text, place)
        opening = _opening_words(words)
        words = words[opening:]
        if not words:
            continue
        starts_sentence = (
            starts_sentence and not opening
        )  # what follows an opening word is capitalised for its own sake
        name = _bare(" ".join(words))
        speaks = text[match.end() : match.end() + 1] == ":"
        if starts_sentence and len(words) == 1 and not speaks:
            doubtful.append((place, name))
            continue
        sure.add(folded(name))
        yield place, name
    yield from ((place, name) for place, name in doubtful if folded(name) in sure)


def _opening_words(words: list[str]) -> int:
    """How many words at the start of a run belong to no name: "When Ada" has one, "The" one, "In May" two."""
    for number, word in enumerate(words):
        if not word.islower() and folded(_bare(word)) not in _NO_NAME:
            return number
    return len(words)


def _starts_sentence(text: str, place: int) -> bool:
    return _SENTENCE_END.search(text, max(0, place - 8), place) is not None if place else True


def _bare(name: str) -> str:
    bare: str = _POSSESSIVE.sub("", name)
    return bare.rstrip(".'’-&")
