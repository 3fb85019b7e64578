"""How unlike everything that was there a memory was when it was written, from 0 to 1.

The novelty of a memory is its distance from the nearest one that was written before it,

    novelty_i = 1 - max over j < i of cos(v_i, v_j)

(1 if there was none; of several views of a memory the nearest pair counts), and its surprise the place of that novelty
among the novelties of the memories before it:

    surprise_i = (#{j < i: novelty_j < novelty_i} + #{j < i: novelty_j = novelty_i} / 2 + w / 2) / ((i - 1) + w)

So a namespace of recipes and one of everything have the same spread of surprise, however near to each other a model
puts its vectors; half of all memories surprise by more than 0.5; and while little is there, everything is near to 0.5,
which makes no difference to retention. Nothing that came later is looked at.

Sources: the distance from the nearest ones that are known as novelty: Lehman and Stanley 2011 (Evolutionary Computation
19:189); its place among those before it is one less the p-value of a conformal predictor with that distance as its
measure: Laxhammar and Falkman 2010 (on streams of trajectories), after Vovk, Gammerman and Shafer 2005. The weight w of
what is believed beforehand is chosen, not fitted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PRIOR = 10.0
"""How many memories the belief counts as that nothing is known: w."""
_NOVELTY_DIGITS = 6
"""A sum that is rounded in another order must not make another novelty."""
_SURPRISE_DIGITS = 2
"""One memory more or less among many then seldom makes another surprise."""
_BLOCK = 1024


class NearestBefore:
    """The nearest earlier memory of each of some memories, found in one pass over all.

    Args:
        vectors: float32 `[v, dim]`, unit rows: the views of those memories.
        owners: int64 `[v]`, whose each view is: a place among the memories, ascending.
        places: int64 `[m]`, where these memories stand in the order of writing, ascending.
    """

    def __init__(self, vectors: NDArray[np.float32], owners: NDArray[np.int64], places: NDArray[np.int64]) -> None:
        self._vectors = vectors
        self._owners = owners
        self._places = places
        self._best = np.full(places.shape[0], -np.inf)
        self._nearest = np.full(places.shape[0], -1, np.int64)

    def see(self, vectors: NDArray[np.float32], places: NDArray[np.int64]) -> None:
        """Compares with a part of all memories; parts come in the order of writing.

        Args:
            vectors: float32 `[n, dim]`, unit rows.
            places: int64 `[n]`, of the memory that each row is of, ascending.
        """
        if not places.size:
            return
        for at in range(0, self._owners.shape[0], _BLOCK):
            owners = self._owners[at : at + _BLOCK]
            products = _rounded(self._vectors[at : at + _BLOCK] @ vectors.T)
            products[places[None, :] >= self._places[owners][:, None]] = -np.inf
            first = products.argmax(axis=1)  # of equals the one that was written first
            for row, owner in enumerate(owners.tolist()):
                found = products[row, first[row]]
                if found > self._best[owner]:
                    self._best[owner] = found
                    self._nearest[owner] = places[first[row]]

    def novelties(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Novelty of each memory `[m]`, and the place of the memory that it rests on, -1 for none."""
        known = np.where(self._nearest >= 0, self._best, 0.0)
        return _rounded(np.clip(1.0 - known, 0.0, 2.0)), self._nearest


def surprises(novelties: NDArray[np.float64]) -> NDArray[np.float64]:
    """Surprise of each memory, `[n]`, from the novelties of all in the order of writing.

    The time grows with n log n and a block's length for each memory, not with n^2.
    """
    out = np.empty(novelties.shape[0])
    before = np.empty(0)
    for at in range(0, novelties.shape[0], _BLOCK):
        own = novelties[at : at + _BLOCK]
        lower = before.searchsorted(own, side="left").astype(np.float64)
        equal = before.searchsorted(own, side="right") - lower
        earlier = np.tri(own.shape[0], k=-1, dtype=bool)
        lower += (earlier & (own[None, :] < own[:, None])).sum(axis=1)
        equal += (earlier & (own[None, :] == own[:, None])).sum(axis=1)
        n = at + np.arange(own.shape[0])
        out[at : at + _BLOCK] = (lower + equal / 2 + PRIOR / 2) / (n + PRIOR)
        before = np.sort(np.concatenate([before, own]))
    return np.round(out, _SURPRISE_DIGITS)


def _rounded(values: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(np.round(values.astype(np.float64), _NOVELTY_DIGITS), np.float64)
