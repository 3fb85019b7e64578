"""Consolidation: gists answer, and lead to the memories that they were made of.

A gist is a memory with `derived_from` links; what these name are its sources. With z(d) how far a memory stands out
in the other channels on the average (in standard deviations over all eligible memories, at least 0):

    score(source) = z(source) + 0.5 * max over its gists g of z(g)
    score(gist)   = z(gist) + 0.1 * max over its sources s of z(s), but less than each of its eligible sources has

Every source of a gist that fits the question is lifted, however it is worded itself; a gist fits a little better for
each source that does. The gist is the summary: its sources have what it left out, so it comes after them, unless the
question seems to ask for what is true in general (`kind_hint` semantic): then its score is not held down. A gist none
of whose sources is eligible (forgotten, filtered out) stands by itself. Gists of gists pass their lift on level by
level, at most four.

Gists are looked for among the other channels' best, their sources beside them, and among the gists that link to those
best.

Parameters: 0.5 and 0.1: half of what speaks for a summary speaks for each of its parts, and a part says little about
the rest; neither is fitted. Cost: the links of some hundred memories, and one pass over the link arena.
Abstains when none of the best has a gist or is one.

Source: complementary learning systems, McClelland, McNaughton and O'Reilly 1995 (doi:10.1037/0033-295X.102.3.419);
summaries that lead to what they cover, Sarthi et al. 2024 (RAPTOR, arXiv:2401.18059).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import Kind, Relation
from gpu.ops.link_scan.op import link_scan
from retrieval.channels.seeds import deviation
from retrieval.channels.sparse import sparse_result
from retrieval.fusion import Fusion, StandardisedScores
from retrieval.types import AnalysedQuery, ChannelResult

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

TO_SOURCE = 0.5
TO_GIST = 0.1
BEST = 128

_LEVELS = 4
_NONE = np.empty(0, np.int64)
_Ties = tuple[NDArray[np.int64], NDArray[np.int64]]


class ConsolidationChannel:
    """Gists and their sources."""

    def __init__(self, *, to_source: float = TO_SOURCE, to_gist: float = TO_GIST, fusion: Fusion | None = None) -> None:
        """Sets what part of a gist's score lifts its sources, what part of a source's its gists, and what fuses."""
        self._to_source = to_source
        self._to_gist = to_gist
        self._fusion = fusion or StandardisedScores()

    @property
    def name(self) -> str:
        """See `retrieval.ports.SeededChannel`."""
        return "consolidation"

    def search(
        self, query: AnalysedQuery, view: BankView, limit: int, seeds: Mapping[str, ChannelResult]
    ) -> ChannelResult | None:
        """See `retrieval.ports.SeededChannel`."""
        if not any(segment.links.pages for segment, _, _ in view.segments()):
            return None
        best = self._fusion.fuse(seeds, BEST).slots
        if not best.size:
            return None
        gists, sources = _families(view, best)
        if not gists.size:
            return None
        slots, place = np.unique(np.concatenate([gists, sources]), return_inverse=True)
        own = np.maximum(deviation(seeds, slots), 0.0)
        ties = place[: gists.size], place[gists.size :]
        scores = self._lifted(own, ties)
        if query.question.kind_hint is not Kind.SEMANTIC:
            _hold_down(scores, ties)
        return sparse_result(view, slots, scores, limit)

    def _lifted(self, own: NDArray[np.float64], ties: _Ties) -> NDArray[np.float64]:
        """Scores with what gists give their sources, level by level, and sources their gists."""
        gists, sources = ties
        scores = own.copy()
        for _ in range(_LEVELS):
            before = scores
            scores = own.copy()
            lift = np.zeros(own.size)
            np.maximum.at(lift, sources, before[gists])
            scores += self._to_source * lift
            if np.array_equal(before, scores):
                break
        lift = np.zeros(own.size)
        np.maximum.at(lift, gists, own[sources])
        return scores + self._to_gist * lift


def _hold_down(scores: NDArray[np.float64], ties: _Ties) -> None:
    """Put no gist above any of its sources."""
    gists, sources = ties
    for _ in range(_LEVELS):
        lowest = np.full(scores.size, np.inf)
        np.minimum.at(lowest, gists, scores[sources])
        # The next smaller number of the precision that scores are kept in: equal ones go by slot, not by who made whom.
        below = np.nextafter(lowest.astype(np.float32), np.float32(-np.inf)).astype(np.float64)
        held = np.where(np.isfinite(lowest) & (scores >= lowest), below, scores)
        if np.array_equal(held, scores):
            return
        scores[:] = held


def _families(view: BankView, best: NDArray[np.int64]) -> _Ties:
    """Ties between eligible gists and their eligible sources (slots) around some memories."""
    made = [best]
    ids = view.memory_id(best)
    ids = ids[ids.any(axis=1)]
    for segment, part, mask in view.segments():
        slots, _, relations = link_scan(segment, ids, mask)
        made.append(part.start + slots[relations == Relation.DERIVED_FROM])
    ties = []
    seen = _NONE
    ring = np.unique(np.concatenate(made))
    for _ in range(_LEVELS):
        gists, sources = _sources(view, ring)
        ties.append((gists, sources))
        seen = np.union1d(seen, ring)
        ring = np.setdiff1d(sources, seen)
        if not ring.size:
            break
    return np.concatenate([gists for gists, _ in ties]), np.concatenate([sources for _, sources in ties])


def _sources(view: BankView, slots: NDArray[np.int64]) -> _Ties:
    """Of some memories those that are gists, each as often as it has eligible sources, and these."""
    columns, offsets = view.ranges("links", slots)
    derived = columns["relations"] == Relation.DERIVED_FROM
    gists = np.repeat(slots, np.diff(offsets))[derived]
    sources = view.slots_of(columns["targets"][derived])
    mask = view.mask()
    here = (sources >= 0) & (mask[gists] > 0)
    gists, sources = gists[here], sources[here]
    here = (mask[sources] > 0) & (gists != sources)
    return gists[here], sources[here]
