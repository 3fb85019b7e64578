"""Speaker channel: whether a memory was said by somebody whom the question names.

    score(d) = 1 if whoever said d is one of those that the question names, else 0

"What did Melanie paint?" is hardly ever answered by what somebody else says to Melanie, though it holds the name and
the topic. Who said a memory is told by its `speaker`, or by a name before a colon at the start of its text.

It finds nothing by itself: in a talk of two people half of everything is said by the one who is asked about. It tells
the candidates of the other channels apart, and the confidence how much of the likely answer was said by whom was asked
about (`retrieval.confidence`). Names stand for their aliases.

Parameters: none. Cost: a look at one number for each candidate.
Abstains when the question names nobody, and when all candidates or none were said by whom it names.

Source: none that we know of; what it is worth is in `docs/decisions/0010-speaker-and-confidence.md`.
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

SPEAKER = "speaker"


class SpeakerChannel:
    """Candidates of the other channels, told apart by who said them."""

    @property
    def name(self) -> str:
        """See `retrieval.ports.SeededChannel`."""
        return SPEAKER

    def search(
        self, query: AnalysedQuery, view: BankView, limit: int, seeds: Mapping[str, ChannelResult]
    ) -> ChannelResult | None:
        """See `retrieval.ports.SeededChannel`; lists no memory, and has a score for every one."""
        asked = np.concatenate([query.mention_ids, *query.entity_groups])
        candidates = candidates_of(seeds)
        if asked.size == 0 or candidates.size == 0:
            return None

        def read(slots: NDArray[np.int64]) -> NDArray[np.float32]:
            return np.isin(view.column("speakers", slots), asked).astype(np.float32)

        scores = read(candidates)

        def score_of(slots: NDArray[np.int64]) -> NDArray[np.float32]:
            at = np.minimum(np.searchsorted(candidates, slots), candidates.size - 1)
            # Nearly always candidates are asked for, several times in a recall; what is known is not read again.
            return scores[at] if np.array_equal(candidates[at], slots) else read(slots)

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
