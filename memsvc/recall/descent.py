"""From the hits of a recall down to archived memories that they were made of.

A recall sees what is active. Where episodes have been archived and their roll-ups stand for them, one that descends
asks again, of the hits and of every memory below them, with all channels and filters: what is down there is judged by
what it says itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from gpu.bank.filters import ScanFilter
from gpu.bank.records import State
from memsvc.memories import derived
from memsvc.recall.order import all_below

LEAST_HITS = 20
"""So many hits are gone down from, however few are asked for. Chosen."""
MOST_BELOW = 2_000
"""Memories below the best hits that are looked at."""


def below_hits(connection: Connection, tenant_id: UUID, hits: Sequence[UUID]) -> NDArray[np.uint8]:
    """Ids of all memories below some hits, uint8 `[n, 16]`, those below the best first; at most `MOST_BELOW`."""
    reached = all_below(hits, partial(derived.below, connection, tenant_id))
    found = dict.fromkeys(one for hit in hits for one in sorted(reached[hit]))
    return _ids(list(found)[:MOST_BELOW])


def descending(scan: ScanFilter, hits: Sequence[UUID], below: NDArray[np.uint8]) -> ScanFilter:
    """The same filter over the hits and what is below them; archived ones pass where active ones do."""
    both = np.concatenate([_ids(hits), below])
    if scan.allowed is not None:
        both = both[np.isin(both.view("V16").ravel(), np.ascontiguousarray(scan.allowed).view("V16").ravel())]
    states = scan.states | {State.ARCHIVED} if State.ACTIVE in scan.states else scan.states
    return replace(scan, states=states, allowed=np.unique(both, axis=0))


def _ids(memories: Sequence[UUID]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(one.bytes for one in memories), np.uint8).reshape(-1, 16)
