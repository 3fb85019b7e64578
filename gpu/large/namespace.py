"""A namespace that may grow large: looks after the index of its bank, and searches with it where that is faster.

- *Large* is a namespace whose current memories have at least `LargeRules.large_from` rows. Smaller ones get no index.
- *Building* happens in one background thread of the process, from a snapshot: no writer waits. Until the index is
  there, and wherever it would not help, every memory is compared.
- *Rows that are newer than the index* are all compared at each search, until the background thread adds them.
- *Erased rows* are out of the index before the erasure returns.
- *Worn* is an index once as many rows were added as it was trained on: it is trained anew. Rows that were replaced are
  skipped; once they are a quarter the bank moves its rows (see `NamespaceBank.compact`), and the index, which says
  where rows are, is dropped and built anew.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu import faiss_library as library
from gpu.bank.errors import DimensionError, NamespaceFullError, PageOwnershipError
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.nearest import EXACT, DenseBest
from gpu.bank.proposed import best_among
from gpu.bank.segment import SegmentSnapshot
from gpu.bank.view import BankView
from gpu.large.index import VectorIndex, build
from gpu.large.near_pairs import near_pairs_in_lists
from gpu.large.position_lists import PositionLists
from gpu.large.rules import LargeRules
from gpu.large.scans import nearest_of_all, nearest_of_newest
from gpu.ops.near_pairs.op import near_pairs
from gpu.ops.near_pairs.partners import NearPairs

logger = logging.getLogger(__name__)

_PAUSE_S = 60.0
"""After a build that failed, none is tried for so long."""

_DEFAULT = LargeRules()

_one_builder = threading.Lock()
"""Only one index of the process is trained at a time: the cores belong to the searches."""


@dataclass(frozen=True, slots=True)
class LargeState:
    """What there is of an index.

    Attributes:
        covered: rows before this position are in it; 0 if there is none.
        newer: rows that are newer and compared at each search.
        dead: memories that were replaced or erased and still have their rows, which searches pass over.
        is_building: whether a thread is at work on it.
        memory_bytes: what it takes.
    """

    covered: int
    newer: int
    dead: int
    is_building: bool
    memory_bytes: int


class LargeNamespace:
    """Index of one namespace's bank. Any number of threads may search; at most one builds.

    Attributes:
        bank: what is searched.
        rules: by which it is.
    """

    def __init__(self, bank: NamespaceBank, rules: LargeRules = _DEFAULT) -> None:
        self.bank = bank
        self.rules = rules
        self._lock = threading.Lock()  # held for microseconds: the fields below
        self._index: VectorIndex | None = None
        self._changes = 0  # erasures and moves of rows so far
        self._drops = 0  # how often an index was dropped and wiped
        self._owner: int | None = None  # of the bank's pages, once it said so
        self._builder: threading.Thread | None = None
        self._not_before_s = 0.0
        self._closed = False
        bank.watch(self._rows_are_gone)

    def search(self, view: BankView, vector: NDArray[np.float32], limit: int) -> DenseBest:
        """The memories of a view that are nearest to a vector.

        Candidates of the index, rows that are newer than it, and closed versions (all of them) are ranked by exact
        scores. Every memory is compared instead where there is no index of what the view sees, and where the filter
        lets so few through that this is no more work.

        Args:
            view: an open view of this bank.
            vector: float32 `[dim]`.
            limit: how many at most.

        Raises:
            DimensionError: the vector has another dimension than the namespace.
            ValueError: `limit` is negative.
        """
        if limit < 0:
            raise ValueError("limit must not be negative")
        if vector.shape != (self.bank.dim,):
            raise DimensionError(f"query vector has shape {vector.shape}, the namespace has dimension {self.bank.dim}")
        self.refresh(view)
        (current, _, mask), *others = view.segments()
        with self._lock:
            index = self._index
        if index is None or index.owner != current.codes.owner:
            return EXACT.search(view, vector, limit)
        budget = self.rules.compared(current.n_views, limit)
        covered = index.covered  # read before the candidates are taken: an index may grow in place meanwhile
        newer = max(0, current.n_views - covered)
        closed = sum(int(np.count_nonzero(own)) for _, _, own in others)
        if not self.rules.is_worth_it(view.eligible, budget, newer + closed):
            return EXACT.search(view, vector, limit)
        found = [
            index.candidates(vector, current, mask, budget, limit),
            nearest_of_newest(current, vector, mask, covered, limit),
            *(part.start + nearest_of_all(segment, vector, own, limit) for segment, part, own in others),
        ]
        return best_among(view, vector, limit, np.unique(np.concatenate(found)), self.rules.sampled)

    def near_pairs(self, view: BankView, threshold: float, most: int) -> NearPairs:
        """Pairs of current memories of a view that are nearly the same; see `gpu.ops.near_pairs`.

        With an index only rows of near lists are compared, and the answer says that it is not exact; else all are.

        Args:
            view: an open view of this bank; closed versions in it are left out.
            threshold: least score, finite.
            most: partners that a memory keeps, at least 1.

        Raises:
            ValueError: the threshold is not finite, or `most` is less than 1.
        """
        (current, _, mask), *_ = view.segments()
        with self._lock:
            index = self._index
        if isinstance(index, PositionLists) and index.owner == current.codes.owner:
            return near_pairs_in_lists(index, current, threshold, most, mask)
        return near_pairs(current, threshold, most, mask)

    def refresh(self, view: BankView | None = None) -> None:
        """Start the background thread if there is something for it to do. Costs microseconds if there is not.

        Args:
            view: an open view without which one is opened.
        """
        if view is None:
            with self.bank.view(ScanFilter()) as own:
                self.refresh(own)
            return
        segment = _current(view)
        with self._lock:
            if self._closed or self._builder is not None or time.monotonic() < self._not_before_s:
                return
            if not self._is_due(segment, view.n_documents):
                return
            self._builder = threading.Thread(target=self._work, name="large-namespace", daemon=True)
            self._builder.start()

    def _is_due(self, segment: SegmentSnapshot, n_memories: int) -> bool:
        index = self._index
        if index is None:
            return n_memories > 0 and segment.n_views >= self.rules.large_from
        return index.owner == segment.codes.owner and (
            segment.n_views - index.covered >= self.rules.catch_up_from
            or self.rules.is_worn(index.trained_on, segment.n_views)
        )

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the background thread; False if it is still at work."""
        with self._lock:
            builder = self._builder
        if builder is not None:
            builder.join(timeout_s)
        return builder is None or not builder.is_alive()

    def state(self) -> LargeState:
        """What there is of an index now."""
        with self.bank.view(ScanFilter()) as view:
            segment = _current(view)
            with self._lock:
                index, building = self._index, self._builder is not None
            covered = 0 if index is None or index.owner != segment.codes.owner else index.covered
            held = 0 if index is None else index.memory_bytes()
            dead = segment.n_slots - view.n_documents
            return LargeState(covered, max(0, segment.n_views - covered), dead, building, held)

    def memory_bytes(self) -> int:
        """Bytes that the index takes beside the bank."""
        with self._lock:
            index = self._index
        return 0 if index is None else index.memory_bytes()

    def drop(self) -> None:
        """Forget the index; the next search may have a new one built."""
        with self._lock:
            self._drops += 1
            index, self._index = self._index, None
        if index is not None:
            index.wipe()

    def close(self) -> None:
        """Drop the index, build none any more and let the bank go; waits for the thread that is at work."""
        with self._lock:
            self._closed = True
        self.bank.unwatch(self._rows_are_gone)
        self.drop()
        self.wait()

    def _work(self) -> None:
        """What the background thread does. Nobody waits for it, so nobody else can hear of its errors."""
        try:
            with _one_builder:
                self._bring_up_to_date()
        except (MemoryError, NamespaceFullError, PageOwnershipError, RuntimeError) as error:
            # faiss raises RuntimeError for whatever it cannot do. Searches go on without an index.
            logger.warning("index of a large namespace was not built: %s", error)
            with self._lock:
                self._not_before_s = time.monotonic() + _PAUSE_S
        finally:
            with self._lock:
                self._builder = None

    def _bring_up_to_date(self) -> None:
        found = library.faiss()
        if found is None:
            with self._lock:
                self._not_before_s = math.inf
            return
        with self.bank.view(ScanFilter()) as view:
            segment = _current(view)
            with self._lock:
                seen, drops, index = self._changes, self._drops, self._index
            if (
                index is not None
                and index.owner == segment.codes.owner
                and not self.rules.is_worn(index.trained_on, segment.n_views)
            ):
                made: VectorIndex | None = index.extended(segment)
            else:
                made = self._built(found, segment)
            if made is not None:
                self._publish(made, seen, drops)

    def _built(self, found: Any, segment: SegmentSnapshot) -> VectorIndex | None:
        def wanted() -> bool:
            return not self._closed and self._owner in (None, segment.codes.owner)

        return build(found, segment, wanted) if segment.n_views >= self.rules.large_from else None

    def _publish(self, made: VectorIndex, seen: int, drops: int) -> None:
        """Let searches have an index, without what was erased while it was made.

        Args:
            made: the index.
            seen, drops: changes and drops when it was begun. One that grew out of an index that has been dropped goes
                as well: the two share what was wiped.
        """
        cleaned: VectorIndex | None = made
        while cleaned is not None:
            made = cleaned
            with self._lock:
                if self._closed or self._drops != drops:
                    break
                if self._changes == seen:
                    self._index = made
                    return
                seen = self._changes
            cleaned = self._cleaned(made)
        made.wipe()

    def _rows_are_gone(self, bank: NamespaceBank) -> None:
        """The bank has erased or moved rows, and does not let another writer in before this returns."""
        with bank.pinned() as seen, self._lock:
            self._changes += 1
            self._owner = seen.current_rows.codes.owner
            index = self._index
        if index is None:
            return
        cleaned = None
        try:
            cleaned = self._cleaned(index)
        finally:  # an index that could not be cleaned goes
            with self._lock:
                # Searches used it meanwhile: what it says of erased rows leads nowhere. A newer one is clean already.
                if self._index is index:
                    self._index = cleaned
                self._drops += cleaned is None
            if cleaned is None:
                index.wipe()

    def _cleaned(self, index: VectorIndex) -> VectorIndex | None:
        with self.bank.view(ScanFilter()) as view:
            segment = _current(view)
            return index.without_erased(segment) if segment.codes.owner == index.owner else None


def _current(view: BankView) -> SegmentSnapshot:
    """What the view sees of the current memories."""
    return next(iter(view.segments()))[0]
