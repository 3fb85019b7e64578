"""What a question asks for, read from its words and shape: no model.

The kind of answer follows from the question word and the noun after it, as in the first question-answering systems (Li
and Roth, Learning question classifiers, COLING 2002, whose hand-made rules these resemble). An order ("first", "before
the wedding") is told from times ("the first week of May", "before 2020") and from other uses ("first name", "look
after"). Where nothing is sure, a question is WHAT, a text a STATEMENT, and a hint None.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from gpu.bank.records import Kind
from retrieval.analysis.identifiers import identifiers, phrases
from retrieval.analysis.mentions import mentions
from retrieval.analysis.places import asked_place_ids
from retrieval.analysis.question_words import (
    ACTORS,
    AFTER_VERBS,
    AUXILIARIES,
    DID_WHAT,
    HOW_MANY_WORDS,
    HOW_TO_NOUNS,
    LASTING,
    LEAD_INS,
    LIST_NOUNS,
    LIST_VERBS,
    NO_ANCHOR,
    NOT_FIRST,
    NOT_LAST,
    OBJECTS,
    SUBJECTS,
    SURE_TASKS,
    TASKS,
    TOOLS,
    WH,
    WHEN_NOUNS,
    WHERE_NOUNS,
    WHO_NOUNS,
    WHY_NOUNS,
)
from retrieval.analysis.times.spans import time_spans
from retrieval.types import Order, Question, QuestionType

_LONGEST_CLAUSE = 2_000
_LONGEST_ANCHOR = 120
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_LEAD_IN = re.compile(rf"(?:(?:{LEAD_INS})\b[\s,:]*+)", re.IGNORECASE)
_OPENING_CLAUSE = re.compile(r"\s*(?:when|while|after|before|if|as|since|during|once|because|until)\b", re.IGNORECASE)
_REQUEST = re.compile(
    r"\s*(?:(?:hey|hi|ok|okay)[\s,]+)?"
    r"(?P<asked>(?:please|can you|could you|would you|will you|i need you to|i want you to|help me(?: to)?)[\s,]+){0,2}"
    r"(?P<verb>[a-z]+)\s+(?P<object>[^\s.,!?]+)(?P<more>\s+\S)?",
    re.IGNORECASE,
)
_FIRST = re.compile(r"\b(?:first|earliest|initially|originally|oldest)\b(?:\s+([\w']+))?", re.IGNORECASE)
_LAST = re.compile(
    r"(?:\b([\w']{1,30})\s+)?\b(?:last|latest|most\s+recent(?:ly)?|newest|lately)\b(?:\s+([\w']+))?", re.IGNORECASE
)
_LASTS = re.compile(r"\bhow long\b[^.?!]*\blast\Z", re.IGNORECASE)
_AROUND = re.compile(
    r"(?:\b(?P<verb>\w+)\s+)?\b(?P<word>before|after|prior\s+to|following|since|until)\s+"
    rf"(?P<anchor>[^,;?!.\n]{{2,{_LONGEST_ANCHOR}}})",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"\s+(?:what|where|who|when|why|how|which|did)\b", re.IGNORECASE)
_SEMANTIC = re.compile(
    r"\b(?:what|who|which)(?:\s+(?:is|are)|['’]s)\b|\bdoes\b.*\bmean\b|\bdefin(?:e|ition)\b|\bdifference between\b",
    re.IGNORECASE,
)
_EPISODIC = re.compile(
    r"\bwhen\s+(?:did|was|were|had)\b|\b(?:last|first) time\b|\bwhat\s+(?:had\s+)?happened\b|\bremember when\b"
    r"|\bhow long ago\b",
    re.IGNORECASE,
)
_PAST = re.compile(r"\b(?:did|was|were|had)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Shape:
    """The asking part of a text: its words in lower case, and whether a question mark ends it."""

    words: tuple[str, ...]
    marked: bool

    def word(self, index: int) -> str:
        return self.words[index] if index < len(self.words) else ""


def question(text: str, asked_at: datetime | None) -> Question:
    """Reads a question.

    Args:
        text: the question, or whatever is asked with: a chat message, a request.
        asked_at: its "now"; None: only full dates are times.
    """
    spans = time_spans(text, asked_at, asks=True)
    kind = question_type(text)
    order, anchor = order_of(text)
    return Question(
        type=kind,
        names=mentions(text),
        spans=spans,
        order=order,
        anchor=anchor,
        phrases=phrases(text),
        identifiers=identifiers(text),
        place_ids=asked_place_ids(text),
        kind_hint=kind_hint(text, kind, timed=len(spans) > 0, ordered=order is not None),
    )


def question_type(text: str) -> QuestionType:
    """The kind of answer that a text asks for; STATEMENT if it asks for none."""
    clause = _asking(text)
    shape = _shape(clause)
    if not shape.words:
        return QuestionType.STATEMENT
    told = _LEAD_IN.match(clause.lstrip()) is not None
    start = 0
    while start < 2 and shape.word(start) not in WH and shape.word(start + 1) in WH:  # "in which year"
        start += 1
    rest = _Shape(shape.words[start:], shape.marked)
    word = rest.word(0).replace("’", "'").removesuffix("'s")
    found = None
    if word in WH:
        found = _RULES[word](rest)
        if not (shape.marked or told) and not _asks(rest, word):
            return QuestionType.STATEMENT
    elif word in LIST_VERBS and rest.word(1) in OBJECTS | {"every", "each"}:
        found = QuestionType.LIST
    elif rest.word(0) in AUXILIARIES and (shape.marked or _inverted(rest, clause)):
        found = QuestionType.YES_NO
    if found is not None:
        return found
    if shape.marked:
        return _marked(shape)
    return QuestionType.WHAT if _LEADS_TO_WHAT.match(clause) else QuestionType.STATEMENT


def order_of(text: str) -> tuple[Order | None, str]:
    """The order that a question asks for, and the event in words that it refers to (or "")."""
    text = _sentence(text)
    for match in _AROUND.finditer(text):
        anchor = _anchor(match, text)
        if anchor:
            word = match["word"].lower()
            return (Order.BEFORE if word in {"before", "until"} or word.startswith("prior") else Order.AFTER), anchor
    for match in _FIRST.finditer(text):
        if (match[1] or "").lower() not in NOT_FIRST - {"thing", "day", "person"}:
            return Order.FIRST, ""
    for match in _LAST.finditer(text):
        before, after = (match[1] or "").lower(), (match[2] or "").lower()
        word = match.group().lower()
        if after == "" and _LASTS.search(text, 0, match.end()):
            continue
        if "last" not in word.split() or (after not in NOT_LAST and before not in LASTING and not after.isdigit()):
            return Order.LAST, ""
    return None, ""


def kind_hint(text: str, asks: QuestionType, *, timed: bool, ordered: bool) -> Kind | None:
    """The kind of memory that would answer, if the words say so."""
    clause = _asking(text)
    words = _shape(clause).words
    if asks is QuestionType.HOW_TO or _is_request(text):
        return Kind.PROCEDURAL
    if words[:1] in {("which",), ("what",)} and set(words[1:3]) & (TOOLS | {"steps"}):
        return Kind.PROCEDURAL
    if asks is QuestionType.STATEMENT:
        return None
    if _EPISODIC.search(clause) or (timed and _PAST.search(clause)):
        return Kind.EPISODIC
    if not timed and not ordered and not _PAST.search(clause) and _SEMANTIC.search(clause):
        return Kind.SEMANTIC
    return None


def _sentence(text: str) -> str:
    """The sentence that asks: the last that ends in a question mark, else the text; at most 2,000 characters of it."""
    mark = max(text.rfind("?"), text.rfind("？"))
    if mark >= 0:
        start = max(text.rfind(end, 0, mark) for end in (". ", "! ", "? ", "\n", "？"))
        text = text[max(start + 1, mark - _LONGEST_CLAUSE) : mark + 1]
    return text.strip()[:_LONGEST_CLAUSE]


def _asking(text: str) -> str:
    """The asking part of that sentence: of "When Anna was in Rome, what did she eat?" what follows the comma."""
    clause = _sentence(text)
    if _OPENING_CLAUSE.match(clause):
        comma = clause.find(",")
        first = _shape(clause[comma + 1 :]).word(0) if comma >= 0 else ""
        if first.replace("’", "'") in WH | AUXILIARIES:
            return clause[comma + 1 :].strip()
    return clause


def _shape(clause: str) -> _Shape:
    clause = clause.lstrip()
    for _ in range(4):
        lead = _LEAD_IN.match(clause)
        if lead is None:
            break
        clause = clause[lead.end() :]
    words = tuple(word.lower().replace("’", "'") for word in _WORD.findall(clause[:_LONGEST_CLAUSE]))
    return _Shape(words, clause.rstrip().endswith(("?", "？")))


_LEADS_TO_WHAT = re.compile(
    r"(?:please\s+)?(?:tell me (?:about|more)|remind me (?:of|about)|describe)\b", re.IGNORECASE
)


def _asks(shape: _Shape, word: str) -> bool:
    """Whether a question word without a question mark asks: "when did", "what happened", but "when I was young"."""
    following = [shape.word(1), shape.word(2), shape.word(3)]
    if "'s" in shape.word(0) or following[0] in AUXILIARIES:
        return True
    if word in {"when", "where", "why"}:
        return False
    if word == "how":
        return following[0] == "to" or bool(AUXILIARIES.intersection(shape.words[1:5]))
    return following[0] not in SUBJECTS and following[0] != ""


def _inverted(shape: _Shape, clause: str) -> bool:
    """Whether an auxiliary stands before its subject: "does he", "is Anna"; a question mark may be missing."""
    written = _WORD.findall(clause)
    names = len(written) > 1 and written[1][0].isupper() and shape.word(0) not in {"may", "will"}
    return len(shape.words) > 2 and (shape.word(1) in SUBJECTS - {"that"} or names)


def _marked(shape: _Shape) -> QuestionType:
    """A question mark after something that opens like no question."""
    tags = {"right", "correct", "true", "yes", "no"}
    if shape.words[-1] in tags or (len(shape.words) > 2 and shape.words[-2].replace("n't", "") in AUXILIARIES):
        return QuestionType.YES_NO
    inner = next((place for place, word in enumerate(shape.words) if word.removesuffix("'s") in WH), None)
    if inner is not None:
        rest = _Shape(shape.words[inner:], marked=True)
        return _RULES[rest.word(0).removesuffix("'s")](rest)
    return QuestionType.WHAT


def _who(shape: _Shape) -> QuestionType:
    return QuestionType.LIST if shape.words[1:3] == ("are", "all") else QuestionType.WHO


def _how(shape: _Shape) -> QuestionType:
    second, third = shape.word(1), shape.word(2)
    if second == "come":
        return QuestionType.WHY
    if second == "long" and third == "ago":
        return QuestionType.WHEN
    if second in HOW_MANY_WORDS:
        return QuestionType.HOW_MANY
    if second == "to":
        return QuestionType.HOW_TO
    if third in ACTORS and second in {"do", "does", "can", "could", "should", "would", "must"}:
        return QuestionType.HOW_TO
    if second == "did" and third in ACTORS and shape.word(3) in DID_WHAT:
        return QuestionType.HOW_TO
    return QuestionType.WHAT


def _which(shape: _Shape) -> QuestionType:
    return _what(shape)


def _what(shape: _Shape) -> QuestionType:
    """By the noun that it asks for: "what time", "which city", "what is the reason", "what books"."""
    noun = shape.word(1)
    if noun in {"a", "an"} and not shape.marked:
        return QuestionType.STATEMENT
    by_noun = _by_noun(noun)
    if by_noun is not None:
        return by_noun
    if noun in LIST_NOUNS or (noun == "of" and shape.word(0) == "which"):
        return QuestionType.LIST
    if noun in {"number", "amount"}:
        return QuestionType.HOW_MANY
    if noun == "made" and shape.words[-1] != "made":
        return QuestionType.WHY
    contracted = shape.word(0).endswith("'s")
    if noun in {"is", "was", "are", "were"} or contracted:
        return _what_is(shape, 1 if contracted else 2)
    plural = noun.endswith("s") and len(noun) > 3 and noun not in AUXILIARIES and not noun.endswith(("ss", "us", "is"))
    if plural and (shape.word(2) in AUXILIARIES or shape.word(2) in {"of", "in", "that", "from", "at"}):
        return QuestionType.LIST
    return QuestionType.WHAT


def _what_is(shape: _Shape, index: int) -> QuestionType:
    plural = shape.word(index - 1) in {"are", "were"}
    index += shape.word(index) in {"the", "my", "her", "his", "their", "our", "your"}
    index += shape.word(index) in {"best", "right", "usual", "main", "correct", "exact", "fastest", "easiest"}
    noun = shape.word(index)
    if noun in WHY_NOUNS and shape.word(index + 1) in {"for", "of", "behind", "that", "why", "to"}:
        return QuestionType.WHY
    if noun in HOW_TO_NOUNS and shape.word(index + 1) in {"to", "for", "of"}:
        return QuestionType.HOW_TO
    if noun == "date":
        return QuestionType.WHEN
    return QuestionType.LIST if plural and (noun in LIST_NOUNS or noun.endswith("s")) else QuestionType.WHAT


def _by_noun(noun: str) -> QuestionType | None:
    for nouns, kind in (
        (WHEN_NOUNS, QuestionType.WHEN),
        (WHERE_NOUNS, QuestionType.WHERE),
        (WHO_NOUNS, QuestionType.WHO),
        (WHY_NOUNS, QuestionType.WHY),
        (HOW_TO_NOUNS, QuestionType.HOW_TO),
    ):
        if noun in nouns:
            return kind
    return None


_RULES = {
    **dict.fromkeys(("who", "whom", "whose"), _who),
    "when": lambda shape: QuestionType.WHEN,
    "where": lambda shape: QuestionType.WHERE,
    "why": lambda shape: QuestionType.WHY,
    "how": _how,
    "which": _which,
    "what": _what,
}


def _anchor(match: re.Match[str], text: str) -> str:
    """The event after "before" or "after", or "" if it is a date, a pronoun, or part of a verb such as "look after"."""
    word, verb = match["word"].lower(), (match["verb"] or "").lower()
    if word == "after" and verb in AFTER_VERBS and not (verb in {"day", "week", "month", "year"} and _said_the(match)):
        return ""
    anchor = match["anchor"]
    if match.start("word") <= _first_letter(text):  # "Before moving to Berlin where did I live"
        cut = _CLAUSE_END.search(anchor)
        anchor = anchor[: cut.start()] if cut else anchor
    anchor = anchor.strip(" \t\"'“”")
    if not anchor or anchor.split()[0].lower() in NO_ANCHOR or _is_time(match["word"] + " " + anchor):
        return ""
    return anchor


def _said_the(match: re.Match[str]) -> bool:
    return match.string[: match.start("verb")].rstrip().lower().endswith("the")


def _first_letter(text: str) -> int:
    return len(text) - len(text.lstrip())


def _is_time(anchor: str) -> bool:
    """Whether an anchor is a time rather than an event: its first words alone make one."""
    words = anchor.split()
    head = " ".join(words[:4])
    return len(time_spans(head, _ANY_TIME)) > 0 and len(time_spans(" ".join(words[:2]) + ".", _ANY_TIME)) >= (
        len(words) <= 2
    )


_ANY_TIME = datetime.fromisoformat("2024-05-16T12:00:00+00:00")
"""A moment to try relative words with; which one makes no difference."""


def _is_request(text: str) -> bool:
    """Whether a text asks for a piece of work: "summarise this article", "can you write an email"."""
    match = _REQUEST.match(text[:_LONGEST_CLAUSE])
    if match is None:
        return False
    verb, what = match["verb"].lower(), match["object"].lower()
    verbs = TASKS if match["asked"] else SURE_TASKS
    asked = match["asked"] is not None
    return verb in verbs and what in OBJECTS and match["more"] is not None and (asked or "?" not in text)
