"""A text while its times are read: its tokens by place, when it was said, and the rules that read a point of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from retrieval.analysis.times.periods import Period, Recurring
from retrieval.analysis.times.tokens import END, Token
from retrieval.analysis.times.words import HABITS, SENTENCE_ENDS

Point = Period | Recurring
Found = tuple[Period, int]
"""What was read, and the index of the token after it."""

PointFound = tuple[Point, int]
Rule = Callable[["Text", int, bool], PointFound | None]
"""Reads the point that begins at a token; the last argument: whether the word before it asks for a time."""

_MOST_CLAUSE_TOKENS = 24
_MOST_NESTED = 4
"""How deep points may stand in each other: "the week of the first Monday of next month"."""


class Rules(NamedTuple):
    """Which rule reads what begins with a token: by its word, or by its form if it is none."""

    by_word: Mapping[str, Rule]
    by_kind: Mapping[str, Rule]


class Text:
    """A text, and what has to be known to tell its times.

    Args:
        tokens: the text.
        now: when it was said, in local time without a zone; None if nobody knows: then only full dates count.
        offset: what local time is ahead of UTC (times with their own zone are brought into local time by it).
        asks: whether it is a question: one looks back where its words do not tell.
        rules: what reads its points.
    """

    def __init__(
        self, tokens: Sequence[Token], now: datetime | None, offset: timedelta, *, asks: bool, rules: Rules
    ) -> None:
        self.tokens = tokens
        self.now = now
        self.offset = offset
        self.asks = asks
        self.rules = rules
        self._depth = 0

    @cached_property
    def tells_habits(self) -> bool:
        """Whether it speaks of what is done again and again: then an hour alone is no time."""
        return any(token.low in HABITS for token in self.tokens)

    def at(self, index: int) -> Token:
        """The token there; `END` before the first and after the last."""
        return self.tokens[index] if 0 <= index < len(self.tokens) else END

    def low(self, index: int) -> str:
        """The token there in lower case."""
        return self.tokens[index].low if 0 <= index < len(self.tokens) else ""

    def bare(self, index: int) -> str:
        """The word there without its "'s"."""
        return self.low(index).removesuffix("'s")

    def before(self, index: int) -> str:
        """The word before a point, over an article and a hyphen."""
        index -= 1
        while self.low(index) in {"the", "-"}:
            index -= 1
        return self.low(index)

    def clause(self, index: int) -> list[str]:
        """The words around a token, up to the ends of its sentence or a limit."""
        start = index
        while start > max(0, index - _MOST_CLAUSE_TOKENS) and self.low(start - 1) not in SENTENCE_ENDS:
            start -= 1
        end = index
        while end < min(len(self.tokens), index + _MOST_CLAUSE_TOKENS) and self.low(end) not in SENTENCE_ENDS:
            end += 1
        return [self.low(place) for place in range(start, end)]

    def point(self, index: int, *, asked: bool = False) -> PointFound | None:
        """A period, or something recurring with what tells which one; `asked`: the word before it asks for a time."""
        token = self.at(index)
        rule = self.rules.by_kind.get(token.kind) if token.kind != "word" else self.rules.by_word.get(token.low)
        if rule is None or self._depth == _MOST_NESTED:
            return None
        self._depth += 1
        try:
            return rule(self, index, asked)
        finally:
            self._depth -= 1
