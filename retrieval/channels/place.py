"""Place channel: what happened in the places that a question names.

    score(q, d) = share(q, d) * fit(q, d) * topic(q, d)
    share = sum of ln(1 + N / df(p)) over the asked places p that d holds / the same sum over those that anybody holds
    fit   = 3/4 + 1/4 * (asked places that d holds / places that d holds)
    topic = z+       if the question is about more than the place
          = 1 + z+   if it is not

with N the eligible memories, df(p) those that hold p, and z+ how far d stands out by the question's topic without the
names of the places (`retrieval.channels.topical`), 0 for what is below the mean. `fit` puts a memory whose place is
the asked one above a memory of which it is only a part ("Paris" above "Café de Flore, Paris") or that names many
places.

Parameters: the weights above. Cost: two passes over the arena of places (none where a list of all memories that hold an
asked one was made on a device), and those of the semantic and the keyword channel. Abstains when the question names no
place, no eligible memory holds one of them, or none that does has to do with the topic.

Sources: rarity as in Spärck Jones 1972 (doi:10.1108/eb026526); what, where and when as separate keys to an episode:
Tulving 1972; Clayton and Dickinson 1998 (doi:10.1038/26216).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu.ops.channel_pass.questions import Groups, Listed
from gpu.ops.place_scan.op import place_scan
from retrieval.analysis.places import place_id
from retrieval.analysis.terms import hashed, stems
from retrieval.channels.incidence import held_by
from retrieval.channels.topical import result_of, topic_scores
from retrieval.types import AnalysedQuery, ChannelResult

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

_FIT_FLOOR = 0.75


class PlaceChannel:
    """Memories of the places that the question names."""

    @property
    def name(self) -> str:
        """See `retrieval.ports.Channel`."""
        return "place"

    @property
    def listed(self) -> Listed:
        """See `retrieval.ports.ListedChannel`."""
        return Listed.PLACE

    def asks(self, query: AnalysedQuery, view: BankView) -> Groups | None:
        """See `retrieval.ports.ListedChannel`."""
        asked = np.unique(query.question.place_ids)
        return Groups(list(asked[:, None]), np.ones(asked.size, np.float32)) if asked.size else None

    def search(self, query: AnalysedQuery, view: BankView, limit: int) -> ChannelResult | None:
        """See `retrieval.ports.Channel`."""
        asked = np.unique(query.question.place_ids)
        if asked.size == 0:
            return None
        known = query.listed(self.listed)
        if known is not None and known.is_complete:
            slots, which = held_by(view, "places", known.slots, asked, np.arange(asked.size))
        else:
            slots, which = _holders(view, asked)
        if slots.size == 0:
            return None
        frequency = np.bincount(which, minlength=asked.size)
        worth = np.where(frequency > 0, np.log1p(view.eligible / np.maximum(frequency, 1)), 0.0)
        holders, row = np.unique(slots, return_inverse=True)
        share = np.bincount(row, weights=worth[which]) / worth.sum()
        places = np.maximum(view.column("n_places", holders).astype(np.float64), 1.0)
        fit = _FIT_FLOOR + (1.0 - _FIT_FLOOR) * np.minimum(np.bincount(row) / places, 1.0)
        scores = np.zeros(view.n_slots, np.float32)
        scores[holders] = share * fit * _topic(query, view, holders)
        return result_of(view, scores, limit)


def _holders(view: BankView, asked: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of an eligible memory and an asked place that it holds."""
    found = [(part.start, *place_scan(segment, asked, mask)) for segment, part, mask in view.segments()]
    slots = np.concatenate([start + slots for start, slots, _ in found])
    return slots, np.concatenate([which for _, _, which in found])


def _topic(query: AnalysedQuery, view: BankView, holders: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much each holder has to do with what else the question says, float64 `[m]`, >= 0."""
    names = query.question.names
    asked = np.isin(np.array([place_id(name) for name in names], np.uint64), query.question.place_ids)
    words = [stem for name, is_place in zip(names, asked.tolist(), strict=True) if is_place for stem in stems(name)]
    rest = np.setdiff1d(query.terms.ids, hashed(words).ids)
    about_more = bool(view.document_frequency(rest).any())
    z = topic_scores(query, view, terms=rest if about_more else None)
    if z is None:
        return np.ones(holders.size)
    rise = np.maximum(z[holders].astype(np.float64), 0.0)
    return rise if about_more else 1.0 + rise
