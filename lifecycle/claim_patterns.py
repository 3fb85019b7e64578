"""The forms of sentences that make claims, as patterns; see `lifecycle.claims`."""

from __future__ import annotations

import regex

from lifecycle.claim_words import SINGLE_NOUNS

LONGEST_SUBJECT = 100

SPACE = r"\s+"
BE = r"(?:\s+(?:is|are|am)|['’](?:s|m|re))"
JUST = r"(?:\s+(?:now|currently|recently|just|still|already|finally|presently|officially|since))"
HAVE = r"(?:\s+(?:has|have)|['’](?:ve|s))"


def _phrase(words: str) -> str:
    """A phrase with any white space between its words."""
    return words.replace(" ", SPACE)


_AMOUNT = r"\s+[$€£¥]\s?\d[\d.,]*(?:\s+(?:a|an|per)\s+\p{L}+)?"
"""An amount of money, and for how long."""
VERBS: tuple[tuple[str, bool, str], ...] = (
    # attribute, whether the verb itself tells of a change, verb
    ("address", False, rf"{JUST}*\s+(?:live|lives|reside|resides)\s+at(?=\s+\d)"),
    ("address", True, rf"{HAVE}?{JUST}*\s+(?:moved|relocated)\s+to(?=\s+\d+\p{{L}}?\s+\p{{Lu}})"),
    ("residence", False, rf"{JUST}*\s+(?:live|lives|reside|resides)\s+in|{BE}{JUST}*\s+(?:living|based)\s+in"),
    (
        "residence",
        True,
        rf"{HAVE}?{JUST}*\s+(?:moved|relocated)(?:\s+back)?(?:\s+from\s+(?P<from0>.{{1,40}}?))?\s+to",
    ),
    (
        "employer",
        False,
        rf"{JUST}*\s+(?:works|work)\s+(?:at|for)|{BE}{JUST}*\s+(?:employed\s+(?:by|at)|working\s+(?:at|for))",
    ),
    (
        "employer",
        True,
        rf"{HAVE}?{JUST}*\s+(?:started|start|got|took|accepted|have|has|landed|got)\s+(?:working|(?:a|my|his|her)\s+new\s+(?:job|position|role))\s+(?:at|for|with)",
    ),
    ("occupation?", False, rf"{JUST}*\s+(?:works|work)\s+as|{BE}{JUST}*\s+working\s+as"),
    ("field of work", False, rf"{JUST}*\s+(?:works|work)\s+in\s+the\s+field\s+of"),
    ("spouse", False, rf"{BE}{JUST}*\s+married\s+to|\s+got{JUST}*\s+married\s+to"),
    ("citizenship", False, rf"{BE}{JUST}*\s+an?\s+citizen\s+of"),
    ("religion", False, rf"(?:{BE}{JUST}*\s+(?:affiliated|associated)\s+with)\s+the\s+(?:religion|faith)\s+of"),
    ("religion", True, rf"{HAVE}?{JUST}*\s+converted\s+to"),
    ("sport", False, rf"{BE}{JUST}*\s+(?:affiliated|associated)\s+with\s+the\s+sport\s+of"),
    ("position", False, rf"{JUST}*\s+(?:plays|play)\s+(?:in\s+|at\s+)?the\s+position\s+of"),
    ("team", False, rf"{JUST}*\s+plays\s+for"),
    ("birthplace", False, r"(?:\s+(?:is|was|were|am))\s+born\s+(?:in|at)"),
    ("place of death", False, r"\s+died\s+in"),
    ("location", False, rf"{BE}{JUST}*\s+(?:located|situated)\s+in|\s+lies\s+in"),
    ("origin", False, r"\s+(?:is|was|were)\s+(?:created|invented)\s+in|\s+originated\s+in|\s+(?:comes|come)\s+from"),
    ("place of founding", False, r"\s+(?:is|was|were)\s+(?:founded|established)\s+in"),
    ("original language", False, r"\s+(?:is|was|were)\s+(?:originally\s+)?written\s+in"),
    ("creator", False, r"\s+(?:is|was|were)\s+(?:created|invented|designed|developed|written|composed|directed)\s+by"),
    ("founder", False, r"\s+(?:is|was|were)\s+(?:founded|established)\s+by"),
    ("performer", False, r"\s+(?:is|was|were)\s+performed\s+by"),
    ("manager", False, rf"{JUST}*\s+(?:reports|report)\s+to"),
    ("school", False, rf"{JUST}*\s+(?:studies|study)\s+at|{BE}{JUST}*\s+(?:a\s+student|enrolled)\s+at"),
    (
        "employer",
        True,
        rf"{HAVE}?{JUST}*\s+(?P<left>(?:left|quit|resigned\s+from|retired\s+from)(?:\s+(?:my|his|her)\s+job\s+at)?)",
    ),
    ("tool?", False, rf"{JUST}*\s+(?:uses|use)|{BE}{JUST}*\s+using"),
    ("tool?", True, rf"{HAVE}?{JUST}*\s+(?:switched|migrated)\s+from\s+(?P<from1>.{{1,40}}?)\s+to"),
    ("tool?", True, rf"{HAVE}?{JUST}*\s+(?:switched|migrated)\s+to(?=\s+\S.{{0,40}}?\s+from\s+\p{{Lu}})"),
    ("price", False, rf"{JUST}*\s+(?:costs|cost)|{BE}{JUST}*(?={_AMOUNT}(?:\s+now)?\Z)"),
    (
        "price",
        True,
        rf"{HAVE}?{JUST}*\s+(?:went|gone|rose|risen|dropped|fell|fallen)(?:\s+(?:up|down))?"
        rf"(?:\s+from\s+(?P<from2>.{{1,40}}?))?\s+to(?={_AMOUNT}(?:\s+now)?\Z)",
    ),
    ("due date?", False, rf"{BE}{JUST}*\s+due(?:\s+(?:on|by|at))?"),
    (
        "age",
        False,
        rf"(?<=\AI){BE}{JUST}*(?=\s+\d{{1,3}}(?:\s+now)?\Z)|{BE}{JUST}*(?=\s+\d{{1,3}}\s+years?\s+old\b)|\s+(?:has\s+)?{JUST}*turned(?=\s+\d)",
    ),
)
ONE_OF_US = regex.compile(r"\AWe\Z|\Awe\Z")
VERB = regex.compile("|".join(f"(?P<v{number}>{verb})\\b" for number, (_, _, verb) in enumerate(VERBS)), regex.VERSION1)
NOUNS = "|".join(sorted(map(_phrase, SINGLE_NOUNS), key=len, reverse=True))
QUALIFIED = rf"(?P<more>(?:[\p{{L}}\p{{N}}-]+\s+){{0,3}}?)(?P<noun>{NOUNS}|job|home)"
FREE = r"(?P<more>(?:(?:[\p{L}\p{N}-]+\s+){0,2}?)new\s+(?:[\p{L}\p{N}-]+\s+){0,2}?)(?P<noun>[\p{L}-]+)"
CHANGED_TO = (
    r"(?:was|were|has|have|is|are|got|been|just|now|recently|\s)*"
    r"(?P<mark>changed|moved|switched|set|raised|lowered|increased|reduced|updated|postponed|rescheduled|shifted|pushed"
    r"|extended|brought\s+forward|pushed\s+back|became|become)(?:\s+(?:back|forward|up|down))?"
    r"(?:\s+from\s+(?P<from>.{1,40}?))?(?:\s+to|(?<=become|became))"
)
IS = (
    rf"(?:\s+(?:is|are)(?:\s+(?P<now>now)|{JUST})?(?:\s+(?:located|based|situated))?|\s+{CHANGED_TO})"
    r"(?P<colon>:)?"
)
OF = regex.compile(
    rf"(?:the\s+name\s+of\s+)?(?:the\s+)?{QUALIFIED}\s+(?:of|for|in)\s+(?P<s>.{{1,{LONGEST_SUBJECT}}}?){IS}\s+(?P<v>.+)",
    regex.VERSION1,
)
COMPOUND = regex.compile(
    rf"the\s+(?P<more>(?:new\s+|current\s+)?)(?P<s>(?:[\p{{L}}\p{{N}}-]+\s+){{1,3}}?)(?P<noun>{NOUNS}){IS}\s+(?P<v>.+)",
    regex.VERSION1,
)
POSSESSIVE_FORM = rf"(?P<s>[Mm]y|[Oo]ur|.{{1,{LONGEST_SUBJECT}}}?['’]s?)\s+{{noun}}{IS}\s+(?P<v>.+)"
POSSESSIVE = regex.compile(POSSESSIVE_FORM.replace("{noun}", QUALIFIED), regex.VERSION1)
POSSESSIVE_NEW = regex.compile(POSSESSIVE_FORM.replace("{noun}", FREE), regex.VERSION1)
POSSESSIVE_OLD = regex.compile(
    rf"(?P<s>[Mm]y|[Oo]ur|.{{1,{LONGEST_SUBJECT}}}?['’]s?)\s+(?P<more>(?:[\p{{L}}\p{{N}}-]+\s+){{0,2}}?)(?P<noun>[\p{{L}}-]+)"
    rf"(?:{BE}(?P<now>\s+now)?|\s+(?P<mark>changed)\s+(?:from\s+(?P<from>.{{1,40}}?)\s+)?to)\s+(?P<v>.+)",
    regex.VERSION1,
)
ROLE = regex.compile(
    rf"(?P<v>.{{1,{LONGEST_SUBJECT}}}?)(?:{BE}{JUST}?(?P<now>\s+now)?|\s+(?P<mark>became))\s+(?:the\s+)"
    rf"(?P<more>(?:new\s+|current\s+|next\s+)?)(?P<noun>{NOUNS})\s+of\s+(?P<s>.+)",
    regex.VERSION1,
)
_ONE_ROLE = rf"(?:(?:the|its|their|an?)\s+)?(?P<more>(?:new\s+|next\s+)?)(?P<noun>{NOUNS})"
SUCCESSION = regex.compile(
    rf"(?P<v>.{{1,{LONGEST_SUBJECT}}}?){HAVE}?{JUST}*\s+(?:replaced|replaces|succeeded|succeeds|took\s+over\s+from)\s+"
    rf"(?P<from>.{{1,40}}?)\s+as\s+{_ONE_ROLE}\s+(?:of|at)\s+(?P<s>.+)",
    regex.VERSION1,
)
APPOINTMENT = regex.compile(
    rf"(?P<s>.{{1,{LONGEST_SUBJECT}}}?){HAVE}?{JUST}*\s+(?P<mark>appointed|named|elected|chose)\s+"
    rf"(?P<v>.{{1,{LONGEST_SUBJECT}}}?)\s+(?:as|to\s+be)\s+{_ONE_ROLE}",
    regex.VERSION1,
)
LEADING = regex.compile(
    rf"(?P<v>.{{1,{LONGEST_SUBJECT}}}?)(?P<now>\s+now)?\s+(?:leads|heads|runs)\s+(?P<s>.+?)\s+as\s+{_ONE_ROLE}",
    regex.VERSION1,
)
DESCRIPTION = regex.compile(
    rf"[Tt]he\s+(?P<noun>[\p{{L}} -]{{2,40}}?)\s+(?:where|that|which|who)\s+(?P<s>.{{2,{LONGEST_SUBJECT}}}?)"
    r"\s+(?:is|are)\s+(?P<v>.+)",
    regex.VERSION1,
)
SET = regex.compile(
    rf"(?:.{{1,60}}?){HAVE}?{JUST}*\s+(?:switched|changed|moved|rescheduled|pushed|postponed|shifted|updated)\s+"
    r"(?P<s>(?:the|our|my)\s+.{1,60}?)(?:\s+(?:back|forward|up))?(?:\s+from\s+(?P<from>.{1,40}?))?\s+to\s+(?P<v>.+)",
    regex.VERSION1,
)
TIMED = regex.compile(
    rf"(?P<s>.{{1,60}}?)(?:{BE}(?P<now>\s+now)?(?:\s+held|\s+scheduled\s+for)?|(?P<now2>\s+now)?\s+(?:takes\s+place|happens|starts|begins|meets)"
    rf"(?P<now3>\s+now)?|\s+{CHANGED_TO})\s+(?P<v>.+)",
    regex.VERSION1,
)
HELD = regex.compile(
    rf"(?:We|we|I|They|they){JUST}*\s+(?:have|hold|do)\s+(?P<s>(?:the|our|my)\s+.{{1,50}}?)\s+(?P<v>(?:on|at|every)\s.+)"
)
NO_LONGER = regex.compile(
    r"\s+no\s+longer\b|\b\s*(?:don['’]t|doesn['’]t|do\s+not|does\s+not|not|n['’]t)\b(?=.{1,80}\b(?:any\s*more|any\s+longer)\b)"
)
STOPPED_BEING = regex.compile(rf"{HAVE}?\s+stopped\s+being\b")
ANY_MORE = regex.compile(r",?\s+(?:any\s*more|any\s+longer)\b")
USED_TO = regex.compile(
    r"\s+used\s+to\s.{1,60}?(?:,\s*)?\s(?:but|and)(?:\s+(?:I|he|she|they))?(?=(?:\s+(?:am|is|are))?\s+now\b|\s+moved\b)"
)
BUT = regex.compile(r"\s*,?\s+but\s+(?:(?:now|rather)\s+)?(?:(?:in|at|for|to|by|with)\s+)?")

WEEKDAY = regex.compile(r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b")
CLOCK = regex.compile(
    r"\b\d{1,2}(?::\d\d)?\s?(?:am|pm|a\.m\.|p\.m\.|o['’]clock)(?!\w)|\b\d{1,2}:\d\d\b|\bnoon\b|\bmidnight\b"
)
MONTHS = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
DATE = regex.compile(
    rf"\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{MONTHS}\b|\b{MONTHS}\s+\d{{1,2}}(?:st|nd|rd|th)?\b|\b\d{{4}}-\d\d-\d\d\b"
)
TIME = regex.compile(
    rf"{WEEKDAY.pattern}|{CLOCK.pattern}|{DATE.pattern}|\b{MONTHS}\s+\d{{4}}\b"
    r"|\b(?:19|20)\d\d\b|\bat\s+\d{1,2}\b|\A\d{1,2}\Z"
)
