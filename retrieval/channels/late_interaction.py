"""Late interaction channel: every word of the question looks for the word of the memory that answers it best.

    score(q, d) = 1/|q| * sum over the tokens i of q of  max over the tokens j of d of  <q_i, d_j>

with the states of tokens that the embedding model's one run gives beside the vector (the memory's read in the light of
what was said before it), kept in the bank as codes of 2 bits a dimension (`retrieval/late/codec.py`).

It goes on from what the other channels found: the 128 best by the sum of their standardised scores, and whatever else
any of them lists. Reading every token of a large namespace would cost more than all other channels together, and of
what answers a question 92 to 96 of 100 lie among the 100 best (`docs/decisions/0006-late-interaction.md`).

Parameters: the pool of 128. Cost: tokens of the question * tokens of the pool * dim products.
Abstains when the question has no token states (another kind of embedder, or it failed), or nothing in the pool has.

Sources: Khattab and Zaharia 2020 (arXiv:2004.12832); codes of residuals after a rotation in their spirit, Santhanam et
al. 2022 (arXiv:2112.01488).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu.ops.max_sim.op import max_sim
from retrieval.fusion import Fusion, StandardisedScores
from retrieval.late.codec import TokenCodec
from retrieval.types import AnalysedQuery, ChannelResult

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

POOL = 128


class LateInteractionChannel:
    """Memories whose words answer the question's words."""

    def __init__(self, codec: TokenCodec, *, pool: int = POOL, fusion: Fusion | None = None) -> None:
        """Sets the codec of the stored states, how many memories are read, and what chooses them."""
        self._codec = codec
        self._pool = pool
        self._fusion = fusion or StandardisedScores()

    @property
    def name(self) -> str:
        """See `retrieval.ports.SeededChannel`."""
        return "late_interaction"

    def search(
        self, query: AnalysedQuery, view: BankView, limit: int, seeds: Mapping[str, ChannelResult]
    ) -> ChannelResult | None:
        """See `retrieval.ports.SeededChannel`."""
        if query.tokens is None or query.tokens.shape[0] == 0 or query.tokens.shape[1] != self._codec.dim:
            return None
        slots = np.sort(self._fusion.fuse(seeds, self._pool).slots)
        if slots.size == 0:
            return None
        turned = self._codec.turned(query.tokens)
        scores = self._scores(view, slots, turned)
        known = np.isfinite(scores)
        if not known.any():
            return None
        order = np.lexsort((slots, -np.where(known, scores, -np.inf)))[: int(known.sum())]
        read = dict(zip(slots.tolist(), scores.tolist(), strict=True))

        def score_of(wanted: NDArray[np.int64]) -> NDArray[np.float32]:
            """Scores of any slots; -inf where a memory has no token states."""
            missing = np.array([slot for slot in wanted.tolist() if slot not in read], dtype=np.int64)
            if missing.size:
                read.update(zip(missing.tolist(), self._scores(view, missing, turned).tolist(), strict=True))
            found = np.array([read[slot] for slot in wanted.tolist()], dtype=np.float32)
            return np.where(np.isfinite(found), found, np.float32(-np.inf))

        values = scores[known].astype(np.float64)
        return ChannelResult(
            slots=slots[order][:limit],
            scores=scores[order][:limit],
            mean=float(values.mean()),
            std=float(values.std()),
            score_of=score_of,
        )

    def _scores(self, view: BankView, slots: NDArray[np.int64], turned: NDArray[np.float32]) -> NDArray[np.float32]:
        columns, offsets = view.ranges("tokens", slots)
        return max_sim(columns["codes"].astype(np.uint8, copy=False), offsets, turned)
