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
from dataclasses import dataclass, replace

import regex

from lifecycle.claim_words import (
    CLAUSE_WORDS,
    CONTINENTS,
    COUNTRIES,
    DOUBT,
    LABELS,
    LOOKS,
    MANY_NOUNS,
    MANY_VERBS,
    NO_SUBJECT,
    OPENS_NO_SUBJECT,
    OWN_RELATIVES,
    PERSONAL,
    PLACES,
    SCOPED_ROLES,
    SINGLE_NOUNS,
    Look,
)
from retrieval.analysis.folding import folded_text
from retrieval.analysis.mentions import opening_speaker

CLAIMS_VERSION = 1
_MOST_CLAIMS = 16
_MOST_SENTENCES = 64
_LONGEST_SENTENCE = 300
_LONGEST_SUBJECT = 100
_MOST_SUBJECT_WORDS, _MOST_VALUE_WORDS = 14, 12
_MOST_MORE = 4
"""Words that a text may have beside its claims and still say nothing else: "last month", "by the way"."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim. What is compared is folded.

    Attributes:
        subject: who or what it is about.
        attribute: what of it; `OTHER` and the noun where no table has it.
        value: what it is; empty where the text only says what it is no more.
        is_single: whether the subject has one such value at a time.
        marks_change: whether the text says that it was another before.
        instead_of: what the text says it is no more; None if it does not say.
        start, end: the words of the text that make the claim.
    """

    subject: str
    attribute: str
    value: str
    is_single: bool
    marks_change: bool
    instead_of: str | None
    start: int
    end: int

    @property
    def label(self) -> str:
        """The attribute for a report, without words of the text."""
        return OTHER if self.attribute.startswith(OTHER) else self.attribute.split("/")[-1].split("#")[0]


OTHER = "other"
"""What an attribute is called that no table has."""


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
    r"(?:(?:anyway|hi|hello|hey|oh|ok|okay|yes|yeah|yep|well|so|and|but|actually|btw|by\s+the\s+way|fyi|update|note|reminder"
    r"|just\s+so\s+you\s+know|for\s+the\s+record|as\s+of\s+(?:today|now)|good\s+news|big\s+news|guess\s+what|great|thanks"
    r"|currently|nowadays|these\s+days|since\s+\p{L}+|last\s+(?:week|month|year)|this\s+(?:week|month|year)"
    r"|today|recently|finally|in\s+(?:\p{L}+\s+)?(?:1[0-9]|20)\d\d|(?P<now>now|from\s+now\s+on))\b(?:\s+\p{Lu}\p{L}+(?=[,!]))?"
    r"[\s,!:.–—-]+){1,3}",
    regex.IGNORECASE | regex.VERSION1,
)
_CLAUSE_BREAK = regex.compile(
    r"(?:,\s*|\s+)(?:and|but|so)\s+(?=(?:I|my|we|our|the)\b)|;\s*|\s+[–—-]+\s+|,\s+(?=(?:I|my|we|our)\s)"
)


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


_SPACE = r"\s+"
_BE = r"(?:\s+(?:is|are|am)|['’](?:s|m|re))"
_JUST = r"(?:\s+(?:now|currently|recently|just|still|already|finally|presently|officially|since))"
_HAVE = r"(?:\s+(?:has|have)|['’](?:ve|s))"


def _phrase(words: str) -> str:
    """A phrase with any white space between its words."""
    return words.replace(" ", _SPACE)


_VERBS: tuple[tuple[str, bool, str], ...] = (
    # attribute, whether the verb itself tells of a change, verb
    ("residence", False, rf"{_JUST}*\s+(?:live|lives|reside|resides)\s+in|{_BE}{_JUST}*\s+(?:living|based)\s+in"),
    (
        "residence",
        True,
        rf"{_HAVE}?{_JUST}*\s+(?:moved|relocated)(?:\s+back)?(?:\s+from\s+(?P<from0>.{{1,40}}?))?\s+to",
    ),
    (
        "employer",
        False,
        rf"{_JUST}*\s+(?:works|work)\s+(?:at|for)|{_BE}{_JUST}*\s+(?:employed\s+(?:by|at)|working\s+(?:at|for))",
    ),
    (
        "employer",
        True,
        rf"{_HAVE}?{_JUST}*\s+(?:started|start|got|took|accepted|have|has|landed|got)\s+(?:working|(?:a|my|his|her)\s+new\s+(?:job|position|role))\s+(?:at|for|with)",
    ),
    ("occupation?", False, rf"{_JUST}*\s+(?:works|work)\s+as|{_BE}{_JUST}*\s+working\s+as"),
    ("field of work", False, rf"{_JUST}*\s+(?:works|work)\s+in\s+the\s+field\s+of"),
    ("spouse", False, rf"{_BE}{_JUST}*\s+married\s+to|\s+got{_JUST}*\s+married\s+to"),
    ("citizenship", False, rf"{_BE}{_JUST}*\s+an?\s+citizen\s+of"),
    ("religion", False, rf"(?:{_BE}{_JUST}*\s+(?:affiliated|associated)\s+with)\s+the\s+(?:religion|faith)\s+of"),
    ("religion", True, rf"{_HAVE}?{_JUST}*\s+converted\s+to"),
    ("sport", False, rf"{_BE}{_JUST}*\s+(?:affiliated|associated)\s+with\s+the\s+sport\s+of"),
    ("position", False, rf"{_JUST}*\s+(?:plays|play)\s+(?:in\s+|at\s+)?the\s+position\s+of"),
    ("team", False, rf"{_JUST}*\s+plays\s+for"),
    ("birthplace", False, r"(?:\s+(?:is|was|were|am))\s+born\s+(?:in|at)"),
    ("place of death", False, r"\s+died\s+in"),
    ("location", False, rf"{_BE}{_JUST}*\s+(?:located|situated)\s+in|\s+lies\s+in"),
    ("origin", False, r"\s+(?:is|was|were)\s+(?:created|invented)\s+in|\s+originated\s+in|\s+(?:comes|come)\s+from"),
    ("place of founding", False, r"\s+(?:is|was|were)\s+(?:founded|established)\s+in"),
    ("original language", False, r"\s+(?:is|was|were)\s+(?:originally\s+)?written\s+in"),
    ("creator", False, r"\s+(?:is|was|were)\s+(?:created|invented|designed|developed|written|composed|directed)\s+by"),
    ("founder", False, r"\s+(?:is|was|were)\s+(?:founded|established)\s+by"),
    ("performer", False, r"\s+(?:is|was|were)\s+performed\s+by"),
    ("manager", False, rf"{_JUST}*\s+(?:reports|report)\s+to"),
    ("school", False, rf"{_JUST}*\s+(?:studies|study)\s+at|{_BE}{_JUST}*\s+(?:a\s+student|enrolled)\s+at"),
    (
        "employer",
        True,
        rf"{_HAVE}?{_JUST}*\s+(?P<left>(?:left|quit|resigned\s+from|retired\s+from)(?:\s+(?:my|his|her)\s+job\s+at)?)",
    ),
    ("tool?", False, rf"{_JUST}*\s+(?:uses|use)|{_BE}{_JUST}*\s+using"),
    ("tool?", True, rf"{_HAVE}?{_JUST}*\s+(?:switched|migrated)\s+from\s+(?P<from1>.{{1,40}}?)\s+to"),
    ("price", False, rf"{_JUST}*\s+(?:costs|cost)"),
    ("due date?", False, rf"{_BE}{_JUST}*\s+due(?:\s+(?:on|by|at))?"),
    (
        "age",
        False,
        rf"(?<=\AI){_BE}{_JUST}*(?=\s+\d{{1,3}}(?:\s+now)?\Z)|{_BE}{_JUST}*(?=\s+\d{{1,3}}\s+years?\s+old\b)|\s+(?:has\s+)?{_JUST}*turned(?=\s+\d)",
    ),
)
_ONE_OF_US = regex.compile(r"\AWe\Z|\Awe\Z")
_VERB = regex.compile(
    "|".join(f"(?P<v{number}>{verb})\\b" for number, (_, _, verb) in enumerate(_VERBS)), regex.VERSION1
)
_NOUNS = "|".join(sorted(map(_phrase, SINGLE_NOUNS), key=len, reverse=True))
_QUALIFIED = rf"(?P<more>(?:[\p{{L}}\p{{N}}-]+\s+){{0,3}}?)(?P<noun>{_NOUNS}|job)"
_FREE = r"(?P<more>(?:(?:[\p{L}\p{N}-]+\s+){0,2}?)new\s+(?:[\p{L}\p{N}-]+\s+){0,2}?)(?P<noun>[\p{L}-]+)"
_CHANGED_TO = (
    r"(?:was|were|has|have|is|are|got|been|just|now|recently|\s)*"
    r"(?P<mark>changed|moved|switched|set|raised|lowered|increased|reduced|updated|postponed|rescheduled|shifted|pushed"
    r"|extended|brought\s+forward|pushed\s+back|became|become)(?:\s+(?:back|forward|up|down))?"
    r"(?:\s+from\s+(?P<from>.{1,40}?))?(?:\s+to|(?<=become|became))"
)
_IS = (
    rf"(?:\s+(?:is|are)(?:\s+(?P<now>now)|{_JUST})?(?:\s+(?:located|based|situated))?|\s+{_CHANGED_TO})"
    r"(?P<colon>:)?"
)
_OF = regex.compile(
    rf"(?:the\s+name\s+of\s+)?(?:the\s+)?{_QUALIFIED}\s+(?:of|for|in)\s+(?P<s>.{{1,{_LONGEST_SUBJECT}}}?){_IS}\s+(?P<v>.+)",
    regex.VERSION1,
)
_COMPOUND = regex.compile(
    rf"the\s+(?P<more>(?:new\s+|current\s+)?)(?P<s>(?:[\p{{L}}\p{{N}}-]+\s+){{1,3}}?)(?P<noun>{_NOUNS}){_IS}\s+(?P<v>.+)",
    regex.VERSION1,
)
_POSSESSIVE_FORM = rf"(?P<s>[Mm]y|[Oo]ur|.{{1,{_LONGEST_SUBJECT}}}?['’]s?)\s+{{noun}}{_IS}\s+(?P<v>.+)"
_POSSESSIVE = regex.compile(_POSSESSIVE_FORM.replace("{noun}", _QUALIFIED), regex.VERSION1)
_POSSESSIVE_NEW = regex.compile(_POSSESSIVE_FORM.replace("{noun}", _FREE), regex.VERSION1)
_POSSESSIVE_OLD = regex.compile(
    rf"(?P<s>[Mm]y|[Oo]ur|.{{1,{_LONGEST_SUBJECT}}}?['’]s?)\s+(?P<more>(?:[\p{{L}}\p{{N}}-]+\s+){{0,2}}?)(?P<noun>[\p{{L}}-]+)"
    rf"(?:{_BE}(?P<now>\s+now)?|\s+(?P<mark>changed)\s+(?:from\s+(?P<from>.{{1,40}}?)\s+)?to)\s+(?P<v>.+)",
    regex.VERSION1,
)
_ROLE = regex.compile(
    rf"(?P<v>.{{1,{_LONGEST_SUBJECT}}}?)(?:{_BE}{_JUST}?(?P<now>\s+now)?|\s+(?P<mark>became))\s+(?:the\s+)"
    rf"(?P<more>(?:new\s+|current\s+|next\s+)?)(?P<noun>{_NOUNS})\s+of\s+(?P<s>.+)",
    regex.VERSION1,
)
_DESCRIPTION = regex.compile(
    rf"[Tt]he\s+(?P<noun>[\p{{L}} -]{{2,40}}?)\s+(?:where|that|which|who)\s+(?P<s>.{{2,{_LONGEST_SUBJECT}}}?)"
    r"\s+(?:is|are)\s+(?P<v>.+)",
    regex.VERSION1,
)
_SET = regex.compile(
    rf"(?:.{{1,60}}?){_HAVE}?{_JUST}*\s+(?:switched|changed|moved|rescheduled|pushed|postponed|shifted|updated)\s+"
    r"(?P<s>(?:the|our|my)\s+.{1,60}?)(?:\s+(?:back|forward|up))?(?:\s+from\s+(?P<from>.{1,40}?))?\s+to\s+(?P<v>.+)",
    regex.VERSION1,
)
_TIMED = regex.compile(
    rf"(?P<s>.{{1,60}}?)(?:{_BE}(?P<now>\s+now)?(?:\s+held|\s+scheduled\s+for)?|(?P<now2>\s+now)?\s+(?:takes\s+place|happens|starts|begins)"
    rf"(?P<now3>\s+now)?|\s+{_CHANGED_TO})\s+(?P<v>.+)",
    regex.VERSION1,
)
_HELD = regex.compile(
    rf"(?:We|we|I|They|they){_JUST}*\s+(?:have|hold|do)\s+(?P<s>(?:the|our|my)\s+.{{1,50}}?)\s+(?P<v>(?:on|at|every)\s.+)"
)
_NO_LONGER = regex.compile(
    r"\s+no\s+longer\b|\b\s*(?:don['’]t|doesn['’]t|do\s+not|does\s+not|not|n['’]t)\b(?=.{1,80}\b(?:any\s*more|any\s+longer)\b)"
)
_ANY_MORE = regex.compile(r",?\s+(?:any\s*more|any\s+longer)\b")
_USED_TO = regex.compile(
    r"\s+used\s+to\s.{1,60}?(?:,\s*)?\s(?:but|and)(?:\s+(?:I|he|she|they))?(?=(?:\s+(?:am|is|are))?\s+now\b|\s+moved\b)"
)
_BUT = regex.compile(r"\s*,?\s+but\s+(?:(?:now|rather)\s+)?(?:(?:in|at|for|to|by|with)\s+)?")

_WEEKDAY = regex.compile(r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b")
_CLOCK = regex.compile(
    r"\b\d{1,2}(?::\d\d)?\s?(?:am|pm|a\.m\.|p\.m\.|o['’]clock)(?!\w)|\b\d{1,2}:\d\d\b|\bnoon\b|\bmidnight\b"
)
_MONTHS = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = regex.compile(
    rf"\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTHS}\b|\b{_MONTHS}\s+\d{{1,2}}(?:st|nd|rd|th)?\b|\b\d{{4}}-\d\d-\d\d\b"
)
_TIME = regex.compile(
    rf"{_WEEKDAY.pattern}|{_CLOCK.pattern}|{_DATE.pattern}|\b{_MONTHS}\s+\d{{4}}\b"
    r"|\b(?:19|20)\d\d\b|\bat\s+\d{1,2}\b|\A\d{1,2}\Z"
)


def _of_clause(clause: str, start: int, who: str | None) -> Iterator[Claim]:
    lead = len(clause) - len(clause.lstrip())
    clause, start = clause.strip(), start + lead
    opening = _OPENING.match(clause)
    is_now = opening is not None and opening["now"] is not None
    if opening is not None and opening.end() < len(clause):
        clause, start = clause[opening.end() :], start + opening.end()
    whole, is_over = _plain(clause)
    if whole is None:
        return
    yield from _forms(_Clause(whole, start, who, is_now, is_over, is_changed=whole != clause, length=len(clause)))


def _plain(clause: str) -> tuple[str | None, bool]:
    """A clause as it would state what it says, and whether it says that it is so no more; None if it states nothing."""
    used = _USED_TO.sub("", clause, count=1)
    over = _NO_LONGER.sub("", used, count=1)
    plain = _ANY_MORE.sub("", over) if over != used else over
    opening = plain if plain.startswith(("Will ", "May ")) else plain[:1].lower() + plain[1:]  # they are names too
    words = {word for word in _WORD.findall(opening) if word[0].islower()}
    if words & DOUBT or "used" in words:
        return None, False
    return plain, over != used


@dataclass(frozen=True, slots=True)
class _Clause:
    """A clause on its way to a claim.

    Attributes:
        is_now: it opens with "now".
        is_over: it says of something that it is so no more.
        is_changed: words were taken out, so that places inside it do not count any more.
        length: of what it was.
    """

    text: str
    start: int
    who: str | None
    is_now: bool
    is_over: bool
    is_changed: bool
    length: int

    def claim(
        self,
        subject: str | None,
        attribute: str,
        value: str,
        *,
        marks: bool,
        old: str | None = None,
        look: Look | None = None,
    ) -> Claim | None:
        """The claim, if subject and value are such."""
        about = _subject(subject, self.who) if subject is not None else None
        if about is None:
            return None
        name, is_common = about
        base = attribute.split("/")[-1].rstrip("?")
        look = look or LOOKS.get(base, Look.NAME)
        over = None
        if self.is_over and (but := _BUT.search(value)) is not None:
            value, over = value[but.end() :], value[: but.start()]
        elif self.is_over:
            value, over = "", value
        told, was = _told(value, base, look) if value else None, _told(over or old or "", base, look)
        if (told is None and value) or (self.is_over and was is None):
            return None
        level = _level(base, told or was)
        marks = marks or self.is_now or self.is_over or was is not None
        at = -1 if self.is_changed or not value else self.text.find(value)
        end = self.start + (self.length if told is None or at < 0 else at + told.length)
        return Claim(
            subject=name,
            attribute=attribute.rstrip("?") + level,
            value="" if told is None else told.folded,
            is_single=not is_common and not attribute.endswith("?"),
            marks_change=marks,
            instead_of=None if was is None else was.folded,
            start=self.start,
            end=end,
        )


def _forms(clause: _Clause) -> Iterator[Claim]:
    """The claims of the first form that a clause has."""
    for form in (_description, _nouns, _role, _verb, _times, _other, _being):
        found = [claim for claim in form(clause) if claim is not None]
        if found:
            yield from found
            return


def _nouns(clause: _Clause) -> Iterator[Claim | None]:
    text = clause.text[:1].lower() + clause.text[1:]
    match = _OF.fullmatch(text) or _POSSESSIVE.fullmatch(clause.text) or _COMPOUND.fullmatch(text)
    if match is not None:
        owner = f"the {match['s']}" if match.re is _COMPOUND else match["s"]
        yield _of_noun(clause, match, owner)
        return
    match = _SET.fullmatch(clause.text)
    if match is None:
        return
    inner = regex.fullmatch(rf"(?P<s>my|our)\s+{_QUALIFIED}", match["s"]) or regex.fullmatch(
        rf"the\s+{_QUALIFIED}\s+(?:of|for)\s+(?P<s>.+)", match["s"]
    )
    if inner is not None:
        attribute, _ = _attribute(inner)
        yield clause.claim(inner["s"], attribute, match["v"], marks=True, old=match["from"])


def _of_noun(clause: _Clause, match: regex.Match[str], subject: str) -> Claim | None:
    attribute, is_new = _attribute(match)
    noun, value = match["noun"], match["v"]
    if noun == "job":  # "my new job is at ...": a job is told of in many ways
        at = regex.match(r"(?:at|with|for)\s+", value)
        if at is None:
            return None
        attribute, value = "employer", value[at.end() :]
    value = regex.sub(r"\A(?:in|at|on|to)\s+", "", value)
    marks = is_new or bool(match["now"] or match["mark"])
    return clause.claim(subject, attribute, value, marks=marks, old=match["from"])


def _attribute(match: regex.Match[str]) -> tuple[str, bool]:
    """The attribute that a noun names with what qualifies it, and whether it is called new."""
    words = folded_text(match["more"]).split()
    kept = [word for word in words if word not in ("new", "current", "the", "present", "own", "actual", "updated")]
    base = SINGLE_NOUNS.get(" ".join(match["noun"].split()), match["noun"])
    return "/".join([*kept, base]), "new" in words or "updated" in words


def _role(clause: _Clause) -> Iterator[Claim | None]:
    match = _ROLE.fullmatch(clause.text)
    if match is None or SINGLE_NOUNS[" ".join(match["noun"].split())] not in SCOPED_ROLES:
        return
    holder = _subject(match["v"], None)
    if holder is None and clause.who is not None and match["v"] == "I":
        holder = folded_text(clause.who), False
    if holder is None or holder[1]:
        return
    owner = _cut(match["s"])
    value = match["v"] if match["v"] != "I" or clause.who is None else clause.who
    made = clause.claim(
        owner,
        SINGLE_NOUNS[" ".join(match["noun"].split())],
        value,
        marks=bool(match["now"] or match["mark"] or "new" in match["more"]),
    )
    if made is not None and not clause.is_changed:
        end = clause.start + match.start("s") + len(owner)
        yield Claim(
            made.subject,
            made.attribute,
            made.value,
            made.is_single,
            made.marks_change,
            made.instead_of,
            made.start,
            end,
        )


def _verb(clause: _Clause) -> Iterator[Claim | None]:
    for match in _VERB.finditer(clause.text):
        number = next(i for i in range(len(_VERBS)) if match[f"v{i}"] is not None)
        attribute, is_change, _ = _VERBS[number]
        value = clause.text[match.end() :].strip()
        if not value or not match.start():
            continue
        marks = is_change or regex.search(r"\bnow\b", match.group()) is not None
        marks = marks or regex.search(r"\bnow\Z|\bthese days\Z", value) is not None
        if is_change and _DATED.search(value):
            continue
        subject = clause.text[: match.start()]
        if subject.casefold() in ("my", "our"):  # "my work at ..."
            continue
        if attribute == "tool?":
            subject = _ONE_OF_US.sub("I", subject)
        told = replace(clause, is_over=True) if match["left"] is not None else clause
        made = told.claim(subject, attribute, value, marks=marks, old=match["from0"] or match["from1"])
        if made is not None and attribute == "tool?":  # many at once: only what it is said to replace
            made = replace(made, marks_change=made.instead_of is not None)
        if made is not None:
            yield made
            return


def _description(clause: _Clause) -> Iterator[Claim | None]:
    match = _DESCRIPTION.fullmatch(clause.text)
    if match is None:
        return
    words, nouns = match["s"].split(), folded_text(match["noun"]).split()
    lower = {word for word in words if word.islower()}
    is_named = any(word[0].isupper() or word[0].isdigit() for word in words)
    if not is_named or lower & (MANY_VERBS | NO_SUBJECT) or "I" in words or _is_many(nouns[-1]):
        return
    value = _value(match["v"], Look.ANY)
    if value is None:
        return
    end = clause.start + match.start("v") + value.length
    yield Claim(
        folded_text(match["s"]), f"{OTHER}/{' '.join(nouns)}", value.folded, True, False, None, clause.start, end
    )


def _times(clause: _Clause) -> Iterator[Claim | None]:
    match = _SET.fullmatch(clause.text) or _HELD.fullmatch(clause.text) or _TIMED.fullmatch(clause.text)
    if match is None:
        return
    groups = match.groupdict()
    value, old = match["v"].casefold(), (groups.get("from") or "").casefold()
    marks = match.re is _SET or any(groups.get(name) for name in ("now", "now2", "now3", "mark", "from"))
    about = _subject(match["s"], clause.who)
    if about is None or len(value.split()) > 8 or not regex.match(r"(?:on|at|every|to)\s|\S*\d|\S+days?\b", value):
        return
    name = about[0]
    end = clause.start + len(clause.text) if not clause.is_changed else clause.start + clause.length
    for attribute, pattern in (("day", _WEEKDAY), ("time", _CLOCK), ("date", _DATE)):
        found = sorted({one.rstrip("s") for one in pattern.findall(value)})
        was = sorted({one.rstrip("s") for one in pattern.findall(old)})
        if found:
            told = " ".join(found)
            yield Claim(name, attribute, told, False, bool(marks), " ".join(was) or None, clause.start, end)


def _other(clause: _Clause) -> Iterator[Claim | None]:
    """Of an attribute that no table has, what is called new, and what something new can take the place of."""
    match = _POSSESSIVE_NEW.fullmatch(clause.text)
    is_new = match is not None
    match = match or _POSSESSIVE_OLD.fullmatch(clause.text)
    if match is None or match["noun"] in SINGLE_NOUNS or _NO_NAME.match(match["v"]):
        return
    attribute, _ = _attribute(match)
    is_favourite, noun = _FAVOURITE.search(attribute) is not None, folded_text(match["noun"])
    if _is_plural(noun) or (noun in MANY_NOUNS and not is_favourite):
        return
    groups = match.groupdict()
    marks = is_new or bool(groups.get("now") or groups.get("mark"))
    name = f"{OTHER}/{_FAVOURITE.sub('favourite', attribute)}?"
    look = Look.ANY if is_favourite else Look.NAME
    yield clause.claim(match["s"], name, match["v"], marks=marks, old=groups.get("from"), look=look)


_NO_NAME = regex.compile(r"(?:in|at|on|to|a|an|the|not|so|very)\s")
_FAVOURITE = regex.compile(r"\bfavou?rite\b", regex.IGNORECASE)
_COMPLEMENT = regex.compile(
    rf"(?P<s>.{{1,{_LONGEST_SUBJECT}}}?){_BE}\s+(?P<v>(?:an?\s+)?[\p{{L}}\p{{N}}-]+(?:\s+[\p{{L}}\p{{N}}-]+){{0,2}})",
    regex.VERSION1,
)


def _being(clause: _Clause) -> Iterator[Claim | None]:
    """What somebody or something is: many things at once, each until the text says that it is so no longer."""
    match = _COMPLEMENT.fullmatch(clause.text)
    about = None if match is None else _subject(match["s"], clause.who)
    if match is not None and about is not None and not about[1]:
        made = clause.claim(match["s"], "being?", match["v"], marks=False)
        if made is not None:
            yield replace(made, marks_change=clause.is_over)


def _is_many(noun: str) -> bool:
    return noun in MANY_NOUNS or _is_plural(noun)


def _is_plural(noun: str) -> bool:
    return noun.endswith("s") and not noun.endswith(("ss", "us"))


_KIN_BEFORE = regex.compile(r"(?:my|our)\s+(?:(?!(?:at|in|of|for|with|from|to|on|by)\s)\p{Ll}+\s+){1,2}(?=\p{Lu})")
_DETERMINER = regex.compile(r"(the|my|our|your|his|her|their|this|that|a|an)\s+", regex.IGNORECASE)
_POSSESSIVE_END = regex.compile(r"['’]s?\Z")


def _subject(raw: str, who: str | None) -> tuple[str, bool] | None:
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
    if not words or len(words) > 4 or set(words) & (CLAUSE_WORDS | NO_SUBJECT) or _is_plural(words[-1]):
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
class _Value:
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
_DATED = regex.compile(r"\b(?:in|since|around)\s+(?:\p{Lu}\p{L}+\s+)?(?:19|20)\d\d\b|\bago\b|\bback\s+(?:in|when)\b")
"""When something was, told beside it: when the text was written says nothing then about which of two is newer."""
_NO_PLACE = regex.compile(
    rf"\d|(?:{_MONTHS}|{_WEEKDAY.pattern}|christmas|easter|thanksgiving|new\s+year|night|noon|room|building|apartment|flat"
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


def _cut(raw: str) -> str:
    end = _VALUE_END.search(raw)
    return (raw if end is None else raw[: end.start()]).strip().rstrip(".,")


def _value(raw: str, look: Look) -> _Value | None:
    """A value as it is compared; None if the words are none of that look."""
    cut = _cut(raw) if look is not Look.TIME else raw.strip().rstrip(".,")
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
    return _Value(folded, kind["kind"] if kind is not None else "", len(cut)) if folded else None


def _told(raw: str, attribute: str, look: Look) -> _Value | None:
    """A value of an attribute; None if the words can be none."""
    made = _value(_YEAR_AFTER.sub("", raw) if look is Look.NAME else raw, look)
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
            return _TIME.search(plain.casefold()) is not None
        case _:
            return True


def _level(attribute: str, value: _Value | None) -> str:
    """What tells apart values that do not exclude each other: somebody's city, country, continent."""
    if value is None or attribute not in PLACES:
        return ""
    if value.level:
        return f"#{value.level}" if value.level in ("country", "state", "continent") else ""
    return "#continent" if value.folded in CONTINENTS else "#country" if value.folded in COUNTRIES else ""
