"""From a clause to its claims, form by form; see `lifecycle.claims`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import regex

from lifecycle.claim import OTHER, Claim
from lifecycle.claim_patterns import (
    APPOINTMENT,
    BE,
    BUT,
    CLOCK,
    COMPOUND,
    DATE,
    DESCRIPTION,
    HELD,
    LEADING,
    LONGEST_SUBJECT,
    OF,
    ONE_OF_US,
    POSSESSIVE,
    POSSESSIVE_NEW,
    POSSESSIVE_OLD,
    QUALIFIED,
    ROLE,
    SET,
    SUCCESSION,
    TIME,
    TIMED,
    VERB,
    VERBS,
    WEEKDAY,
)
from lifecycle.claim_values import DATED, cut_value, is_many, is_plural, level_of, subject_of, told_value, value_of
from lifecycle.claim_words import LOOKS, MANY_NOUNS, MANY_VERBS, NO_SUBJECT, SCOPED_ROLES, SINGLE_NOUNS, TOOLS, Look
from retrieval.analysis.folding import folded_text


@dataclass(frozen=True, slots=True)
class Clause:
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
        about = subject_of(subject, self.who) if subject is not None else None
        if about is None:
            return None
        name, is_common = about
        base = attribute.split("/")[-1].rstrip("?")
        look = look or LOOKS.get(base, Look.NAME)
        over = None
        if self.is_over and (but := BUT.search(value)) is not None:
            value, over = value[but.end() :], value[: but.start()]
        elif self.is_over:
            value, over = "", value
        told, was = told_value(value, base, look) if value else None, told_value(over or old or "", base, look)
        if (told is None and value) or (self.is_over and was is None):
            return None
        level = level_of(base, told or was)
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


def claims_of(clause: Clause) -> Iterator[Claim]:
    """The claims of the first form that a clause has."""
    for form in (_description, _nouns, _role, _verb, _times, _other, _being):
        found = [claim for claim in form(clause) if claim is not None]
        if found:
            yield from found
            return


def _nouns(clause: Clause) -> Iterator[Claim | None]:
    text = clause.text[:1].lower() + clause.text[1:]
    match = OF.fullmatch(text) or POSSESSIVE.fullmatch(clause.text) or COMPOUND.fullmatch(text)
    if match is not None:
        owner = f"the {match['s']}" if match.re is COMPOUND else match["s"]
        yield _of_noun(clause, match, owner)
        return
    match = SET.fullmatch(clause.text)
    if match is None:
        return
    inner = regex.fullmatch(rf"(?P<s>my|our)\s+{QUALIFIED}", match["s"]) or regex.fullmatch(
        rf"the\s+{QUALIFIED}\s+(?:of|for)\s+(?P<s>.+)", match["s"]
    )
    if inner is not None:
        attribute, _ = _attribute(inner)
        yield clause.claim(inner["s"], attribute, match["v"], marks=True, old=match["from"])


def _of_noun(clause: Clause, match: regex.Match[str], subject: str) -> Claim | None:
    attribute, is_new = _attribute(match)
    noun, value = match["noun"], match["v"]
    if noun == "job":  # "my new job is at ...": a job is told of in many ways
        at = regex.match(r"(?:at|with|for)\s+", value)
        if at is None:
            return None
        attribute, value = "employer", value[at.end() :]
    if noun == "home":
        if not regex.match(r"in\s+\p{Lu}", value):
            return None
        attribute = attribute.replace("home", "residence")
    value = regex.sub(r"\A(?:in|at|on|to)\s+", "", value)
    marks = is_new or bool(match["now"] or match["mark"])
    return clause.claim(subject, attribute, value, marks=marks, old=match["from"])


def _attribute(match: regex.Match[str]) -> tuple[str, bool]:
    """The attribute that a noun names with what qualifies it, and whether it is called new."""
    words = folded_text(match["more"]).split()
    kept = [word for word in words if word not in ("new", "current", "the", "present", "own", "actual", "updated")]
    base = SINGLE_NOUNS.get(" ".join(match["noun"].split()), match["noun"])
    return "/".join([*kept, base]), "new" in words or "updated" in words


def _role(clause: Clause) -> Iterator[Claim | None]:
    forms = (ROLE, SUCCESSION, APPOINTMENT, LEADING)
    match = next((found for form in forms if (found := form.fullmatch(clause.text)) is not None), None)
    if match is None or SINGLE_NOUNS[" ".join(match["noun"].split())] not in SCOPED_ROLES:
        return
    holder = subject_of(match["v"], None)
    if holder is None and clause.who is not None and match["v"] == "I":
        holder = folded_text(clause.who), False
    if holder is None or holder[1]:
        return
    groups = match.groupdict()
    owner = cut_value(match["s"])
    value = match["v"] if match["v"] != "I" or clause.who is None else clause.who
    made = clause.claim(
        owner,
        SINGLE_NOUNS[" ".join(match["noun"].split())],
        value,
        marks=match.re is SUCCESSION or any(groups.get(name) for name in ("now", "mark")) or "new" in match["more"],
        old=groups.get("from"),
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


def _verb(clause: Clause) -> Iterator[Claim | None]:
    for match in VERB.finditer(clause.text):
        number = next(i for i in range(len(VERBS)) if match[f"v{i}"] is not None)
        attribute, is_change, _ = VERBS[number]
        value = clause.text[match.end() :].strip()
        if not value or not match.start():
            continue
        marks = is_change or regex.search(r"\bnow\b", match.group()) is not None
        marks = marks or regex.search(r"\bnow\Z|\bthese days\Z", value) is not None
        if is_change and DATED.search(value):
            continue
        attribute, value, left = _moved(attribute, value, match["from0"] or match["from1"] or match["from2"])
        if not value:
            continue
        subject = clause.text[: match.start()]
        if subject.casefold() in ("my", "our"):  # "my work at ..."
            continue
        if attribute == "tool?":
            subject = ONE_OF_US.sub("I", subject)
        if match["left"] is not None:
            value = _FOR.split(value, maxsplit=1)[0]
        told = replace(clause, is_over=True) if match["left"] is not None else clause
        made = told.claim(subject, attribute, value, marks=marks, old=left)
        if made is not None and attribute == "tool?":  # many at once: only what it is said to replace
            made = replace(made, marks_change=made.instead_of is not None)
        if made is not None:
            yield made
            return


def _moved(attribute: str, value: str, old: str | None) -> tuple[str, str, str | None]:
    """What a move is about, whereto, and from where: "to Oslo from Bergen" says all three.

    People move to software, too: without the name of what they left nothing is claimed then (an empty value).
    """
    if attribute not in ("residence", "tool?"):
        return attribute, value, old
    if old is None and (told := _FROM.fullmatch(value)) is not None:
        value, old = told["to"], told["old"]
    if attribute == "residence" and not (_is_tool(value) or _is_tool(old or "")):
        return attribute, value, old
    is_move = attribute == "residence" and old is None
    return "tool?", "" if is_move or TIME.search(value.casefold()) else value, old


_FROM = regex.compile(r"(?P<to>.{1,60}?)\s+from\s+(?P<old>\p{Lu}.{0,40})")
_FOR = regex.compile(r"\s+(?:for|to\s+join)\s+(?=\p{Lu})")


def _is_tool(value: str) -> bool:
    """Whether words begin with the name of software: nobody lives there."""
    return folded_text(value).strip(" .,!").split(" ")[0].strip(".,!") in TOOLS


def _description(clause: Clause) -> Iterator[Claim | None]:
    match = DESCRIPTION.fullmatch(clause.text)
    if match is None:
        return
    words, nouns = match["s"].split(), folded_text(match["noun"]).split()
    lower = {word for word in words if word.islower()}
    is_named = any(word[0].isupper() or word[0].isdigit() for word in words)
    if not is_named or lower & (MANY_VERBS | NO_SUBJECT) or "I" in words or is_many(nouns[-1]):
        return
    value = value_of(match["v"], Look.ANY)
    if value is None:
        return
    end = clause.start + match.start("v") + value.length
    yield Claim(
        folded_text(match["s"]), f"{OTHER}/{' '.join(nouns)}", value.folded, True, False, None, clause.start, end
    )


def _times(clause: Clause) -> Iterator[Claim | None]:
    match = SET.fullmatch(clause.text) or HELD.fullmatch(clause.text) or TIMED.fullmatch(clause.text)
    if match is None:
        return
    groups = match.groupdict()
    value, old = match["v"].casefold(), (groups.get("from") or "").casefold()
    marks = match.re is SET or any(groups.get(name) for name in ("now", "now2", "now3", "mark", "from"))
    about = subject_of(match["s"], clause.who)
    if about is None or len(value.split()) > 8 or not regex.match(r"(?:on|at|every|to)\s|\S*\d|\S+days?\b", value):
        return
    name = about[0]
    end = clause.start + len(clause.text) if not clause.is_changed else clause.start + clause.length
    for attribute, pattern in (("day", WEEKDAY), ("time", CLOCK), ("date", DATE)):
        found = sorted({one.rstrip("s") for one in pattern.findall(value)})
        was = sorted({one.rstrip("s") for one in pattern.findall(old)})
        if found:
            told = " ".join(found)
            yield Claim(name, attribute, told, False, bool(marks), " ".join(was) or None, clause.start, end)


def _other(clause: Clause) -> Iterator[Claim | None]:
    """Of an attribute that no table has, what is called new, and what something new can take the place of."""
    match = POSSESSIVE_NEW.fullmatch(clause.text)
    is_new = match is not None
    match = match or POSSESSIVE_OLD.fullmatch(clause.text)
    if match is None or match["noun"] in SINGLE_NOUNS or _NO_NAME.match(match["v"]):
        return
    attribute, _ = _attribute(match)
    is_favourite, noun = _FAVOURITE.search(attribute) is not None, folded_text(match["noun"])
    if is_plural(noun) or (noun in MANY_NOUNS and not is_favourite):
        return
    groups = match.groupdict()
    marks = is_new or bool(groups.get("now") or groups.get("mark"))
    name = f"{OTHER}/{_FAVOURITE.sub('favourite', attribute)}?"
    look = Look.ANY if is_favourite else Look.NAME
    yield clause.claim(match["s"], name, match["v"], marks=marks, old=groups.get("from"), look=look)


_NO_NAME = regex.compile(r"(?:in|at|on|to|a|an|the|not|so|very)\s")
_FAVOURITE = regex.compile(r"\bfavou?rite\b", regex.IGNORECASE)
_COMPLEMENT = regex.compile(
    rf"(?P<s>.{{1,{LONGEST_SUBJECT}}}?){BE}\s+(?P<v>(?:an?\s+)?[\p{{L}}\p{{N}}-]+(?:\s+[\p{{L}}\p{{N}}-]+){{0,2}})",
    regex.VERSION1,
)


def _being(clause: Clause) -> Iterator[Claim | None]:
    """What somebody or something is: many things at once, each until the text says that it is so no longer."""
    match = _COMPLEMENT.fullmatch(BUT.split(clause.text, maxsplit=1)[0] if clause.is_over else clause.text)
    about = None if match is None else subject_of(match["s"], clause.who)
    if match is not None and about is not None and not about[1]:
        made = clause.claim(match["s"], "being?", match["v"], marks=False)
        if made is not None:
            yield replace(made, marks_change=clause.is_over)
        if made is not None and clause.is_over:  # "no longer a nurse" outdates "works as a nurse", too
            yield replace(made, attribute="occupation")
