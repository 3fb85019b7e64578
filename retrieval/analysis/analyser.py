"""What is read out of every text, memories and questions alike."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis.mentions import MENTIONS_VERSION, mention_id, mention_ids, mentions
from retrieval.analysis.terms import TERMS_VERSION, hashed, stems
from retrieval.types import Terms, TextAnalysis

_VERSION_STEP = 1_000


class TextAnalyser:
    """Finds terms and mentions. Pure and thread-safe; the same text gives the same analysis everywhere.

    Attributes:
        version: stored beside an analysis; another version means that the text must be analysed again.
    """

    version: int = TERMS_VERSION * _VERSION_STEP + MENTIONS_VERSION

    def analyse(self, text: str, *, speaker: str | None = None) -> TextAnalysis:
        """Analyses the text of a memory.

        Args:
            text: what the memory says.
            speaker: who said it. The name counts as a mention and, unless the text opens with it, as part of the text,
                so that "what did Ada say about …" finds what Ada said.
        """
        words = stems(text)
        names = mentions(text)
        if speaker and speaker.strip():
            speaker = speaker.strip()
            if not text.casefold().startswith(speaker.casefold()):
                words += stems(speaker)
            if mention_id(speaker) not in {mention_id(name) for name in names}:
                names = (speaker, *names)
        return TextAnalysis(self.version, hashed(words), names, mention_ids(names))

    def query_terms(self, text: str) -> Terms:
        """Terms of a question."""
        return hashed(stems(text))

    def name_terms(self, names: Iterable[str]) -> NDArray[np.uint32]:
        """Terms that names consist of, distinct, ascending; uint32 `[n]`."""
        return hashed([stem for name in names for stem in stems(name)]).ids
