"""Which memories bridges lead to, and how strongly.

    link(b, d) = kind(b) * rarity(memories that hold all of b) * about(b, d),   kind: 1 for a name, 1/2 for a word
    about(b, d) = sum over the terms t of b of  w(t) * tf / (tf + k1 * (1 - b' + b' * |d| / mean |d|)),   w ~ idf, sum 1

for memories d that hold every term of b; about is BM25 with b as the question, so that a memory about a name links more
strongly than one that names it in passing. All bridges of a hop take one scan of the terms (its best 256 memories are
looked at closely).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.channels.keyword import K1, B, idf
from retrieval.hops.bridges import Bridge, rarity

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

_LOOKED_AT = 256


@dataclass(frozen=True, slots=True)
class Links:
    """Memories that bridges lead to, and for each its strongest bridge.

    Attributes:
        slots: int64 `[n]`, distinct, ascending.
        strengths: float64 `[n]`, in (0, 1).
        bridges: int64 `[n]`, number of the bridge.
        alone: bool `[n]`, whether no other memory but the one it comes from holds that bridge: a thread to follow.
    """

    slots: NDArray[np.int64]
    strengths: NDArray[np.float64]
    bridges: NDArray[np.int64]
    alone: NDArray[np.bool_]


def links_of(view: BankView, bridges: Sequence[Bridge]) -> Links:
    """Follows bridges; a bridge never leads back to the memory that it comes from."""
    terms = np.unique(np.concatenate([bridge.terms for bridge in bridges]))
    weights = idf(view.document_frequency(terms), view.n_documents)
    slots, best = view.top(view.bm25(terms, weights, 0.0, 0.0), _LOOKED_AT)
    slots = np.sort(slots[best > 0.0])
    if slots.size == 0:
        return Links(slots, np.empty(0), np.empty(0, np.int64), np.empty(0, np.bool_))
    frequency = _term_frequencies(view, slots, terms)
    lengths = view.column("lengths", slots).astype(np.float64) / max(view.mean_length, 1e-9)
    saturation = K1 * (1.0 - B + B * lengths)
    strengths = np.zeros((slots.size, len(bridges)))
    alone = np.zeros(len(bridges), np.bool_)
    for number, bridge in enumerate(bridges):
        columns = np.searchsorted(terms, bridge.terms)
        tf = frequency[:, columns]
        holds = (tf > 0).all(axis=1) & (slots != bridge.source)
        others = int(holds.sum())
        if not others:
            continue
        held_by = others + (bridge.source >= 0)
        share = weights[columns] / weights[columns].sum()
        about = (tf / (tf + saturation[:, None]) * share).sum(axis=1)
        strengths[:, number] = np.where(holds, bridge.kind_worth * rarity(held_by, view.n_documents) * about, 0.0)
        alone[number] = others == 1
    strongest = strengths.argmax(axis=1)
    strength = strengths.max(axis=1)
    linked = strength > 0.0
    return Links(slots[linked], strength[linked], strongest[linked], alone[strongest[linked]])


def _term_frequencies(view: BankView, slots: NDArray[np.int64], terms: NDArray[np.uint32]) -> NDArray[np.float64]:
    """How often memories hold terms (ascending), float64 `[n, t]`."""
    columns, offsets = view.ranges("terms", slots)
    ids, frequency = columns["ids"], columns["freqs"]
    place = np.minimum(np.searchsorted(terms, ids), terms.size - 1)
    known = terms[place] == ids
    rows = np.repeat(np.arange(slots.size), np.diff(offsets))
    table = np.zeros((slots.size, terms.size))
    table[rows[known], place[known]] = frequency[known]
    return table
