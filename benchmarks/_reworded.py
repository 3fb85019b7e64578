"""Texts said in other words, by rules alone, and texts that contradict them: what merging is judged on.

`reworded` says a text again without changing what it says: contractions are taken apart or made, light words come in,
numbers are written out, a word gives way to one that means the same, a time at the end goes to the front, capitals and
full stops go as they do in a chat. The rules know nothing of those of `lifecycle.wording`, though some of their words
are the same: a rewording that merging does not see through is a memory that stays.

`contradictions` changes one thing: a number, a name, a word of a pair of opposites or of a set of values, or a "not".
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import regex

_CONTRACTIONS = (
    (r"\b(I)['’]m\b", r"\1 am"), (r"\b(\w+)['’]re\b", r"\1 are"), (r"\b(\w+)['’]ve\b", r"\1 have"),
    (r"\b(\w+)['’]ll\b", r"\1 will"), (r"\bcan['’]t\b", "cannot"), (r"\bwon['’]t\b", "will not"),
    (r"\b(\w+)n['’]t\b", r"\1 not"), (r"\b([Ii]t|[Tt]hat)['’]s\b", r"\1 is"),
)  # fmt: skip
_CONTRACTED = (
    (r"\bI am\b", "I'm"), (r"\bI have (?=\w+ed\b)", "I've "), (r"\bdo not\b", "don't"), (r"\bdid not\b", "didn't"),
    (r"\bis not\b", "isn't"), (r"\b([Ii])t is\b", r"\1t's"), (r"\bI will\b", "I'll"),
)  # fmt: skip
_NUMBERS = dict(enumerate("zero one two three four five six seven eight nine ten eleven twelve".split()))  # noqa: SIM905
_SYNONYMS = (
    ("kids", "children"), ("movie", "film"), ("photo", "picture"), ("mom", "mum"), ("bought", "purchased"),
    ("favorite", "favourite"), ("color", "colour"), ("begin", "start"), ("big", "large"), ("TV", "television"),
    ("maybe", "perhaps"), ("amazing", "wonderful"), ("buy", "purchase"), ("quick", "fast"), ("nice", "lovely"),
)  # fmt: skip
_TIME_AT_END = regex.compile(
    r"^(?P<rest>[^,.!?]{8,}?)\s+(?P<time>yesterday|today|tonight|tomorrow|(?:last|this|next)\s+\w+"
    r"|(?:on|in)\s+(?:\w+day|\d{4}|January|February|March|April|May|June|July|August|September|October|November"
    r"|December))(?P<stop>[.!]?)$"
)
_SPEAKER = regex.compile(r"^(?P<who>\p{Lu}[\p{L} ]{0,30}:\s+)?(?P<said>.*)$", regex.DOTALL)


def reworded(text: str, seed: int, count: int) -> list[str]:
    """Up to `count` other wordings of a text, all different from it and from each other; often the same ones first."""
    rng = random.Random(f"{seed} {text}")
    parts = _SPEAKER.match(text)
    who, said = ("", text) if parts is None else (parts["who"] or "", parts["said"])
    found: dict[str, None] = {}
    for _ in range(count * 8):
        ways = rng.sample(_WAYS, rng.randint(1, 3))
        other = said
        for way in ways:
            other = way(other, rng)
        if other != said:
            found.setdefault(who + other)
        if len(found) == count:
            break
    return list(found)


def _apart(text: str, _: random.Random) -> str:
    for pattern, with_ in _CONTRACTIONS:
        text = regex.sub(pattern, with_, text)
    return text


def _together(text: str, _: random.Random) -> str:
    for pattern, with_ in _CONTRACTED:
        text = regex.sub(pattern, with_, text)
    return text


def _opened(text: str, rng: random.Random) -> str:
    return f"{rng.choice(('Well', 'Hey', 'So', 'Oh', 'By the way', 'Anyway'))}, {_lowered(text)}"


def _closed(text: str, rng: random.Random) -> str:
    return f"{text.rstrip('.!')}{rng.choice(('!', '.', ' :)', ', you know.'))}" if text[-1:] in ".!" else text


def _light(text: str, rng: random.Random) -> str:
    return regex.sub(
        r"\b(am|is|are|was|were)\s+(?=\p{Ll})", lambda m: f"{m[1]} {rng.choice(('really', 'just'))} ", text, count=1
    )


def _numbers(text: str, _: random.Random) -> str:
    return regex.sub(r"(?<![\d.,:$€/-])\b(\d{1,2})\b(?![.,:/%-]?\d|%)", lambda m: _NUMBERS.get(int(m[1]), m[1]), text)


def _synonyms(text: str, _: random.Random) -> str:
    for one, other in _SYNONYMS:
        text = regex.sub(rf"\b{one}\b", other, text)
    return text


def _fronted(text: str, _: random.Random) -> str:
    found = _TIME_AT_END.match(text)
    if found is None:
        return text
    return f"{found['time'][:1].upper()}{found['time'][1:]}, {_lowered(found['rest'])}{found['stop']}"


def _chatty(text: str, _: random.Random) -> str:
    return text.lower().rstrip(".")


def _lowered(text: str) -> str:
    """Without the capital of a sentence's beginning, unless it is of a name or "I"."""
    return text if regex.match(r"(?:I\b|\p{Lu}\p{L}*\s+\p{Lu}|\p{Lu}{2})", text) else text[:1].lower() + text[1:]


_WAYS: list[Callable[[str, random.Random], str]] = [
    _apart, _together, _opened, _closed, _light, _numbers, _synonyms, _fronted, _chatty,
]  # fmt: skip

_OPPOSITES = tuple(
    pair.split("/")
    for pair in """
    love/hate like/dislike always/never before/after morning/evening hot/cold big/small old/new up/down
    early/late best/worst happy/sad open/closed good/bad more/less won/lost start/stop buy/sell bought/sold
    increase/decrease first/last left/right brother/sister mother/father son/daughter husband/wife red/blue
    green/yellow black/white cat/dog tea/coffee summer/winter Monday/Thursday Tuesday/Friday Saturday/Sunday
    January/July March/October May/September today/tomorrow yesterday/tomorrow north/south east/west he/she
    his/her my/your with/without from/to all/some everyone/nobody both/neither can/cannot will/might is/was
    are/were has/had remember/forget arrived/left guitar/violin beach/mountains
    """.split()  # noqa: SIM905
)
_NAMES = ("Oslo", "Bergen", "Alice", "Marcus", "Toyota", "Lisbon", "Priya", "Kenya", "Google", "Haskell")
_VERB = regex.compile(r"\b(am|is|are|was|were|can|will|should|did|do|does|have|has)\s+(?!not\b|n['’]t)(?=\p{Ll})")
_NAME = regex.compile(r"(?<=\p{Ll}\s)\p{Lu}\p{Ll}{2,}\b")
_DIGITS = regex.compile(r"(?<![\p{L}\p{N}])\d+")


def contradictions(text: str, seed: int) -> Iterator[tuple[str, str]]:
    """What changes (`number`, `name`, `negation`, `value`) and the text with it changed; each at most once."""
    rng = random.Random(f"{seed} {text}")
    if found := _DIGITS.search(text):
        other = str(int(found[0]) + rng.randint(1, 9))
        yield "number", text[: found.start()] + other + text[found.end() :]
    if found := _NAME.search(text):
        yield "name", text[: found.start()] + rng.choice([n for n in _NAMES if n != found[0]]) + text[found.end() :]
    if found := _VERB.search(text):
        yield "negation", text[: found.end()] + "not " + text[found.end() :]
    pairs = [(a, b) for one, two in _OPPOSITES for a, b in ((one, two), (two, one))]
    rng.shuffle(pairs)
    for one, other in pairs:
        changed = regex.sub(rf"\b{one}\b", other, text, count=1)
        if changed != text:
            yield "value", changed
            break
