"""Whether a text tells its reader to do something.

What is only spoken of is let go: behind a "never", or where the sentence says that it is about an attack. Whoever knows
that can make use of it, as of everything else that looks at words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from retrieval.screening.wordings import WORDINGS

_WORD = re.compile(r"[a-z]+")
_STEM = 4


@dataclass(frozen=True, slots=True)
class _Anchors:
    """What one of must be there: beginnings of words, `_STEM` letters each, or signs and letters of other scripts."""

    stems: frozenset[str]
    signs: tuple[str, ...]

    @classmethod
    def of(cls, group: str) -> _Anchors:
        words = group.split("|")
        first = {one: _WORD.match(one) for one in words}
        stems = frozenset(found[0][:_STEM] for found in first.values() if found is not None)
        return cls(stems, tuple(one for one, found in first.items() if found is None))

    def are_in(self, part: str, stems: set[str]) -> bool:
        return not self.stems.isdisjoint(stems) or any(sign in part for sign in self.signs)


@dataclass(frozen=True, slots=True)
class _Rule:
    anchors: tuple[_Anchors, ...]
    pattern: re.Pattern[str]


_RULES = tuple(_Rule(tuple(map(_Anchors.of, one.anchors)), re.compile(one.pattern)) for one in WORDINGS)


def _by_stem() -> dict[str, list[_Rule]]:
    """Rules by each stem of the group of anchors that has the fewest: one of those has to be there."""
    found: dict[str, list[_Rule]] = {}
    for rule in _RULES:
        if not any(group.signs for group in rule.anchors):
            for stem in min((group.stems for group in rule.anchors), key=len):
                found.setdefault(stem, []).append(rule)
    return found


_BY_STEM = _by_stem()
_BY_SIGN = tuple(rule for rule in _RULES if any(group.signs for group in rule.anchors))
_PART, _OVERLAP = 2_000, 400
"""Letters that are looked at together: words that are anchors of one rule lie near each other."""
_NEGATED = re.compile(r"\b(?:never|not|n't|cannot|nobody may|no one may|refuses? to|without)\s+(?:\w+\s+){0,2}$")
_SPOKEN_OF = re.compile(
    r"\b(?:attack(?:er)?s?|injections?|injected|jailbreaks?|malicious|adversar\w+|phishing|red[ -]?team\w*|exploits?"
    r"|payloads?|threat model|owasp|detectors?|detects?|guardrails?|untrusted|scanners?|honeypots?|poison\w+|cve-\d+"
    r"|vulnerabilit\w+|spoof\w*|such as|for example|e\.g\.|example of|the phrase|the words|wording|quot(?:e|es|ed|ing)"
    r"|test case|fixture|known bad|suspicious|blocklist|regex|pattern)\b"
)
_AROUND = 200
"""Letters before what was found in which it may be said that it is only spoken of."""


def instructs(reading: str) -> bool:
    """Whether a folded text tells its reader to do something, in one of the known wordings."""
    return any(_is_meant(reading, found) for found in _found(reading))


def _found(reading: str) -> Iterator[re.Match[str]]:
    """Everything in a known wording: one that is only spoken of must not hide one that is meant."""
    for start in range(0, max(len(reading) - _OVERLAP, 1), _PART - _OVERLAP):
        part = reading[start : start + _PART]
        stems = {word[:_STEM] for word in _WORD.findall(part)}
        likely = {rule.pattern: rule for stem in stems & _BY_STEM.keys() for rule in _BY_STEM[stem]}
        for rule in (*likely.values(), *_BY_SIGN):
            if all(group.are_in(part, stems) for group in rule.anchors):
                yield from rule.pattern.finditer(reading, start, start + _PART)


def _is_meant(reading: str, found: re.Match[str]) -> bool:
    before = reading[max(0, found.start() - _AROUND) : found.start()]
    return not (_NEGATED.search(before) or _SPOKEN_OF.search(before))
