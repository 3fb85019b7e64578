"""Subject channel: whether a memory is about the party that the question asks about.

    score(d) = 1 if the party that d is about is one of those that the question names, else 0

A memory is about whoever said it, else about whom or what it names first (`retrieval.analysis.analyser`). "What did
Melanie paint?" is hardly ever answered by what somebody else says to Melanie, though it holds the name and the topic.

It finds nothing by itself: where everybody is asked about, the name alone says nothing about the topic. It tells the
candidates of the other channels apart, and the confidence how much of the answer is about whom was asked
(`retrieval.confidence`). Names stand for their aliases.

Parameters: none. Cost: a look at one number for each candidate.
Abstains when the question names nobody, and when all candidates or none are about whom it names.

Source: none; the mean effect on sets that it was not fitted to is in `docs/channels/subject.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.fusion import candidates_of
from retrieval.types import AnalysedQuery, ChannelResult

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

SUBJECT = "subject"


class SubjectChannel:
    """Candidates of the other channels, told apart by whom they are about."""

    @property
    def name(self) -> str:
        """See `retrieval.ports.SeededChannel`."""
        return SUBJECT

    def search(
        self, query: AnalysedQuery, view: BankView, limit: int, seeds: Mapping[str, ChannelResult]
    ) -> ChannelResult | None:
        """See `retrieval.ports.SeededChannel`; lists no memory, and has a score for every one."""
        asked = np.concatenate([query.mention_ids, *query.entity_groups])
        candidates = candidates_of(seeds)
        if asked.size == 0 or candidates.size == 0:
            return None

        def score_of(slots: NDArray[np.int64]) -> NDArray[np.float32]:
            return np.isin(view.column("subjects", slots), asked).astype(np.float32)

        scores = score_of(candidates)
        share = float(scores.mean(dtype=np.float64))
        if share in (0.0, 1.0):
            return None
        return ChannelResult(
            slots=np.empty(0, np.int64),
            scores=np.empty(0, np.float32),
            mean=share,
            std=float(scores.std(dtype=np.float64)),
            score_of=score_of,
        )
