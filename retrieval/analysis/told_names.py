"""Statements that two names stand for the same: "Robert Mbeki, also known as the Falcon". English, by rules. Pure.

Two names that follow each other in a text are tied where what stands between them (and around them) is one of the forms
below, and nothing else. Precision comes first: a form that has a second reading needs a sign of the one that is meant.

| form | examples |
|---|---|
| in passing | `A, also known as the B`, `A (a.k.a. B)`, `A, now called B`, `A, whom friends call B`, `A, née B` |
| outright | `A is nicknamed B`, `A goes by B`, `A's nickname is B`, `B is short for A`, `B is A's stage name` |
| calling | `everyone calls A the B`, `friends call A "B"`, `everyone calls Katherine Kit` (a known short form) |
| initials | `World Health Organization (WHO)`, `WHO stands for …`, `World Health Organization, WHO for short` |
| of oneself | `my nickname is B`, `friends call me B`, `I go by B`, `call me B`: the speaker is B |

Nothing is told by a question, nor by what is said outright behind a word of doubt ("if", "I think", "not", "would");
nor where one of the names stands in a row of names, or hangs on another noun ("the capital of Peru is called Lima").
Pronouns are not followed: "they call him B" tells nothing.

Time grows with the length of the text: every look is at a stretch of bounded length.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from retrieval.analysis.given_names import is_given_name, short_forms
from retrieval.analysis.mentions import Spot, folded, spots
from retrieval.types import ToldName

_MOST_TOLD = 32
_MOST_LOOKS = 1_000
"""So many places of a text are looked at closely; a text that has more of them tells of names nowhere else."""
_LONGEST_GAP = 90
_LOOK_BACK = 160
_LONGEST_REST = 400
"""Of a sentence that goes on for longer it is not known whether it asks."""

_FLAGS = regex.IGNORECASE | regex.VERSION1
_OPEN_QUOTE = "[\"“‘']?"
_TO = rf"\s+{_OPEN_QUOTE}(?:the\s+)?{_OPEN_QUOTE}"
"""From the last word of a form to the name."""
_TO_BARE = rf"\s+{_OPEN_QUOTE}"
_ADVERB = (
    r"(?:also|better|best|otherwise|commonly|widely|usually|generally|mostly|often|sometimes|now|still|simply|just|always"
    r"|once|formerly|previously|originally|affectionately|fondly)"
)
_KNOWN = rf"(?:{_ADVERB}\s+){{0,2}}known(?:\s+(?:simply\s+|to(?:\s+[a-z]+){{1,3}}\s+))?\s*\bas"
_CALLERS = (
    r"(?:everyone|everybody|people|friends|we|they|all|others|locals|neighbou?rs|colleagues|classmates|fans|most\s+people"
    r"|(?:(?:my|his|her|their|our|the|most|all|some|close|old|her\s+close|his\s+close)\s+){1,2}"
    r"(?:friends|family|parents|colleagues|people|team|kids|children|fans|students|classmates|siblings|relatives))"
)
_OFTEN = r"(?:(?:always|usually|often|all|just|still|simply|only|also)\s+)?"
_CALLING = rf"{_CALLERS}\s+{_OFTEN}(?:calls?|called|nicknamed?)"
_KIND_OF_NAME = (
    r"(?:nickname|pet\s+name|alias|pseudonym|pen\s+name|stage\s+name|code\s?name|user\s?name|handle"
    r"|(?:real|full|legal|birth|given|first|old|new|former|other|short|original|preferred|chosen)\s+name)"
)
_NAMED = r"(?:called|nicknamed)"
"""Not "named": to be named director is no name."""
_IS = r"(?:is|was|has\s+been|['’]s)"
_GOES_BY = r"(?:goes|prefers\s+to\s+go)(?:\s+mostly|\s+just)?\s+by"


def _any(*forms: str) -> regex.Pattern[str]:
    return regex.compile("|".join(f"(?:{form})" for form in forms), _FLAGS)


_IN_PASSING = _any(
    rf"\s*[,(\[–—-]?\s*{_KNOWN}{_TO}",
    rf"\s*[,(\[–—-]?\s*a\.?k\.?a\.?,?{_TO}",
    rf"\s*[,(\[–—-]?\s*\balias{_TO}",
    rf"\s*[,(\[–—]\s*(?:{_ADVERB}\s+)?(?:nicknamed|dubbed|renamed){_TO}",
    rf"\s*[,(\[–—]\s*(?:now|formerly|originally|since)\s+(?:called|named){_TO}",
    rf"\s*[(\[]\s*(?:{_ADVERB}\s+)?called{_TO}",
    rf",?\s+(?:who|which)\s+(?:is|was|has\s+been)\s+(?:{_KNOWN}|(?:{_ADVERB}\s+)?{_NAMED}){_TO}",
    rf",?\s+who\s+{_GOES_BY}{_TO_BARE}",
    rf",?\s+whom?\s+{_CALLING}{_TO}",
    rf",?\s+whom?\s+{_CALLERS}\s+knows?\s+as{_TO}",
    rf",?\s+whose\s+{_KIND_OF_NAME}\s+{_IS}{_TO}",
)
"""Between a name and another name of the same."""
_SHORT_IN_PASSING = _any(rf"\s*[,(\[–—]\s*(?:which\s+is\s+)?(?:just\s+)?short\s+for{_TO}")
"""Between another name and the name."""
_OUTRIGHT = _any(
    rf"(?:\s+{_IS}|['’]s)\s+(?:{_KNOWN}|(?:{_ADVERB}\s+)?{_NAMED}){_TO}",
    rf"\s+used\s+to\s+be\s+(?:called|known\s+as){_TO}",
    rf"\s+{_GOES_BY}(?:\s+the\s+(?:nick)?name(?:\s+of)?)?{_TO_BARE}",
    rf"['’]s?\s+{_KIND_OF_NAME}\s+{_IS}{_TO}",
    rf"\s+{_IS}\s+(?:{_ADVERB}\s+)?(?:abbreviated|shortened)\s+(?:as|to){_TO}",
)
_SHORT_OUTRIGHT = _any(
    rf"[\"”’]?(?:\s+{_IS}|['’]s)\s+(?:(?:just|also|actually|really)\s+)?short\s+for{_TO}",
    rf"[\"”’]?\s+{_IS}\s+(?:just\s+|also\s+)?(?:the|an?|another|one)\s+"
    rf"(?:{_KIND_OF_NAME}|name|short\s+form|abbreviation|acronym|shorthand)\s+(?:of|for){_TO}",
    rf"\s+{_IS}\s+the\s+same\s+(?:person|man|woman|place|city|company|thing)\s+as{_TO}",
)
_GOES = _any(rf"\s+{_GOES_BY}\b")
_ARTICLE = _any(r"\bthe\s+\Z")
_BORN = _any(r"\s*[,(]?\s*n[ée]e?\s+")
_STANDS_FOR = _any(rf"\s+stands\s+for{_TO}")
_OF_WHOM = _any(rf"[\"”’]?\s+{_IS}\s+")
"""Between another name and the name if "'s nickname" follows."""
_OPENS = _any(rf"\s*[(\[]\s*{_OPEN_QUOTE}")
_SEPARATES = _any(rf"\s*[,(]\s*(?:or\s+)?(?:just\s+)?{_OPEN_QUOTE}")
_AS_CALLED = _any(r"\s+the\s+", r"\s+(?:the\s+)?[\"“‘]")

_CALLS = regex.compile(rf"(?:^|[^\p{{L}}]){_CALLING}\s+\Z", _FLAGS)
_MY_CLAUSE = r"(?:\A|[.!?;:,\n–—]\s*|\b(?:and|but|so|because|though|although)\s+)"
_OF_ME = regex.compile(
    rf"{_MY_CLAUSE}(?:(?:hi|hello|hey|oh|well|so|and|but|yes|no|actually|please|by\s+the\s+way)[\s,!]+)?(?:"
    rf"my\s+(?:{_KIND_OF_NAME}|name)\s+(?:is|was){_TO}|my\s+name['’]s{_TO}"
    rf"|{_CALLING}\s+me{_TO}"
    rf"|i\s+(?:also\s+|mostly\s+|usually\s+|prefer\s+to\s+)?go\s+by(?:\s+the\s+(?:nick)?name(?:\s+of)?)?{_TO_BARE}"
    rf"|i(?:\s+am|['’]m)\s+(?:{_KNOWN}|(?:{_ADVERB}\s+)?(?:called|nicknamed)){_TO}"
    rf"|(?:you\s+can\s+|(?:please\s+)?(?:just\s+)?)call\s+me{_TO}"
    r")\Z",
    _FLAGS,
)
_CLOSED = regex.compile(
    r"[\"”’»'*]?(?:\s*\Z|\s*[.,;:!?)\]…\n–—]|\s+-\s|\s+(?:is|was|are|has|had|who|and|but|or|because|since|in|at|on|by"
    r"|among|amongst|for|when|while|from|these|now|with|after|before|until|here|there|by|to|will|would|can|could|did|does"
    r"|lives|lived|works|worked|went|came|said|says)\b)",
    _FLAGS,
)
"""What may follow the second name: it is whole, and no part of another word."""
_FOR_SHORT = regex.compile(r"[\"”’]?,?\s+for\s+short\b", _FLAGS)
_NICKNAME_OF_HIM = regex.compile(rf"['’]s?\s+{_KIND_OF_NAME}(?=\s*(?:[.,;:!)]|\Z))", _FLAGS)
_ROW_AFTER = regex.compile(
    r"[\"”’]?(?:,\s*(?:or\s+)?|\s+(?:and|or|&)\s+|\s*/\s*)(?:the\s+)?[\"“‘]?(?!I\b)\p{Lu}", regex.VERSION1
)
_ROW_BEFORE = regex.compile(r"\s*(?:,|/|&|\band|\bor)\s*(?:(?:and|or)\s+)?(?:the\s+)?", _FLAGS)
_CLAUSE_START = regex.compile(
    r"(?:\A|[.!?;:\n–—(,]\s*|\b(?:and|but|so|that|because|where|as|though|although|while|since|btw|fyi)\s+)"
    r"(?:the\s+|(?:my|his|her|our|their|your)\s+(?:best\s+|old\s+|good\s+|little\s+|big\s+)?(?:friend|sister|brother"
    r"|mother|father|mom|mum|dad|son|daughter|wife|husband|partner|cousin|uncle|aunt|neighbou?r|colleague|boss|teacher"
    r"|roommate|dog|cat)\s+)?[\"“‘']?\Z",
    _FLAGS,
)
_PREPOSITION = regex.compile(
    r"\b(of|in|at|from|to|near|with|by|for|on|about|like|than|between|behind|under|over|into|through|via)"
    r"\s+(?:the\s+)?[\"“‘']?\Z",
    _FLAGS,
)
_DOUBT = regex.compile(
    r"\b(?:not|never|no|nobody|none|nor|if|whether|unless|would|could|might|may|maybe|perhaps|suppos\w*|imagin\w*"
    r"|pretend\w*|wish\w*|hop(?:e|es|ed|ing)|doubt\w*|rumou?r\w*|jok\w*|claim\w*|guess\w*|thinks?|thought|assum\w*"
    r"|probably|possibly|should|den(?:y|ies|ied)|false\w*|wrong\w*|mistak\w*|confus\w*|wonder\w*|as\s+though|let['’]s"
    r"|believe[sd]?|unlikely|likely)\b|n['’]t\b",
    _FLAGS,
)
_DOUBT_AFTER = regex.compile(
    r"[\"”’]?,?\s+(?:i\s+(?:think|guess|believe|suppose|assume|heard)|maybe|perhaps|probably|possibly|supposedly|right\b"
    r"|correct\b|or\s+(?:so|something|not)|if\s+)",
    _FLAGS,
)
_SENTENCE_ENDS = regex.compile(r"[.!?]+(?=[\s\"”’)\]]|\Z)|\n")
_CAPITALISED = r"\p{Lu}[\p{L}\p{M}\p{N}.'’\-]*"
_LINE_OF_SPEAKER = regex.compile(
    rf"^[ \t]*(?P<who>{_CAPITALISED}(?:[ \t]{{1,4}}{_CAPITALISED}){{0,3}}):(?=\s)", regex.MULTILINE
)
_QUOTE = regex.compile('["“”«»]')
_ANYBODY = """
    everyone everybody someone somebody anyone anybody nobody people friends mom mum mommy mummy mother dad daddy father
    grandma grandpa granny nana grandmother grandfather aunt auntie uncle sister brother son daughter wife husband baby
    user assistant system human ai bot agent customer client speaker narrator me mine god lord sir madam
    king queen prince princess president director doctor professor captain chief coach boss judge teacher
    i'm i've i'd i'll i’m i’ve i’d i’ll
"""
_NO_PARTY = frozenset(_ANYBODY.split())
"""What is capitalised and names nobody, or somebody else in every mouth."""
_OPENING = """
    note reminder remember update summary subject fact fyi ps user speaker also always almost already never ever often
    sometimes soon still yet even maybe perhaps tonight later instead anyway somehow well
"""
_OPENINGS = frozenset(_OPENING.split())
"""Words that open a sentence, or a line as somebody's name would, and are none."""
_CUE = regex.compile(
    r"known|\ba\.?k\.?a\b|alias|nicknam|dubbed|called|named|\bcalls?\b|\bgo(?:es)?\b|name\b|short|\bn[ée]e?\b|stands"
    r"|same|shorthand|abbreviat|acronym|name['’]s|pseudonym|handle|[(\[]",
    _FLAGS,
)
"""One of these stands in every statement."""


def told_names(text: str, speaker: str | None = None) -> tuple[ToldName, ...]:
    """What a text tells of names, in its order, each once, at most 32.

    Args:
        text: what is said.
        speaker: who says it, whom "my nickname" speaks of; None: whoever opens a line with a name and a colon.
    """
    found: dict[tuple[str, str], ToldName] = {}
    for told in _Reader(text, speaker).read():
        key = folded(told.alias), folded(told.name)
        if key[0] != key[1] and not any(_names_nobody(side) for side in key):
            found.setdefault(key, told)
            if len(found) == _MOST_TOLD:
                break
    return tuple(found.values())


@dataclass(slots=True)
class _Reader:
    """One text with its names."""

    text: str
    speaker: str | None

    def read(self) -> Iterator[ToldName]:
        cues = [match.start() for match in _CUE.finditer(self.text)]
        if not cues:
            return
        places = [spot for spot in spots(self.text) if not _names_nobody(folded(spot.name))]
        speakers = _speakers(self.text)
        looks = 0
        for number, second in enumerate(places):
            first = places[number - 1] if number else None
            if not _has_between(cues, second.start - _LOOK_BACK, second.end + len(", for ")):
                continue
            looks += 1
            if looks > _MOST_LOOKS:
                return
            told = None
            if first is not None and 0 < second.start - first.end <= _LONGEST_GAP:
                told = self._of_two(places[number - 2] if number > 1 else None, first, second)
            told = told or self._of_me(second, speakers) or self._split(second)
            if told is not None and not self._asks(second.end):
                yield told

    def _of_two(self, before: Spot | None, first: Spot, second: Spot) -> ToldName | None:
        gap = self.text[first.end : second.start]
        if _OF_WHOM.fullmatch(gap) and _NICKNAME_OF_HIM.match(self.text, second.end):
            return self._outright(before, first, second, ToldName(first.name, second.name))
        if not _CLOSED.match(self.text, second.end):
            return None
        if _SEPARATES.fullmatch(gap) and _FOR_SHORT.match(self.text, second.end):
            return ToldName(second.name, first.name)
        if _ROW_AFTER.match(self.text, second.end):
            return None
        if _OUTRIGHT.fullmatch(gap):
            # "The Orient Express goes by Lisbon": what has an article goes its way.
            if _GOES.match(gap) and _ARTICLE.search(self.text[max(0, first.start - _LOOK_BACK) : first.start]):
                return None
            return self._outright(before, first, second, ToldName(second.name, first.name))
        if _SHORT_OUTRIGHT.fullmatch(gap) or (_STANDS_FOR.fullmatch(gap) and _are_initials(first.name, second.name)):
            return self._outright(before, first, second, ToldName(first.name, second.name))
        if self._is_called(first, gap):
            return self._calling(first, second)
        return self._in_passing(before, first, second, gap)

    def _in_passing(self, before: Spot | None, first: Spot, second: Spot, gap: str) -> ToldName | None:
        told = None
        if _IN_PASSING.fullmatch(gap):
            told = ToldName(second.name, first.name)
        elif _SHORT_IN_PASSING.fullmatch(gap):
            told = ToldName(first.name, second.name)
        elif _OPENS.fullmatch(gap) and self.text[second.end : second.end + 2].strip('"”’')[:1] in {")", "]"}:
            if _are_initials(second.name, first.name):
                return ToldName(second.name, first.name)
            return ToldName(first.name, second.name) if _are_initials(first.name, second.name) else None
        elif _BORN.fullmatch(gap):
            told = _born(first.name, second.name)
        if told is None or self._in_row(before, first) or self._hangs(first):
            return None
        return told

    def _outright(self, before: Spot | None, first: Spot, second: Spot, told: ToldName) -> ToldName | None:
        """What is claimed needs its subject at the start of a clause, and nobody who doubts it."""
        behind = self._sentence_before(first.start)
        starts_clause = _CLAUSE_START.search(behind) is not None
        doubted = _DOUBT.search(behind) or _DOUBT.match(first.name)  # "Maybe Kit"
        if not starts_clause or self._in_row(before, first) or doubted:
            return None
        return None if _DOUBT_AFTER.match(self.text, second.end) else told

    def _is_called(self, first: Spot, gap: str) -> bool:
        return _AS_CALLED.fullmatch(gap) is not None and _CALLS.search(self._sentence_before(first.start)) is not None

    def _calling(self, first: Spot, second: Spot) -> ToldName | None:
        if _DOUBT.search(self._sentence_before(first.start)) or _DOUBT_AFTER.match(self.text, second.end):
            return None
        return ToldName(second.name, first.name)

    def _split(self, spot: Spot) -> ToldName | None:
        """Of "everyone calls Katherine Kit" the last word, where the first one is known to be shortened to it."""
        words = spot.name.split()
        if len(words) < 2 or words[-1].casefold() not in short_forms(words[0].casefold()):
            return None
        behind = self._sentence_before(spot.start)
        if not _CALLS.search(behind) or _DOUBT.search(behind) or not _CLOSED.match(self.text, spot.end):
            return None
        if _ROW_AFTER.match(self.text, spot.end) or _DOUBT_AFTER.match(self.text, spot.end):
            return None
        return ToldName(words[-1], " ".join(words[:-1]))

    def _of_me(self, spot: Spot, speakers: tuple[list[int], list[str]]) -> ToldName | None:
        starts, names = speakers
        line = bisect_right(starts, spot.start) - 1
        speaker = (self.speaker or (names[line] if line >= 0 else "")).strip()
        if not speaker:
            return None
        behind = self.text[max(0, spot.start - _LOOK_BACK) : spot.start]
        if not _OF_ME.search(behind) or not _CLOSED.match(self.text, spot.end):
            return None
        said = self._sentence_before(spot.start)
        if _DOUBT.search(said) or _DOUBT_AFTER.match(self.text, spot.end) or _ROW_AFTER.match(self.text, spot.end):
            return None
        # Inside quotation marks somebody else speaks; the mark before the name is no such one.
        if len(_QUOTE.findall(said.rstrip('"“'))) % 2:
            return None
        return ToldName(spot.name, speaker)

    def _in_row(self, before: Spot | None, first: Spot) -> bool:
        """Whether only a comma, "and" or "or" stands between a name and the one before it."""
        if before is None or first.start - before.end > _LONGEST_GAP:
            return False
        if not _ROW_BEFORE.fullmatch(self.text[before.end : first.start]):
            return False
        # "In Lagos, the Falcon is known as Robert": what opens the sentence with a preposition is no part of a row.
        return not _PREPOSITION.match(self._sentence_before(before.start))

    def _hangs(self, first: Spot) -> bool:
        """Whether a preposition ties a name to a noun that the statement may be about instead of it."""
        behind = self._sentence_before(first.start)
        found = _PREPOSITION.search(behind)
        if found is None or not behind[: found.start()].strip(" \t\"“‘'("):
            return False
        # Only people are known by given names, and what hangs on them is seldom known by a name.
        return found[1].casefold() == "of" or not is_given_name(first.name.split()[0].casefold())

    def _sentence_before(self, place: int) -> str:
        """What stands before a place in its sentence, the end of it at most."""
        behind = self.text[max(0, place - _LOOK_BACK) : place]
        ends = [match.end() for match in _SENTENCE_ENDS.finditer(behind)]
        return behind[ends[-1] :].lstrip() if ends else behind

    def _asks(self, place: int) -> bool:
        """Whether the sentence around a place ends in a question mark, or goes on for too long to tell."""
        end = _SENTENCE_ENDS.search(self.text, place, place + _LONGEST_REST)
        if end is None:
            return len(self.text) > place + _LONGEST_REST
        return "?" in end.group()


def _has_between(places: list[int], start: int, end: int) -> bool:
    """Whether one of the places, in ascending order, lies in `[start, end]`."""
    number = bisect_left(places, start)
    return number < len(places) and places[number] <= end


def _names_nobody(name: str) -> bool:
    """Whether a folded name is that of no party, or begins with a word that only opens a sentence."""
    word = name.split(maxsplit=1)[0]
    return name in _NO_PARTY or word in _OPENINGS or (word.endswith("ly") and not is_given_name(word))


def _speakers(text: str) -> tuple[list[int], list[str]]:
    """Where lines begin that name their speaker, and who that is."""
    found = list(_LINE_OF_SPEAKER.finditer(text))
    return [match.end() for match in found], [match["who"].strip() for match in found]


def _are_initials(short: str, long: str) -> bool:
    """Whether a name in capitals is made of the first letters of the other's words, small ones left out or not."""
    letters = short.replace(".", "")
    if not (2 <= len(letters) <= 8 and letters.isupper()):
        return False
    words = long.replace("-", " ").split()
    return letters in {"".join(w[0] for w in words if w[0].isupper()), "".join(w[0] for w in words).upper()}


def _born(name: str, birth_name: str) -> ToldName | None:
    """Of "Katherine Smith, née Jones" the name Katherine Jones."""
    words = name.split()
    if len(words) < 2:
        return None
    return ToldName(birth_name if len(birth_name.split()) > 1 else f"{words[0]} {birth_name}", name)
