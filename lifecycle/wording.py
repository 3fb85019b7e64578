"""What a text says, in a form in which two texts that say the same are equal. English, by rules. Pure.

Two texts say the same if they are equal in one of two forms:

- **words**: letters are folded, contractions taken apart, numbers up to twelve written as digits, words that mean the
  same are one word (a closed table), light words ("well", "really", "the") are left out, and what a sentence opens with
  up to a comma ("Last week, ...") stands at its end. What is left must be the same, word for word;
- **claims**: all that they say are claims about single-valued attributes (`lifecycle.claims`), and these are the same:
  "Ada works at Fjord Labs", "Ada is employed by Fjord Labs".

So a number, a name, a negation, a tense, a person, or any word of content that differs makes two texts different,
however near their vectors are. Names are compared with their capitals, unless a text has none ("i live in oslo"). A
form is a key: texts that say the same are found by looking it up, in time that grows with their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import regex

from lifecycle.claims import Claim, claims
from retrieval.analysis.folding import folded_text
from retrieval.analysis.mentions import opening_speaker

_APART = tuple(
    (regex.compile(pattern, regex.IGNORECASE), with_)
    for pattern, with_ in (
        (r"\bcan['’]t\b|\bcannot\b", "can not"),
        (r"\bwon['’]t\b", "will not"),
        (r"\bshan['’]t\b", "shall not"),
        (r"(?<=\w)n['’]t\b", " not"),
        (r"(?<=\bI)['’]m\b", " am"),
        (r"(?<=\w)['’]re\b", " are"),
        (r"(?<=\w)['’]ve\b", " have"),
        (r"(?<=\w)['’]ll\b", " will"),
        (r"(?<=\b(?:it|that|there|here|what|where|who|he|she))['’]s\b", " is"),
        (r"\b(go)nna\b", r"\1ing to"),
        (r"\bby\s+the\s+way\b|\bbtw\b|,\s*you\s+know\b", " "),
    )
)
_SAME = {
    other: one
    for one, *others in (
        line.split()
        for line in """
        film movie
        films movies
        child kid
        children kids
        photo picture pic photograph
        photos pictures pics photographs
        mother mom mum mommy mummy
        father dad daddy
        bought purchased
        buy purchase
        bicycle bike
        television tv
        large big
        start begin
        started began
        maybe perhaps
        favourite favorite
        colour color
        neighbour neighbor
        grey gray
        fridge refrigerator
        """.strip().splitlines()
    )
    for other in others
}
_SAME |= {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
}
_LIGHT = frozenset({"a", "an", "the", ":)", ":-)", "🙂", "😊"})
_SOFT = frozenset({"really", "just", "very", "actually"})
"""Light too, unless something is denied: "not just a game" is one."""
_NOT = frozenset({"not", "no", "never", "none", "nobody", "nothing", "neither", "nor", "without", "hardly", "cannot"})
_OPENERS = frozenset({"well", "oh", "hey", "hi", "hello", "so", "ok", "okay", "anyway", "anyways"})
_ADVERBIAL = frozenset(
    {"in", "on", "at", "last", "this", "next", "yesterday", "today", "tonight", "tomorrow", "during", "since", "every"}
)
"""What opens a sentence with such a word, up to a comma, may stand at its end as well."""
_RELATIVE = frozenset(
    """
    today tonight tomorrow yesterday this last next ago later earlier soon recently morning afternoon evening weekend
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december
    """.split()  # noqa: SIM905
)
_CARRIERS = frozenset(
    """
    is am are of in at for by to live lives living reside resides residing based work works working employed currently
    now number called named name home
    """.split()  # noqa: SIM905
)
"""Words in which the forms of one claim may differ."""

_SENTENCE = regex.compile(r"[^.!?…\n]*(?:[.!?…](?!\s|\Z|[\"”’')])[^.!?…\n]*)*(?:[.!?…\n]+[\"”’')]*|\Z)")
_EDGE_BEFORE, _EDGE_AFTER = "\"'“”‘’([{*_,;–—", "\"'“”‘’)]}*_,;:.!?…–—"
_CAPITAL = regex.compile(r"\p{Lu}")
_MOST_SENTENCES = 200
_THOUSANDS = regex.compile(r"(?<=\d),(?=\d{3}\b)")


@dataclass(frozen=True, slots=True)
class Wording:
    """What a text says.

    Attributes:
        words: by sentence, light words left out, in the order in which they are compared.
        asks: which of the sentences are questions.
        names: words with a capital inside a sentence, folded; None for a text without any capital (but the speaker's).
        made: what it claims.
        claimed: its claims, comparable, if they are all that it says; else empty.
    """

    words: tuple[tuple[str, ...], ...]
    asks: tuple[bool, ...]
    names: frozenset[str] | None
    made: tuple[Claim, ...]
    claimed: frozenset[tuple[str, str, str, str | None, bool]]

    def __len__(self) -> int:
        """Words that count."""
        return sum(len(sentence) for sentence in self.words)

    @property
    def speaks_of_time(self) -> bool:
        """Whether it means another time when it is said on another day."""
        return any(word in _RELATIVE for sentence in self.words for word in sentence)

    @property
    def keys(self) -> tuple[tuple[object, ...], ...]:
        """What two texts that say the same have at least one of in common; a text without words has none."""
        if not len(self):
            return ()
        by_words = ("words", self.words, self.asks)
        return (by_words, ("claims", self.claimed)) if self.claimed else (by_words,)


def wording(text: str, speaker: str | None = None) -> Wording:
    """What a text says.

    Args:
        text: anything.
        speaker: who says it, if known.
    """
    apart = text
    for pattern, with_ in _APART:
        apart = pattern.sub(with_, apart)
    words, asks, names = [], [], set[str]()
    for sentence in _sentences(apart):
        kept = list(_words(sentence, names))
        if kept:
            words.append(tuple(kept))
            asks.append("?" in sentence[-4:])
    cased = frozenset(names) if _CAPITAL.search(text, _said_from(text)) else None
    made = claims(text, speaker)
    return Wording(tuple(words), tuple(asks), cased, made, _claimed(text, made))


def says_same(one: Wording, other: Wording) -> bool:
    """Whether two texts say the same."""
    if len(one) == 0 or len(other) == 0:
        return False
    if (one.words, one.asks) == (other.words, other.asks):
        return one.names is None or other.names is None or one.names == other.names
    if not one.claimed or one.claimed != other.claimed:
        return False
    beside = {w for s in one.words for w in s} ^ {w for s in other.words for w in s}
    return beside <= _CARRIERS


def _sentences(text: str) -> Iterator[str]:
    """Sentences; who a line says is speaking is one, too."""
    start, number = _said_from(text), 0
    if start:
        yield text[:start]
    for found in _SENTENCE.finditer(text, start):
        if found[0].strip():
            number += 1
            if number == _MOST_SENTENCES:  # what is beyond is one more sentence, so that nothing is left unread
                yield text[found.start() :]
                return
            yield found[0]


def _said_from(text: str) -> int:
    """Where what is said begins, behind the name of whoever says it."""
    return 0 if opening_speaker(text[:200]) is None else text.index(":") + 1


def _words(sentence: str, names: set[str]) -> Iterable[str]:
    """The words of a sentence that count; names are added to those known."""
    found = [_Word(bare, _folded(bare), token.endswith(",")) for token in sentence.split() if (bare := _bare(token))]
    while len(found) > 1 and found[0].folded in _OPENERS:
        del found[0]
    if not found:
        return
    opens = {id(found[0])}
    head = next((place for place, word in enumerate(found) if word.ends_phrase), len(found) - 1) + 1
    if found[0].folded in _ADVERBIAL and head < len(found):
        found = found[head:] + found[:head]
        opens.add(id(found[0]))
    denies = any(word.folded in _NOT for word in found)
    for word in found:
        is_first = id(word) in opens
        has_capital = bool(_CAPITAL.search(word.bare))
        if has_capital and not is_first and word.folded != "i" and word.folded not in _SAME:
            names.add(word.folded)
        if word.bare == "A" and not is_first:  # "vitamin A" has a name in it, "a vitamin" has not
            yield "A"
        elif word.folded not in _LIGHT and (denies or word.folded not in _SOFT):
            yield _SAME.get(word.folded, word.folded)


@dataclass(frozen=True, slots=True)
class _Word:
    bare: str
    folded: str
    ends_phrase: bool


def _bare(token: str) -> str:
    """A token without the marks around it; marks that say something ("C++", "-5", "5%", ":(") stay."""
    if not any(sign.isalnum() for sign in token):
        return "" if all(sign in _EDGE_BEFORE + _EDGE_AFTER + "-" for sign in token) else token.rstrip(",.")
    return token.lstrip(_EDGE_BEFORE).rstrip(_EDGE_AFTER)


def _folded(token: str) -> str:
    return _THOUSANDS.sub("", folded_text(token).replace("’", "'"))


def _claimed(text: str, made: tuple[Claim, ...]) -> frozenset[tuple[str, str, str, str | None, bool]]:
    if not made or not all(claim.is_single and claim.value for claim in made) or _says_more(text, made):
        return frozenset()
    return frozenset((c.subject, c.attribute, c.value, c.instead_of, c.marks_change) for c in made)


def _says_more(text: str, made: tuple[Claim, ...]) -> bool:
    """Whether a text has any word of content beside its claims."""
    place, beside = 0, ""
    for claim in made:
        beside += " " + text[place : max(place, claim.start)]
        place = max(place, claim.end)
    words = {folded_text(bare) for token in (beside + " " + text[place:]).split() if (bare := _bare(token))}
    return not words <= _LIGHT | _SOFT | _OPENERS
