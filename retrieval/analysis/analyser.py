"""What is read out of every text, memories and questions alike."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis.mentions import (
    MENTIONS_VERSION,
    MOST_MENTIONS,
    folded,
    mention_id,
    mention_ids,
    mentions,
    opening_speaker,
)
from retrieval.analysis.places import PLACES_VERSION, place_ids
from retrieval.analysis.questions import question
from retrieval.analysis.terms import TERMS_VERSION, hashed, stems
from retrieval.analysis.times.spans import TIMES_VERSION, time_spans
from retrieval.analysis.told_names import told_names
from retrieval.types import Question, Terms, TextAnalysis, ToldName


class TextAnalyser:
    """Finds terms, mentions, times and places. Pure and thread-safe; the same text gives the same analysis everywhere.

    Attributes:
        version: stored beside an analysis; another version means that the text must be analysed again.
    """

    version: int = ((TERMS_VERSION * 100 + MENTIONS_VERSION) * 100 + TIMES_VERSION) * 100 + PLACES_VERSION

    def analyse(
        self,
        text: str,
        *,
        speaker: str | None = None,
        place: str | None = None,
        occurred_at: datetime | None = None,
    ) -> TextAnalysis:
        """Analyses the text of a memory.

        Args:
            text: what the memory says.
            speaker: who said it; without one a text may open with its speaker's name and a colon. The name counts as a
                mention and, unless the text opens with it, as part of the text, so that "what did Ada say about …"
                finds what Ada said.
            place: where it was said, such as "Cafe Luna, Paris, France".
            occurred_at: when it was said (aware), which "yesterday" refers to; None: only full dates are times.
        """
        words = stems(text)
        names = mentions(text)
        given = (speaker or "").strip() or None
        if given is not None:
            if not text.casefold().startswith(given.casefold()):
                words += stems(given)
            if mention_id(given) not in {mention_id(name) for name in names}:
                names = (given, *names)
        said_by = given or opening_speaker(text)
        # A text of several lines may have several speakers, which is for `told_names` to see.
        names, told = _with_told(names, told_names(text, given))
        return TextAnalysis(
            self.version,
            hashed(words),
            names,
            mention_ids(names),
            0 if said_by is None else mention_id(said_by),
            spans=time_spans(text, occurred_at),
            place_ids=place_ids(place, text),
            told=told,
        )

    def question(self, text: str, asked_at: datetime | None) -> Question:
        """Reads what a question asks for; `asked_at` is its "now"."""
        return question(text, asked_at)

    def query_terms(self, text: str) -> Terms:
        """Terms of a question."""
        return hashed(stems(text))

    def name_terms(self, names: Iterable[str]) -> NDArray[np.uint32]:
        """Terms that names consist of, distinct, ascending; uint32 `[n]`."""
        return hashed([stem for name in names for stem in stems(name)]).ids


def _with_told(names: tuple[str, ...], told: tuple[ToldName, ...]) -> tuple[tuple[str, ...], tuple[ToldName, ...]]:
    """The mentions of a text with the names that it tells of, and what it tells of those that are among them."""
    if not told:
        return names, told
    # In "everyone calls Katherine Kit" the two of them look like one name.
    joined = {folded(f"{one.name} {one.alias}") for one in told}
    known = {key: name for name in names if (key := folded(name)) not in joined}
    for name in (side for one in told for side in (one.name, one.alias)):
        if len(known) < MOST_MENTIONS:
            known.setdefault(folded(name), name)
    kept = tuple(one for one in told if folded(one.alias) in known and folded(one.name) in known)
    return tuple(known.values()), kept
