"""Subjects and values of claims: whom words stand for, and what can be a value of what; see `lifecycle.claims`."""

from __future__ import annotations

from dataclasses import dataclass

import regex

from lifecycle.claim_patterns import MONTHS, TIME, WEEKDAY
from lifecycle.claim_words import (
    CLAUSE_WORDS,
    CONTINENTS,
    COUNTRIES,
    DOUBT,
    MANY_NOUNS,
    NO_SUBJECT,
    OPENS_NO_SUBJECT,
    OWN_RELATIVES,
    PERSONAL,
    PLACES,
    Look,
)
from retrieval.analysis.folding import folded_text

_MOST_SUBJECT_WORDS, _MOST_VALUE_WORDS = 14, 12


def is_many(noun: str) -> bool:
    """Whether there can be several of what a noun names."""
    return noun in MANY_NOUNS or is_plural(noun)


def is_plural(noun: str) -> bool:
    """Whether a noun looks like one of several."""
    return noun.endswith("s") and not noun.endswith(("ss", "us"))


_KIN_BEFORE = regex.compile(r"(?:my|our)\s+(?:(?!(?:at|in|of|for|with|from|to|on|by)\s)\p{Ll}+\s+){1,2}(?=\p{Lu})")
_DETERMINER = regex.compile(r"(the|my|our|your|his|her|their|this|that|a|an)\s+", regex.IGNORECASE)
_POSSESSIVE_END = regex.compile(r"['’]s?\Z")


def subject_of(raw: str, who: str | None) -> tuple[str, bool] | None:
    """Whom or what words stand for, and whether they are a common noun that only the situation gives a meaning.

    None if the sentence alone does not say.
    """
    raw = raw.strip(" ,:\t")
    if raw in ("I", "My", "my", "Our", "our", "me"):
        return None if who is None else (folded_text(who), False)
    raw = _POSSESSIVE_END.sub("", raw) if raw.casefold() not in ("i",) else raw
    raw = _KIN_BEFORE.sub("", raw[:1].lower() + raw[1:], count=1) if raw[:3].casefold() in ("my ", "our") else raw
    words = raw.split()
    if not words or len(words) > _MOST_SUBJECT_WORDS:
        return None
    determiner = _DETERMINER.match(raw)
    rest = raw[determiner.end() :] if determiner is not None else raw
    if determiner is not None and any(word[0].isupper() for word in rest.split()[:2]):
        kind = determiner[1].casefold()
        if kind in ("my", "our", "his", "her", "their", "your", "this", "that"):
            return None
        return _name(rest if kind == "the" else raw, opens=False)
    if determiner is None:
        if len(words) == 1 and folded_text(raw) in OWN_RELATIVES:
            return None if who is None else (f"{folded_text(who)}'s {folded_text(raw)}", False)
        return _name(raw, opens=True)
    return _common(determiner[1].casefold(), folded_text(rest), who)


def _name(raw: str, *, opens: bool) -> tuple[str, bool] | None:
    words = raw.split()
    first = folded_text(words[0]).strip(",")
    lower = {word.strip(",") for word in words if word[0].islower()}
    if lower & CLAUSE_WORDS or (opens and (first in NO_SUBJECT or first in OPENS_NO_SUBJECT)):
        return None
    if lower & OPENS_NO_SUBJECT and not any(word[0].isupper() for word in words[1:]):
        return None
    if words[-1] in OPENS_NO_SUBJECT or words[-1] in DOUBT or words[-1] == "can" or _NO_NAME_IN.search(raw):
        return None
    last = folded_text(words[-1])
    if _POSSESSED.search(raw) and last in MANY_NOUNS:
        return None
    return _bare(folded_text(raw)), False


_NO_NAME_IN = regex.compile(r",\s+(?:the\s+)?\p{Ll}|\s(?:the|a|an)\s+\p{Ll}")
_POSSESSED = regex.compile(r"['’]s?\s")


def _common(determiner: str, noun: str, who: str | None) -> tuple[str, bool] | None:
    words = noun.split()
    if not words or len(words) > 4 or set(words) & (CLAUSE_WORDS | NO_SUBJECT) or is_plural(words[-1]):
        return None
    if determiner != "the" and words[-1] in MANY_NOUNS:
        return None
    if determiner == "my":
        return None if who is None else (f"{folded_text(who)}'s {noun}", words[-1] not in OWN_RELATIVES)
    return (noun, True) if determiner in ("the", "our") else None


def _bare(folded: str) -> str:
    """Without an article, and without signs that are written or left out."""
    return folded.removeprefix("the ").replace("’", "'").strip(" .,:'")


@dataclass(frozen=True, slots=True)
class Value:
    """What a claim says that something is, as it is compared."""

    folded: str
    level: str
    length: int
    """Of the words that name it."""


_KIND_OF = regex.compile(
    r"(?:the\s+)?(?P<kind>city|town|village|country|state|continent|province|region|language|position|sport|religion|field"
    r"|company|university|island|kingdom(?!\s+of))\s+of\s+",
    regex.VERSION1,
)
_VALUE_END = regex.compile(
    r"\s+(?:but|so|because|since|when|while|after|before|where|which|who|until|though|if|then|than|now|these|instead|this"
    r"|last|next|again|right|as\s+of|as\s+well|already|today|anymore|permanently|full[ -]time|part[ -]time)\b"
    r"|\s+(?:and|with|for|to|from|at|on|in|as|about|starting|near|by)\s+(?!\p{Lu}|the\s+\p{Lu}|\d)|[;:!?(\[–—]|\s-+\s"
    r"|,\s+(?!\p{Lu}(?!\s))|,\s*\Z",
    regex.VERSION1,
)
_YEAR_AFTER = regex.compile(r"\s+(?:in|since|on|for|by|from|at|around)\s+(?:\p{Lu}\p{L}+\s+)?\d.*\Z")
DATED = regex.compile(r"\b(?:in|since|around)\s+(?:\p{Lu}\p{L}+\s+)?(?:19|20)\d\d\b|\bago\b|\bback\s+(?:in|when)\b")
"""When something was, told beside it: when the text was written says nothing then about which of two is newer."""
_NO_PLACE = regex.compile(
    rf"\d|(?:{MONTHS}|{WEEKDAY.pattern}|christmas|easter|thanksgiving|new\s+year|night|noon|room|building|apartment|flat"
    r"|unit|pier|block|house|floor|plan|version|phase|step|page|part|chapter|level)\b",
    regex.IGNORECASE,
)
_NATIONALITY = regex.compile(
    r"\S+(?:ian|ish|ese|ican|ean)|German|French|Dutch|Greek|Swiss|Thai|Czech|Catholic|Jewish|Muslim"
)
_CHECKS = {
    "e-mail address": regex.compile(r"\S+@\S+"),
    "phone number": regex.compile(r"(?:\D*\d){5}"),
    "birth date": regex.compile(r".*\d"),
    "age": regex.compile(r"\d{1,3}(?:\s+years?\s+old)?\Z"),
}
"""What a value of an attribute must begin with, beside its look."""
_AT_PLACES = PLACES | {"employer", "school", "team"}
_NO_VALUE = frozenset(
    """
    a an my our his her their your its this that these those some any it him them me us you he she they i we one there
    here very so really great good nice fine awesome amazing perfect not like all just such too more much
    """.split()  # noqa: SIM905
)


def cut_value(raw: str) -> str:
    """Words up to where they go on to something else."""
    end = _VALUE_END.search(raw)
    return (raw if end is None else raw[: end.start()]).strip().rstrip(".,")


def value_of(raw: str, look: Look) -> Value | None:
    """A value as it is compared; None if the words are none of that look."""
    cut = cut_value(raw) if look is not Look.TIME else raw.strip().rstrip(".,")
    kind = _KIND_OF.match(cut)
    plain = cut[kind.end() :] if kind is not None else cut
    words = folded_text(plain).split()
    if not words or len(words) > _MOST_VALUE_WORDS:
        return None
    if words[0] in _NO_VALUE and not (words[0] in ("a", "an") and look is Look.ANY):
        return None
    if not _looks(plain, look):
        return None
    folded = _bare(" ".join(words).removeprefix("a ").removeprefix("an "))
    return Value(folded, kind["kind"] if kind is not None else "", len(cut)) if folded else None


def told_value(raw: str, attribute: str, look: Look) -> Value | None:
    """A value of an attribute; None if the words can be none."""
    made = value_of(_YEAR_AFTER.sub("", raw) if look is Look.NAME else raw, look)
    if made is None:
        return None
    if attribute in _AT_PLACES and _NO_PLACE.match(made.folded):
        return None
    if attribute in PERSONAL and _NATIONALITY.fullmatch(raw[: made.length]):
        return None
    check = _CHECKS.get(attribute)
    return made if check is None or check.match(made.folded) else None


def _looks(plain: str, look: Look) -> bool:
    match look:
        case Look.NAME:
            return any(word[0].isupper() or word[0].isdigit() for word in plain.removeprefix("the ").split()[:1])
        case Look.NUMBER:
            return any(sign.isdigit() for sign in plain)
        case Look.TIME:
            return TIME.search(plain.casefold()) is not None
        case _:
            return True


def level_of(attribute: str, value: Value | None) -> str:
    """What tells apart values that do not exclude each other: somebody's city, country, continent."""
    if value is None or attribute not in PLACES:
        return ""
    if value.level:
        return f"#{value.level}" if value.level in ("country", "state", "continent") else ""
    return "#continent" if value.folded in CONTINENTS else "#country" if value.folded in COUNTRIES else ""
