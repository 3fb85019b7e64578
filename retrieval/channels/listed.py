"""Lists that channels go on from instead of scanning, asked for once a recall, all in one pass.

A channel that can do so says what it wants listed (`retrieval.ports.ListedChannel`). Whichever of them comes first asks
for all; the others wait for the same answer. What such a channel finds is what it finds by scanning, to the last bit: a
list only says which memories are worth a look, and a channel that cannot prove that these are all scans after all.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

from gpu.bank.lists import ListedBest, Lists
from gpu.ops.channel_pass.questions import Groups, Listed, Question, Terms
from retrieval.ports import Channel, ListedChannel
from retrieval.types import AnalysedQuery

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

LISTED = 4_096
"""Memories of each list. How often lists of which length are proof: `python -m benchmarks.device_lists`."""


class Listing:
    """The lists of one recall; see `retrieval.types.Listing`. Thread-safe."""

    def __init__(self, channels: Sequence[Channel], query: AnalysedQuery, view: BankView, lists: Lists) -> None:
        """Asks nothing yet.

        Args:
            channels: of the recall; those that want no list too.
            query: the question, perhaps without its vector.
            view: the namespace as the recall sees it.
            lists: who makes lists for it.
        """
        self._channels = [channel for channel in channels if isinstance(channel, ListedChannel)]
        self._query = query
        self._view = view
        self._lists = lists
        self._lock = threading.Lock()
        self._found: Future[Mapping[Listed, ListedBest] | None] | None = None

    def __call__(self, which: Listed) -> ListedBest | None:
        """One list; None if nobody made it."""
        with self._lock:
            mine = self._found is None
            found = self._found = self._found or Future()
        if mine:
            try:
                found.set_result(self._asked())
            except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it
                found.set_exception(error)
        lists = found.result()
        return None if lists is None else lists.get(which)

    def _asked(self) -> Mapping[Listed, ListedBest] | None:
        question = Question(self._view.scan)
        for channel in self._channels:
            wanted = channel.asks(self._query, self._view)
            if isinstance(wanted, Terms):
                question = replace(question, terms=wanted)
            elif isinstance(wanted, Groups) and channel.listed is Listed.ENTITY:
                question = replace(question, entities=wanted)
            elif isinstance(wanted, Groups):
                question = replace(question, places=wanted)
        return self._lists.find(self._view, question, LISTED) if question.listed else None
