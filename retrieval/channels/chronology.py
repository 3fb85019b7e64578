"""Which memory came first: an order that survives missing and equal clocks.

1. A memory whose time of happening is known stands at that time; without one, at the earliest start of the times that
   its text speaks of.
2. One without either stands where its conversation was when it was written: at the last known time before it in the
   conversation, else at the first one after it, else at the time at which the first of those memories was recorded.
3. Equal times go by the order of writing (ids rise with it).
4. An explicit link "follows" between two memories decides where clocks leave it open: the follower comes later, right
   after it if nothing else says when it was. Chains of up to 32 links are followed over memories in between. A link
   that known times contradict is ignored, also over memories in between that have none; so are links that form rings.

Only the memories that are asked about and the chains of links behind them are looked at. If all times are known and
differ, neither conversations nor links are read. Cost otherwise: one pass over the conversations, and for each link
of the longest chain a look-up of ids. The order is the topological one that takes the earliest memory first whenever
it has a choice (Kahn 1962, doi:10.1145/368996.369025).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpu.bank.records import UNKNOWN_US, Relation

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

_MOST_STEPS = 32
_MOST_MEMORIES = 4096


def in_order(view: BankView, slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same memories, earliest first.

    Args:
        view: where they are.
        slots: int64 `[m]`, distinct.

    Returns:
        int64 `[m]`.
    """
    occurred = _integers(view, "occurred_us", slots)
    if np.unique(occurred).size == slots.size and not (occurred == UNKNOWN_US).any():
        return slots[np.argsort(occurred, kind="stable")]
    nodes, follows = _chains(view, slots)
    times, known = _times(view, nodes)
    order = _by_id(view, nodes, times)
    ordered = nodes[_topological(order, times, known, follows) if follows else order]
    return ordered[np.isin(ordered, slots)]


def _integers(view: BankView, name: str, slots: NDArray[np.int64]) -> NDArray[np.int64]:
    return view.column(name, slots).astype(np.int64, copy=False)


def _by_id(view: BankView, nodes: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places in `nodes` by time, equal times by id."""
    halves = np.ascontiguousarray(view.memory_id(nodes)).view(">u8").reshape(-1, 2)
    return np.lexsort((halves[:, 1], halves[:, 0], times))


def _times(view: BankView, nodes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """When each memory stands, in microseconds, and whether it says so itself."""
    times = _integers(view, "occurred_us", nodes).copy()
    unclocked = np.flatnonzero(times == UNKNOWN_US)
    times[unclocked] = _spoken_of(view, nodes[unclocked])
    known = times != UNKNOWN_US
    if known.all():
        return times, known
    times[~known] = _integers(view, "recorded_from_us", nodes[~known])
    sequences = view.column("sequences", nodes).astype(np.uint64, copy=False)
    asked = np.flatnonzero(~known & (sequences != 0))
    if asked.size:
        order = view.sequence_order()
        place_of = np.full(view.n_slots, -1, np.int64)
        place_of[order] = np.arange(order.size)
        asked = asked[place_of[nodes[asked]] >= 0]
        times[asked] = _filled(view, order)[place_of[nodes[asked]]]
    return times, known


def _spoken_of(view: BankView, slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """The earliest start of the times that texts speak of, or `UNKNOWN_US`."""
    columns, offsets = view.ranges("spans", slots)
    starts = columns["bounds"][:, 0].astype(np.int64, copy=False)
    out = np.full(slots.size, UNKNOWN_US)
    for place, (low, high) in enumerate(pairwise(offsets.tolist())):
        named = starts[low:high]
        named = named[named != UNKNOWN_US]
        if named.size:
            out[place] = named.min()
    return out


def _filled(view: BankView, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each memory of all conversations the time at which it stands, see the module's second rule."""
    occurred = _integers(view, "occurred_us", order)
    sequences = view.column("sequences", order).astype(np.uint64, copy=False)
    n = order.size
    starts = np.flatnonzero(np.concatenate([[True], sequences[1:] != sequences[:-1]]))
    first = np.repeat(starts, np.diff(np.append(starts, n)))
    last = np.repeat(np.append(starts[1:], n) - 1, np.diff(np.append(starts, n)))
    known = occurred != UNKNOWN_US
    before = np.maximum.accumulate(np.where(known, np.arange(n), -1))
    after = np.minimum.accumulate(np.where(known, np.arange(n), n)[::-1])[::-1]
    recorded = _integers(view, "recorded_from_us", order[starts])
    alone = np.repeat(recorded, np.diff(np.append(starts, n)))
    following = np.where(after <= last, occurred[np.minimum(after, n - 1)], alone)
    return np.where(before >= first, occurred[before], following)


def _chains(view: BankView, slots: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """The memories with those that they follow, over others too; and pairs (earlier, later) of places in them."""
    nodes: dict[int, int] = {slot: place for place, slot in enumerate(slots.tolist())}
    follows: list[tuple[int, int]] = []
    frontier = slots
    for _ in range(_MOST_STEPS):
        columns, offsets = view.ranges("links", frontier)
        later = np.repeat(frontier, np.diff(offsets))
        chosen = columns["relations"] == Relation.FOLLOWS
        if not chosen.any():
            break
        earlier = view.slots_of(columns["targets"][chosen])
        new: list[int] = []
        for one, other in zip(earlier.tolist(), later[chosen].tolist(), strict=True):
            if one < 0 or one == other:
                continue
            if one not in nodes:
                nodes[one] = len(nodes)
                new.append(one)
            follows.append((nodes[one], nodes[other]))
        if not new or len(nodes) > _MOST_MEMORIES:
            break
        frontier = np.array(new, np.int64)
    return np.fromiter(nodes, np.int64, len(nodes)), follows


def _topological(
    order: NDArray[np.int64], times: NDArray[np.int64], known: NDArray[np.bool_], follows: list[tuple[int, int]]
) -> list[int]:
    """Places of all memories, no follower before what it follows; of those that may come next the earliest one.

    A memory without a time of its own comes right after the last of what it follows.
    """
    at: list[int] = times.tolist()
    own = [time if said else None for time, said in zip(at, known.tolist(), strict=True)]
    links = _agreeing(own, _without_rings(order.size, set(follows)))
    before, after = _sides(order.size, links)
    latest: list[float] = [math.inf] * order.size
    for place in reversed(_sorted(before, after)):
        time = own[place]
        latest[place] = min((latest[other] for other in after[place]), default=math.inf) if time is None else time
    # Whoever follows something comes when that is out; whoever is followed stands no later than its followers must.
    stands = [
        -math.inf if own[place] is None and before[place] else min(at[place], latest[place])
        for place in range(order.size)
    ]
    rank = np.empty(order.size, np.int64)
    rank[order] = np.arange(order.size)
    return _sorted(before, after, list(zip(stands, rank.tolist(), strict=True)))


def _without_rings(n: int, links: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those links that lie on no ring and on no way from one ring to another."""
    before, after = _sides(n, links)
    no_ring = {*_sorted(before, after), *_sorted(after, before)}
    return {(one, other) for one, other in links if one in no_ring or other in no_ring}


def _agreeing(own: list[int | None], links: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those links, without rings, by which no memory follows one that is known to be later."""
    before, after = _sides(len(own), links)
    earliest: list[float] = [-math.inf] * len(own)
    kept: list[tuple[int, int]] = []
    for place in _sorted(before, after):
        time = own[place]
        agreeing = [one for one in before[place] if time is None or earliest[one] <= time]
        kept += [(one, place) for one in agreeing]
        earliest[place] = max((earliest[one] for one in agreeing), default=-math.inf) if time is None else time
    return kept


def _sides(n: int, links: Collection[tuple[int, int]]) -> tuple[list[list[int]], list[list[int]]]:
    """For each of `n` places those right before it, and those right after it."""
    before: list[list[int]] = [[] for _ in range(n)]
    after: list[list[int]] = [[] for _ in range(n)]
    for one, other in links:
        before[other].append(one)
        after[one].append(other)
    return before, after


def _sorted(
    before: Sequence[Sequence[int]], after: Sequence[Sequence[int]], keys: Sequence[tuple[float, int]] | None = None
) -> list[int]:
    """Places in an order that no link contradicts, smallest key first where it is open; none on or behind a ring."""
    waits = [len(those) for those in before]
    free = [((0.0, place) if keys is None else keys[place], place) for place, left in enumerate(waits) if not left]
    heapq.heapify(free)
    out: list[int] = []
    while free:
        _, place = heapq.heappop(free)
        out.append(place)
        for other in after[place]:
            waits[other] -= 1
            if waits[other] == 0:
                heapq.heappush(free, ((0.0, other) if keys is None else keys[other], other))
    return out
