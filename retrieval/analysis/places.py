"""Places that a memory carries or a text speaks of, as hashes: no gazetteer, no model.

Rules, in the manner of the trigger-word grammars of early named-entity recognisers (Grishman and Sundheim, MUC-6,
1996): a capitalised run after a word of place ("in Paris", "near the Golden Gate Bridge"), after "to" or "from" only
where something moves ("moved to Berlin", not "talked to Anna"), and everyday places by their noun ("at the gym").
A question may be written in lower case, so that there every few words after a word of place are tried: an id that no
memory carries finds nothing. Precision is modest by design, since a place only ever adds a way of finding a memory.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

import numpy as np
import regex
import xxhash
from numpy.typing import NDArray

from retrieval.analysis.folding import folded_text
from retrieval.analysis.place_words import COMMON_PLACES, NO_PLACES
from retrieval.analysis.stop_words import ENGLISH

PLACES_VERSION = 1

_DOMAIN = b"place\x00"
"""Keeps the id of a place apart from that of an entity or a term of the same name."""

_MOST_PLACES = 64
_MOST_ASKED_WORDS = 3
_PART = regex.compile(r"[,;|，、；]+")
_EDGE = regex.compile(r"\A[\p{P}\p{S}\s]+|[\p{P}\p{S}\s]+\Z")
_LATIN_MARK = regex.compile(r"(?<=\p{Script=Latin}\p{Mn}*)\p{Mn}")
_ARTICLE = regex.compile(r"\A(?:the|a|an)\s+(?=\S)")

_NAME = r"\p{Lu}[\p{L}\p{M}\p{N}]*+(?:['’\-&.](?=[\p{L}\p{N}])[\p{L}\p{M}\p{N}]++)*+"
_LINK = r"(?:of|the|de|da|do|dos|di|del|della|la|le|les|des|du|los|las|el|al|van|von|der|den|am|an|on|upon|and|&|y)"
_RUN = rf"(?:(?:St|Mt|Ft|Dr)\.[ \t]+)?{_NAME}(?:[ \t]+(?:{_LINK}[ \t]+){{0,2}}{_NAME}){{0,5}}"
_AREA = rf"(?:,[ \t]+{_NAME}(?:[ \t]+{_NAME}){{0,2}}(?=[ \t]*(?:[.,;:!?)\]\"”\n]|\Z))){{0,3}}"
_WHERE = (
    r"(?:in|at|near|around|inside|outside|within|across|throughout|towards?|via|nearby|beside|behind|above|below|opposite"
    r"|visit(?:s|ed|ing)?|explor(?:e|es|ed|ing)|leav(?:e|es|ing)|left|reach(?:es|ed|ing)?|tour(?:s|ed|ing)?)"
)
_MOVES = (
    r"(?:go|goes|going|gone|went|been|com(?:e|es|ing)|came|mov(?:e|es|ed|ing)|travel(?:s|led|ed|ling|ing)?"
    r"|fl(?:y|ies|ew|own|ying)|driv(?:e|es|ing|en)|drove|rid(?:e|es|ing)|rode|walk(?:s|ed|ing)?|run(?:s|ning)?|ran"
    r"|head(?:s|ed|ing)?|return(?:s|ed|ing)?|relocat(?:e|es|ed|ing)|emigrat(?:e|es|ed|ing)|immigrat(?:e|es|ed|ing)"
    r"|commut(?:e|es|ed|ing)|sail(?:s|ed|ing)?|hik(?:e|es|ed|ing)|cycl(?:e|es|ed|ing)|bik(?:e|es|ed|ing)|took|take|taking"
    r"|trips?|flights?|train|trains|bus|visits?|journeys?|tours?|cruises?|drives?|roadtrips?|vacations?|holidays?|way|back"
    r"|over|up|down|welcome|close|next|is|am|are|was|were|arriv(?:e|es|ed|ing)|escap(?:e|es|ed|ing)|transferred)"
)
_PLACED = regex.compile(
    rf"(?:(?<![\p{{L}}\p{{N}}_])(?:(?i:{_WHERE})|(?i:{_MOVES})[ \t]+(?i:to|from|into|through))"
    r"|['’](?:m|s|re)[ \t]+from)"
    rf"[ \t]+(?:(?i:the|a|an|my|our|downtown|central|nearby)[ \t]+){{0,2}}(?P<run>{_RUN})(?P<area>{_AREA})"
)
_FROM_TO = regex.compile(rf"(?<![\p{{L}}\p{{N}}_])(?i:from)[ \t]+(?P<start>{_RUN})[ \t]+to[ \t]+(?P<end>{_RUN})")
_COMMON = regex.compile(
    r"(?<![\p{L}\p{N}_])(?i:in|at|near|around|inside|outside|to|from|visit(?:s|ed|ing)?|leaving|left)[ \t]+"
    r"(?:(?i:the|a|an|my|our|his|her|their|your|this|that|local|new|old)[ \t]+){0,2}"
    rf"(?P<noun>{'|'.join(sorted(COMMON_PLACES, key=len, reverse=True))})(?![\p{{L}}\p{{N}}_])"
)
_ASKED = regex.compile(
    r"(?<![\p{L}\p{N}_])(?:in|at|near|around|inside|outside|within|to|from|visit(?:s|ed|ing)?)[ \t]+"
    rf"(?P<words>[\p{{L}}\p{{N}}'’.\-]++(?:[ \t]+[\p{{L}}\p{{N}}'’.\-]++){{0,{_MOST_ASKED_WORDS}}})",
    regex.IGNORECASE,
)
_WORD_END = regex.compile(r"(?:['’][sS])?[.\-'’]*\Z")


def place_id(name: str) -> int:
    """64-bit id of a place, the same in every process and release: letter case, accents of Latin letters, punctuation
    at the ends and a leading article make no difference.
    """  # noqa: D205 - one thought
    return xxhash.xxh3_64_intdigest(_DOMAIN + _folded(name).encode("utf-8"))


def place_ids(place: str | None, text: str) -> NDArray[np.uint64]:
    """Ids of the places of a memory: its place and the parts of it between commas, and what its text names.

    Returns:
        uint64 `[p]`, distinct, ascending; at most 64.
    """
    return _ids([*_field(place or ""), *places(text)])


def asked_place_ids(text: str) -> NDArray[np.uint64]:
    """Ids of the places that a question may mean, uint64 `[p]`, distinct, ascending; at most 64.

    Beyond what `place_ids` finds in a text these are the one to three words after each word of place.
    """
    return _ids([*places(text), *_asked(text)])


def places(text: str) -> list[str]:
    """Names of the places that a text speaks of, in the order of the rules that found them; may repeat."""
    found: list[str] = []
    for match in _PLACED.finditer(text):
        name = _run(match["run"])
        if name:
            found.append(name)
            found.extend(part.strip() for part in match["area"].split(",") if part.strip())
    for match in _FROM_TO.finditer(text):
        found.extend(filter(None, (_run(match["start"]), _run(match["end"]))))
    found.extend(match["noun"] for match in _COMMON.finditer(text))
    return found


def _folded(name: str) -> str:
    folded = folded_text(name)
    if not folded.isascii():
        folded = unicodedata.normalize("NFC", _LATIN_MARK.sub("", unicodedata.normalize("NFD", folded)))
    bare = _EDGE.sub("", folded)
    return _ARTICLE.sub("", bare) or bare or folded


def _field(place: str) -> Iterator[str]:
    if place.strip():
        yield place
        parts = [part for part in _PART.split(place) if part.strip()]
        if len(parts) > 1:
            yield from parts


def _run(run: str) -> str | None:
    """The place in a capitalised run, or None if it is a month, a weekday, a language, a pronoun and the like."""
    words = run.split()
    while words and _word(words[-1]) in NO_PLACES:
        words.pop()
    if not words or _word(words[0]) in NO_PLACES:
        return None
    return " ".join([*words[:-1], _WORD_END.sub("", words[-1])])


def _asked(text: str) -> Iterator[str]:
    for match in _ASKED.finditer(text):
        words: list[str] = []
        for word in match["words"].split():
            if _word(word) in ENGLISH:
                if words:
                    break
                continue  # "in the park"
            words.append(_WORD_END.sub("", word))
            if words[0].casefold() in NO_PLACES:
                break
            if len(words) <= _MOST_ASKED_WORDS:
                yield " ".join(words)


def _word(word: str) -> str:
    return _WORD_END.sub("", word).casefold()


def _ids(names: Iterable[str]) -> NDArray[np.uint64]:
    ids = list(dict.fromkeys(place_id(name) for name in names))[:_MOST_PLACES]
    return np.sort(np.array(ids, dtype=np.uint64))
