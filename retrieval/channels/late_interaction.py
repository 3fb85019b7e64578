"""Late interaction channel: how well the single words of a memory, in their context, answer those of the question.

    score(q, d) = 1/|q| * sum over the question's tokens i of  max over the memory's tokens j of  <q_i, d_j>

where q_i and d_j are states of the last layer of the model that also gives the semantic channel's vectors, from the
same run: of the question's tokens, and of the memory's, read in the light of the turn before it. They are centred,
scaled to unit length and rotated; a memory's are kept as codes of two bits a dimension (`retrieval.late.codec`).

It does not search: it scores candidates, which are all eligible memories where there are few, else the best of what the
other channels listed, by the sum of their standardised scores. Mean and standard deviation are those of the candidates.

Evidence: the best score.

Parameters: at most 200 candidates, all memories up to 300 eligible ones; neither is fitted. Cost: `|q| * tokens * dim`
products: 1.5 ms for 200 memories of 30 tokens and a question of 20, 384 dimensions.
Abstains when the question has no token states (its model gives none, or failed), when no other channel found anything
in a larger namespace, and when no candidate has token codes (supplied vectors, memories of an earlier release).

Sources: Khattab and Zaharia 2020 (arXiv:2004.12832); codes: Santhanam et al. 2022 (arXiv:2112.01488).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.fusion import StandardisedScores
from retrieval.late.codec import TokenCodec
from retrieval.types import AnalysedQuery, ChannelResult

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

POOL = 200
SCAN_ALL = 300


class LateInteractionChannel:
    """Candidates of the other channels, judged word by word."""

    def __init__(self, codec: TokenCodec, *, pool: int = POOL, scan_all: int = SCAN_ALL) -> None:
        """Sets what reads the codes, how many candidates there are, and up to how many memories all are."""
        self._codec = codec
        self._pool = pool
        self._scan_all = scan_all
        self._fusion = StandardisedScores()

    @property
    def name(self) -> str:
        """See `retrieval.ports.SeededChannel`."""
        return "late_interaction"

    def search(
        self, query: AnalysedQuery, view: BankView, limit: int, seeds: Mapping[str, ChannelResult]
    ) -> ChannelResult | None:
        """See `retrieval.ports.SeededChannel`."""
        if query.tokens is None or query.tokens.shape[0] == 0:
            return None
        if view.eligible <= self._scan_all:
            candidates = np.flatnonzero(view.mask())
        else:
            candidates = np.sort(self._fusion.fuse(seeds, self._pool).slots)
        scored = _Scored(view, self._codec.turned(query.tokens))
        scores = scored.of(candidates)
        known = scores > -np.inf
        if not known.any():
            return None
        order = np.lexsort((candidates[known], -scores[known]))
        slots, best = candidates[known][order], scores[known][order]
        return ChannelResult(
            slots=slots[:limit],
            scores=best[:limit],
            mean=float(best.mean(dtype=np.float64)),
            std=float(best.std(dtype=np.float64)),
            score_of=scored.of,
            evidence=float(np.clip(best[0], 0.0, 1.0)),
        )


class _Scored:
    """Scores of memories, each worked out when it is first asked for."""

    def __init__(self, view: BankView, tokens: NDArray[np.float32]) -> None:
        self._view = view
        self._tokens = tokens
        self._slots = np.empty(0, np.int64)  # ascending
        self._scores = np.empty(0, np.float32)

    def of(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 `[m]`; -inf for memories without token codes or that the filter does not let through."""
        if (new := slots[~self._known(slots)]).size:
            new = np.unique(new)
            scores = self._view.max_sim(self._tokens, new)
            scores[np.isnan(scores) | (self._view.mask()[new] == 0)] = -np.inf
            every = np.concatenate([self._slots, new])
            order = np.argsort(every)
            self._slots, self._scores = every[order], np.concatenate([self._scores, scores])[order]
        return np.asarray(self._scores[np.searchsorted(self._slots, slots)])

    def _known(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        if not self._slots.size:
            return np.zeros(slots.size, np.bool_)
        at = np.minimum(np.searchsorted(self._slots, slots), self._slots.size - 1)
        return np.asarray(self._slots[at] == slots)
