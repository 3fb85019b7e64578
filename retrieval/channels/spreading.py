"""Spreading activation: what the best finds of the other channels lead to, over mentions, links and conversation.

    a <- D * s + (1 - D) * W^T a        from a = s, until the sum of all changes is below 1e-4, at most 20 times
    score(d) = sqrt(a(d))

The nodes are memories and the entities that they mention. s: the 16 best memories of the other channels, fused, in
proportion to how far they stand above the mean of what was listed. W: each kind of tie that a memory has (mentions,
links either way, neighbours in conversation) takes an equal share; rarer entities take more of theirs; towards a
memory a step is weighted by its topic, the logistic of how far it stands out in the other channels on the average (in
standard deviations over all eligible memories). The rows of W sum to 1, so that a step is a contraction by 1 - D =
0.5 in the sum norm and 15 steps are enough. The square root evens out that activation falls by a factor with every
step.

The seeds are listed too, so that the likeliest answers are never left out. Only a neighbourhood is walked on: two
rings (the seeds, then the 16 most active of what they lead to), at most 512 memories and 64 new entities a ring, the
rarest first. Entities that more than 5 % of the eligible memories mention (and more than five) lead nowhere.

Parameters: D = 0.5 as in HippoRAG (most of what helps is one or two steps away); none is fitted. Cost: two rings of
one or two passes over the entity arena and one over the link arena; a walk over some thousand edges.
Abstains when nothing ties the seeds to anything, or when there are no seeds.

Sources: Collins and Loftus 1975 (doi:10.1037/0033-295X.82.6.407); personalised PageRank, Haveliwala 2002
(doi:10.1145/511446.511513); over memories and entities, Gutierrez et al. 2024 (arXiv:2405.14831).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu.ops.spread.op import spread
from retrieval.channels.neighbourhood import Neighbourhood
from retrieval.channels.seeds import best_seeds, deviation
from retrieval.channels.sparse import sparse_result
from retrieval.fusion import Fusion, StandardisedScores
from retrieval.types import AnalysedQuery, ChannelResult

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

DAMPING = 0.5
SEEDS = 16
RINGS = 2
HUB_SHARE = 0.05

_RING = 16
_MOST_MEMORIES = 512
_MOST_ENTITIES = 64
_LEAST = 1e-5
"""Activation below which a memory counts as not reached."""


class SpreadingChannel:
    """Memories that hang together with what the other channels found."""

    def __init__(
        self, *, damping: float = DAMPING, seeds: int = SEEDS, rings: int = RINGS, fusion: Fusion | None = None
    ) -> None:
        """Sets what returns to the seeds with every step, their number, how far the walk leads, and what fuses."""
        self._damping = damping
        self._seeds = seeds
        self._rings = rings
        self._fusion = fusion or StandardisedScores()

    @property
    def name(self) -> str:
        """See `retrieval.ports.SeededChannel`."""
        return "spreading"

    def search(
        self, query: AnalysedQuery, view: BankView, limit: int, seeds: Mapping[str, ChannelResult]
    ) -> ChannelResult | None:
        """See `retrieval.ports.SeededChannel`."""
        first, strengths = best_seeds(seeds, self._fusion, self._seeds)
        if not first.size:
            return None

        around = Neighbourhood(
            view,
            first,
            lambda slots: topic(seeds, slots),
            hub_share=HUB_SHARE,
            most=_MOST_MEMORIES,
            most_entities=_MOST_ENTITIES,
        )
        widened = np.zeros(view.n_slots, np.bool_)
        ring, activation = first, np.empty(0)
        for _ in range(self._rings):
            around.widen(ring)
            if around.is_bare:
                return None
            widened[ring] = True
            activation = self._activation(around, strengths)
            order = np.argsort(-activation, kind="stable")
            order = order[~widened[around.slots[order]] & (activation[order] > _LEAST)]
            ring = around.slots[order[:_RING]]
            if not ring.size:
                break
        reached = activation > _LEAST
        return sparse_result(view, around.slots[reached], np.sqrt(activation[reached]), limit)

    def _activation(self, around: Neighbourhood, strengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """Activation of the memories of a neighbourhood, the seeds first."""
        over = around.graph()
        put_in = np.zeros(len(over))
        put_in[: strengths.size] = strengths
        return spread(over, put_in, self._damping)[0][: around.slots.size]


def topic(seeds: Mapping[str, ChannelResult], slots: NDArray[np.int64]) -> NDArray[np.float64]:
    """How well memories fit the question in the eyes of the other channels, each in (0, 1)."""
    return np.asarray(1.0 / (1.0 + np.exp(-deviation(seeds, slots))))
