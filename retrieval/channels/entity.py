"""Entity channel: memories that mention who or what the question names.

A memory is a hyperedge: it joins all entities that it mentions. An entity is a name with its aliases.

    held(d)  = sum of idf(e) over the asked entities e that d mentions  /  sum of idf(e) over all asked entities
    score(d) = (both(d) + held(d) + W * topic(d)) / (2 + 2 W)
    both(d)  = 1 + W if d mentions two of them or more, else 0
    idf(e)   = ln(1 + (N - n(e) + 0.5) / (n(e) + 0.5))

with N the eligible memories and n(e) those that mention e. `topic` orders memories that mention the same entities:
the logistic of the mean of cosine and BM25, each standardised over the memories that mention any of them. As W is the
most that the topic can add, a memory that joins two asked entities comes before all that have one.

An entity that more than 30 % of the eligible memories mention (and more than five) is left out: it says nothing about
which memory is meant. A question in small letters throughout names nobody by its capitals: then its runs of one to
four words are looked up as names.

Evidence: the largest `held`; entities that no memory mentions count against it.

Parameters: the share of 30 % (a name that every third memory holds tells less than two bits) and W = 0.25; neither is
fitted. Cost: a pass over the entity arena, a second one past 16,384 mentions, or none of them where a list of all
memories that mention an asked entity was made on a device; cosine and BM25 of those that do.
Abstains when the question names nothing, or nothing that is mentioned and telling.

Sources: idf, Robertson and Zaragoza 2009 (doi:10.1561/1500000019); n-ary facts as hyperedges, Wen et al. 2016
(arXiv:1604.08642).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import regex
from numpy.typing import NDArray

from gpu.ops.channel_pass.questions import Groups, Listed
from retrieval.analysis.mentions import mention_id
from retrieval.analysis.stop_words import ENGLISH
from retrieval.channels.incidence import Mentions, too_common
from retrieval.channels.keyword import K1, B, idf
from retrieval.channels.sparse import sparse_result
from retrieval.types import AnalysedQuery, ChannelResult

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

MOST_SHARE = 0.3
TOPIC_WEIGHT = 0.25

_MOST_WORDS = 4
_MOST_NAMES = 256
_WORD = regex.compile(r"[\p{L}\p{N}@][\p{L}\p{M}\p{N}_.'’\-]*(?<=[\p{L}\p{M}\p{N}])")
_SMALLEST_STD = 1e-6


class EntityChannel:
    """Memories that mention what the question names."""

    def __init__(self, *, most_share: float = MOST_SHARE, topic_weight: float = TOPIC_WEIGHT) -> None:
        """Sets the share of memories from which an entity says nothing, and what the topic may add."""
        self._most_share = most_share
        self._topic_weight = topic_weight

    @property
    def name(self) -> str:
        """See `retrieval.ports.Channel`."""
        return "entity"

    @property
    def listed(self) -> Listed:
        """See `retrieval.ports.ListedChannel`."""
        return Listed.ENTITY

    def asks(self, query: AnalysedQuery, view: BankView) -> Groups | None:
        """See `retrieval.ports.ListedChannel`."""
        groups = _asked(query)
        return Groups(groups, np.ones(len(groups), np.float32)) if groups else None

    def search(self, query: AnalysedQuery, view: BankView, limit: int) -> ChannelResult | None:
        """See `retrieval.ports.Channel`."""
        groups = _asked(query)
        if not groups:
            return None
        known = query.listed(self.listed)
        mentions = Mentions.of_groups(view, groups, known.slots if known is not None and known.is_complete else None)
        counts = mentions.counts
        telling = np.flatnonzero((counts > 0) & ~too_common(counts, view.eligible, self._most_share))
        if telling.size == 0:
            return None
        weights = idf(counts, view.eligible).astype(np.float64)
        if query.entity_groups or query.mention_ids.size:
            ceiling = float(weights.sum())
        else:  # of the runs of words only those that are names count
            ceiling = float(weights[counts > 0].sum())
        found, which = mentions.of(telling)
        if found.size == 0:
            return None  # erased in the meantime
        slots, place = np.unique(found, return_inverse=True)
        held = np.bincount(place, weights=weights[telling[which]]) / ceiling
        several = np.bincount(place) > 1
        w = self._topic_weight
        score = (several * (1.0 + w) + held + w * _topic(query, view, slots)) / (2.0 + 2.0 * w)
        return sparse_result(view, slots, score, limit, evidence=min(float(held.max()), 1.0))


def _asked(query: AnalysedQuery) -> list[NDArray[np.uint64]]:
    """The entities of the question, each as the ids of its mentions."""
    if query.entity_groups:
        return [group for group in query.entity_groups if group.size]
    if query.mention_ids.size:
        return [np.array([mention], np.uint64) for mention in np.unique(query.mention_ids)]
    text = query.query.text
    return [] if any(character.isupper() for character in text) else _runs_of_words(text)


def _runs_of_words(text: str) -> list[NDArray[np.uint64]]:
    """Ids of the runs of one to four words that neither begin nor end with a stop word."""
    words = _WORD.findall(text)
    runs = (
        " ".join(words[start : start + length])
        for length in range(_MOST_WORDS, 0, -1)
        for start in range(len(words) - length + 1)
        if words[start] not in ENGLISH and words[start + length - 1] not in ENGLISH
    )
    distinct = list(dict.fromkeys(runs))[:_MOST_NAMES]
    return [np.array([mention_id(run)], np.uint64) for run in distinct]


def _topic(query: AnalysedQuery, view: BankView, slots: NDArray[np.int64]) -> NDArray[np.float64]:
    """How well memories (ascending slots) fit the question's topic beside its names, each in (0, 1)."""
    parts = []
    if query.vector is not None:
        parts.append(_standardised(view.dense_of(query.vector, slots)))
    frequency = view.document_frequency(query.terms.ids)
    known = np.flatnonzero(frequency)
    if known.size:
        weights = idf(frequency, view.n_documents)[known]
        parts.append(_standardised(view.bm25_of(query.terms.ids[known], weights, K1, B, slots)))
    if not parts:
        return np.full(slots.size, 0.5)
    return np.asarray(1.0 / (1.0 + np.exp(-np.mean(parts, axis=0))))


def _standardised(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Deviations from the mean in standard deviations; 0 for what has no score or where all are alike."""
    known = np.isfinite(scores)
    out = np.zeros(scores.size)
    if known.any():
        values = scores[known].astype(np.float64)
        spread = float(values.std())
        if spread > _SMALLEST_STD:
            out[known] = (values - values.mean()) / spread
    return out
