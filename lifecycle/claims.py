"""What a text claims to be so: who (or what), which attribute, which value. English, by rules. Pure.

A sentence makes a claim where it, or a clause of it, is one of these forms as a whole:

| form | examples |
|---|---|
| of | `The capital of Peru is Lima`, `The CEO of Fjord Labs is now Ada`, `The name of the head of state in …` |
| possessive | `Ada's phone number is 555 0101`, `My new address is …`, `Ada's new job is at Fjord Labs` |
| role | `Ada is the CEO of Fjord Labs` |
| verb | `Ada lives in Oslo`, `I moved to Oslo`, `Ada works at Fjord Labs`, `Kyd was born in London` |
| description | `The company that produced X is Y`: a definite description with a name in it |
| time | `The meeting is on Mondays`, `We switched the meeting to Tuesdays`, `The launch was moved to 3 May` |
| end | `I no longer work at Fjord Labs`, `Ada does not live in Oslo any more`, `I used to live in A but now in B` |

Which attributes have one value at a time is a matter of `lifecycle.claim_words`. Some never do (children, hobbies,
languages): no claim is made of them. What is in no table counts as changed only where the text says so ("new", "now",
"changed to", "switched", "moved", "no longer").

No claim is made by a question, a quotation, or a sentence with a word of doubt, denial, hearsay, plans or the past; nor
of a subject that the sentence alone does not name ("she", "it"). "I" is the speaker; without one nothing is claimed.

Time grows with the length of the text: every look is at a stretch of bounded length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import regex

from lifecycle.claim import Claim
from lifecycle.claim_forms import Clause, claims_of
from lifecycle.claim_patterns import ANY_MORE, NO_LONGER, STOPPED_BEING, USED_TO
from lifecycle.claim_words import DOUBT, LABELS
from retrieval.analysis.folding import folded_text
from retrieval.analysis.mentions import opening_speaker

__all__ = ["CLAIMS_VERSION", "Claim", "claims", "says_more"]

CLAIMS_VERSION = 1
_MOST_CLAIMS = 16
_MOST_SENTENCES = 64
_LONGEST_SENTENCE = 300
_MOST_MORE = 4
"""Words that a text may have beside its claims and still say nothing else: "last month", "by the way"."""


def claims(text: str, speaker: str | None = None) -> tuple[Claim, ...]:
    """What a text claims, in the order of the text, 16 claims at most.

    Args:
        text: anything.
        speaker: who says it, if known. A line that opens with a name and a colon is said by that name.
    """
    found: dict[tuple[str, str], Claim] = {}
    for sentence in _sentences(text, speaker):
        for claim in _of_sentence(sentence):
            found.setdefault((claim.subject, claim.attribute), claim)
    return tuple(sorted(found.values(), key=lambda claim: claim.start)[:_MOST_CLAIMS])


def says_more(text: str, made: tuple[Claim, ...]) -> bool:
    """Whether a text has more to say than its claims: such a text stays true in part when they are not."""
    speaks = opening_speaker(text[:200])
    place = 0 if speaks is None else text.index(":") + 1
    beside = 0
    for claim in made:
        beside += len(_WORD.findall(text, place, max(place, claim.start)))
        place = max(place, claim.end)
    return beside + len(_WORD.findall(text, place)) > _MOST_MORE


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    start: int
    speaker: str | None


_WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}'’.@-]*")
_BREAK = regex.compile(
    r"(?<!\b(?:St|Mr|Mrs|Ms|Dr|Prof|vs|No|\p{Lu}))\.[\"”’')]*(?=\s+(?!\p{Ll})|\Z)|[!?]+[\"”’')]*(?=\s|\Z)|\n+|…|\.\.\.",
    regex.VERSION1,
)
_OPENING = regex.compile(
    r"(?:(?:anyway|hi|hello|hey|oh|ok|okay|yes|yeah|yep|well|so|and|but|actually|btw|by\s+the\s+way|fyi"
    r"|(?:(?:quick|short|small|brief|little|friendly)\s+)?(?:update|note|reminder)"
    r"|just\s+so\s+you\s+know|for\s+the\s+record|as\s+of\s+(?:today|now)|good\s+news|big\s+news|guess\s+what|great|thanks"
    r"|currently|nowadays|these\s+days|since\s+\p{L}+|last\s+(?:week|month|year)|this\s+(?:week|month|year)"
    r"|today|recently|finally|in\s+(?:\p{L}+\s+)?(?:1[0-9]|20)\d\d|(?P<now>now|from\s+now\s+on))\b(?:\s+\p{Lu}\p{L}+(?=[,!]))?"
    r"[\s,!:.–—-]+){1,3}",
    regex.IGNORECASE | regex.VERSION1,
)
_CLAUSE_BREAK = regex.compile(
    r"(?:,\s*|\s+)(?:and|but|so)\s+(?=(?:I|my|we|our|the)\b)|;\s*|\s+[–—-]+\s+|,\s+(?=(?:I(?:['’]m|['’]ve)?|my|we|our)\s)"
)


_EMOTICON = regex.compile(r"(?:\s+[:;=8]['’]?-?[)(DPpoO/3]+|\s*\p{Extended_Pictographic}\N{VARIATION SELECTOR-16}?)+\Z")


def _sentences(text: str, speaker: str | None) -> Iterator[_Sentence]:
    """Sentences that state something, without what opens them."""
    start, number = 0, 0
    who, line_starts = speaker, True
    while start < len(text) and number < _MOST_SENTENCES:
        number += 1
        end = _BREAK.search(text, start)
        stop, mark = (end.start(), end.group()) if end else (len(text), "")
        if line_starts and (said_by := opening_speaker(text[start : start + 80])) is not None:
            if folded_text(said_by) not in LABELS:
                who = said_by
            start = text.index(":", start) + 1
        body = text[start:stop]
        if "?" not in mark and len(body) <= _LONGEST_SENTENCE:
            lead = len(body) - len(body.lstrip(" \t-*•"))
            yield _Sentence(body[lead:], start + lead, who)
        line_starts = "\n" in mark
        start = end.end() if end else len(text)


def _of_sentence(sentence: _Sentence) -> Iterator[Claim]:
    body = sentence.text
    if any(quote in body for quote in '"“”«»'):
        return
    place = 0
    for end in [*_CLAUSE_BREAK.finditer(body), None]:
        stop = len(body) if end is None else end.start()
        yield from _of_clause(body[place:stop], sentence.start + place, sentence.speaker)
        place = stop if end is None else end.end()


def _of_clause(clause: str, start: int, who: str | None) -> Iterator[Claim]:
    lead = len(clause) - len(clause.lstrip())
    clause, start = _EMOTICON.sub("", clause.strip()), start + lead
    opening = _OPENING.match(clause)
    is_now = opening is not None and opening["now"] is not None
    if opening is not None and opening.end() < len(clause):
        clause, start = clause[opening.end() :], start + opening.end()
    whole, is_over = _plain(clause)
    if whole is None:
        return
    yield from claims_of(Clause(whole, start, who, is_now, is_over, is_changed=whole != clause, length=len(clause)))


def _plain(clause: str) -> tuple[str | None, bool]:
    """A clause as it would state what it says, and whether it says that it is so no more; None if it states nothing."""
    used = USED_TO.sub("", clause, count=1)
    over = STOPPED_BEING.sub(" is", NO_LONGER.sub("", used, count=1), count=1)
    plain = ANY_MORE.sub("", over) if over != used else over
    opening = plain if plain.startswith(("Will ", "May ")) else plain[:1].lower() + plain[1:]  # they are names too
    words = {word for word in _WORD.findall(opening) if word[0].islower()}
    if words & DOUBT or "used" in words:
        return None, False
    return plain, over != used
