"""Which memories a recall finds: what somebody wrote, and beside it what jobs made of that.

What is made repeats its sources. As long as these can be found it has nothing to add, and as a candidate it would
only change what others are measured against. So what somebody wrote is searched by itself, as if nothing had been
made. A second search, over both, is made only where made ones may be missed: fewer were found than were asked for, or
something is archived, and made ones may stand for it. Of the second search the made ones alone are taken: one of which
no source can be found stands behind as many of the written as it did there, any other behind all of them.

Both are searched together, once, where made ones are what is asked for: the question asks what is true in general, or
the filter says something of `derived`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from gpu import tracing
from gpu.bank.filters import ScanFilter
from gpu.bank.records import Kind, State
from memsvc.db.engine import Database
from memsvc.filters.pairs import MADE
from memsvc.memories import derived
from memsvc.memories import repository as memories
from memsvc.namespaces.repository import NamespaceRow
from memsvc.recall import share
from memsvc.recall.descent import LEAST_HITS, below_hits, descending
from memsvc.recall.found import Found, fetch
from memsvc.recall.order import all_below, placed, sources_first
from retrieval.channels.running import ViewSource
from retrieval.pipeline import Recaller
from retrieval.types import AnalysedQuery, Recall


@dataclass(frozen=True, slots=True)
class Searching:
    """A question to one namespace, searched for as often as it takes.

    Attributes:
        factors: see `retrieval.pipeline.Recaller.recall`.
        names_made: whether the filter says something of `derived`.
    """

    database: Database
    recaller: Recaller
    namespace: NamespaceRow
    bank: ViewSource
    analysed: AnalysedQuery
    factors: Mapping[str, float]
    as_of: datetime | None
    now: datetime
    names_made: bool

    @property
    def together(self) -> bool:
        """Whether what was made is searched like everything else."""
        is_general = self.analysed.question.kind_hint is Kind.SEMANTIC
        return is_general or self.names_made or not self.namespace.has_derived

    def find(self, top_k: int, *, descends: bool) -> tuple[Recall, list[Found]]:
        """The hits, best first, at most `top_k`, and how they were found.

        Args:
            descends: whether to go down from the hits to archived memories that they were made of.
        """
        scan = self.analysed.query.scan
        if not descends:
            return self._beside(scan, top_k)
        recall, found = self._beside(scan, max(top_k, LEAST_HITS))
        hits = [one.id for one in found]
        with self.database.read(self.namespace.tenant_id) as connection:
            below = below_hits(connection, self.namespace.tenant_id, hits) if hits else None
        if below is None or not below.size:
            return recall, found[:top_k]
        scan = descending(scan, hits, below)
        deep, deeper = self._search(scan if self.together else _written(scan), top_k)
        if not self.together:
            deeper = placed(deeper, found, {one.id for one in found if one.is_made})[:top_k]
        return _both(recall, deep), deeper

    def shared_out(self, found: list[Found], top_k: int, *, descends: bool) -> tuple[list[Found], Mapping[str, int]]:
        """Hits of which no untrusted source has more than its share, and by origin how many were left out.

        Their places are filled by searching again without such sources; what is found so comes behind the others.
        """
        kept, left_out = share.capped(found, top_k, _memory)
        searching, without = self, Counter[str]()
        for _ in range(share.ROUNDS):
            if len(kept) >= top_k or not left_out.keys() - without.keys():
                break
            without = left_out
            searching = self._without(left_out)
            _, more = searching.find(top_k, descends=descends)
            known = {one.id for one in kept}
            kept, again = share.capped([*kept, *(one for one in more if one.id not in known)], top_k, _memory)
            left_out = left_out + again
        return kept, left_out

    def _without(self, origins: Collection[str]) -> Searching:
        query = self.analysed.query
        scan = replace(query.scan, no_pairs=(*query.scan.no_pairs, *share.pairs_of(origins)))
        return replace(self, analysed=replace(self.analysed, query=replace(query, scan=scan)))

    def _beside(self, scan: ScanFilter, top_k: int) -> tuple[Recall, list[Found]]:
        """What somebody wrote with what was made beside it, see the module."""
        if self.together:
            return self._search(scan, top_k)
        first, found = self._search(_written(scan), top_k)
        if len(found) >= top_k and not self._stands_for_some(scan):
            return first, found
        second, both = self._search(scan, top_k)
        made = [one.id for one in both if one.is_made]
        if not made:
            return first, found
        with self.database.read(self.namespace.tenant_id) as connection:
            sources = all_below(made, partial(derived.below, connection, self.namespace.tenant_id))
            behind = derived.standing_beside(connection, self.namespace.tenant_id, sources, scan.states)
        both = [both[place] for place in sources_first([one.id for one in both], sources)]
        is_needed = not found or any(one not in behind for one in made)
        recall = _both(first, second) if is_needed else replace(_both(first, second), confidence=first.confidence)
        return recall, placed(found, both, behind)[:top_k]

    def _stands_for_some(self, scan: ScanFilter) -> bool:
        """Whether what was made may stand for something that is archived, and thereby not found itself."""
        if State.ARCHIVED in scan.states:
            return False
        with self.database.read(self.namespace.tenant_id) as connection:
            return memories.has_archived(connection, *self.namespace.key)

    def _search(self, scan: ScanFilter, top_k: int) -> tuple[Recall, list[Found]]:
        query = replace(self.analysed.query, scan=scan, top_k=top_k)
        recall = self.recaller.recall(replace(self.analysed, query=query), self.bank, self.factors)
        begun = time.perf_counter()
        with tracing.step("fetch"), self.database.read(self.namespace.tenant_id) as connection:
            found = fetch(connection, self.namespace, recall.hits, scan.states, self.now, self.as_of)
        timings = {**recall.timings_ms, "fetch": (time.perf_counter() - begun) * 1e3}
        return replace(recall, timings_ms=timings), found


def _memory(one: Found) -> Any:
    return one.memory


def _written(scan: ScanFilter) -> ScanFilter:
    """The same filter over what somebody wrote."""
    return replace(scan, no_pairs=(*scan.no_pairs, *MADE))


def _both(first: Recall, second: Recall) -> Recall:
    """How two searches went that make one answer: as sure as the surer, in the time of both."""
    names = first.timings_ms.keys() | second.timings_ms.keys()
    return replace(
        second,
        confidence=max(first.confidence, second.confidence),
        degraded=tuple(sorted({*first.degraded, *second.degraded})),
        timings_ms={name: first.timings_ms.get(name, 0.0) + second.timings_ms.get(name, 0.0) for name in sorted(names)},
        trail=first.trail or second.trail,
    )
