"""Exact channel: what stands in quotation marks, and identifiers, found letter by letter.

    score(q, d) = sum over the needles n of q of  ln(1 + N / df(n)) * hit(n, d)
    hit(n, d)   = 1                         where n stands in d as whole words
                = 1/2                       where it stands there as a part of longer words
                = 0.6 * (1 - edits / |n|)   where no eligible memory holds n, for texts within k edits of it

with N the eligible memories, df(n) those that hold n (or come near it), |n| its length in characters, and k = 0 below
5 characters, 1 below 9, else 2 (a letter put in, left out or replaced). Needles and texts are compared in their
folded form (`retrieval.analysis.folding`).

Evidence: the best score as a share of what a memory would have that holds every needle as whole words.

Parameters: at most 16 needles, each of 2 to 1024 characters; the weights above. Cost: one pass over the text arena, a
second one for needles that nothing holds. Abstains when the question has neither phrases nor identifiers, or nothing
holds or comes near them.

Sources: rarity as in Spärck Jones 1972 (doi:10.1108/eb026526); approximate search: Myers 1999
(doi:10.1145/316542.316550), see `gpu/ops/text_scan`; edits by length much as Lucene's fuzzy queries grant them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu.ops.text_scan.op import count_scan, near_scan
from retrieval.analysis.folding import folded_text
from retrieval.channels.topical import result_of
from retrieval.types import AnalysedQuery, ChannelResult, Question

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

PART_OF_A_WORD = 0.5
NEAR = 0.6
_MOST_NEEDLES = 16
_SHORTEST, _LONGEST = 2, 1024
_ONE_EDIT_FROM, _TWO_EDITS_FROM = 5, 9
_CLOSING = " .,;:!?…"
"""Signs that writers put inside a closing quotation mark though they belong to the sentence around it."""


class ExactChannel:
    """Memories that hold what the question quotes, or the ids, paths and codes that it names."""

    @property
    def name(self) -> str:
        """See `retrieval.ports.Channel`."""
        return "exact"

    def search(self, query: AnalysedQuery, view: BankView, limit: int) -> ChannelResult | None:
        """See `retrieval.ports.Channel`."""
        wanted = needles(query.question)
        if not wanted or view.eligible == 0:
            return None
        scores = np.zeros(view.n_slots, np.float32)
        ceiling = 0.0
        counts, whole = _counted(view, wanted)
        missing: list[str] = []
        for number, needle in enumerate(wanted):
            held = counts[number] > 0
            frequency = int(np.count_nonzero(held))
            ceiling += _worth(frequency, view)
            if frequency:
                share = np.where(whole[number] != 0, 1.0, PART_OF_A_WORD)
                scores += (_worth(frequency, view) * np.where(held, share, 0.0)).astype(np.float32)
            else:
                missing.append(needle)
        _add_near(scores, view, missing)
        best = float(scores.max())
        return result_of(view, scores, limit, min(best / ceiling, 1.0))


def needles(question: Question) -> list[str]:
    """What to look for, folded, distinct, in the order of the question."""
    phrases = (folded_text(phrase).rstrip(_CLOSING).lstrip() for phrase in question.phrases)
    found = dict.fromkeys((*phrases, *map(folded_text, question.identifiers)))
    return [needle for needle in found if _SHORTEST <= len(needle) <= _LONGEST][:_MOST_NEEDLES]


def granted_edits(needle: str) -> int:
    """How many edits still count as the same: none in a short needle, where one makes another word of it."""
    return (len(needle) >= _ONE_EDIT_FROM) + (len(needle) >= _TWO_EDITS_FROM)


def _worth(frequency: int, view: BankView) -> float:
    return math.log1p(view.eligible / max(frequency, 1))


def _counted(view: BankView, wanted: list[str]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    counts = np.zeros((len(wanted), view.n_slots), np.int32)
    whole = np.zeros((len(wanted), view.n_slots), np.uint8)
    patterns = [needle.encode() for needle in wanted]
    for segment, part, mask in view.segments():
        own = (len(wanted), segment.n_slots)
        found, bounded = np.empty(own, np.int32), np.empty(own, np.uint8)
        count_scan(segment, patterns, mask, found, bounded)
        counts[:, part], whole[:, part] = found, bounded
    return counts, whole


def _add_near(scores: NDArray[np.float32], view: BankView, missing: list[str]) -> None:
    """Add what comes near the needles that nothing holds."""
    for k in (1, 2):
        alike = [needle for needle in missing if granted_edits(needle) == k]
        if not alike:
            continue
        patterns = [needle.encode() for needle in alike]
        edits = np.full((len(alike), view.n_slots), k + 1, np.uint8)
        for segment, part, mask in view.segments():
            out = np.empty((len(alike), segment.n_slots), np.uint8)
            near_scan(segment, patterns, k, mask, out)
            edits[:, part] = out
        for number, needle in enumerate(alike):
            near = edits[number] <= k
            worth = _worth(int(np.count_nonzero(near)), view) * NEAR
            scores += np.where(near, worth * (1.0 - edits[number] / len(needle)), 0.0).astype(np.float32)
