"""A channel that hangs costs its own part of the answers and nothing else: deadlines hold, and no pool runs dry."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gpu.bank.bank import BankView
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from memsvc.db.tenancy import SERVICE
from memsvc.namespaces import repository as namespaces
from retrieval.analysis.analyser import TextAnalyser
from retrieval.channels.keyword import KeywordChannel
from retrieval.channels.semantic import SemanticChannel
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.fusion import StandardisedScores
from retrieval.pipeline import Recaller, Stages
from retrieval.ports import Channel
from retrieval.types import AnalysedQuery, ChannelResult, Query, Recall
from tests.fixtures.extent import rounds
from tests.fixtures.service import DIM, Caller, serving

STALLS = rounds(250, 1_000)
"""Several times as many as there may be threads."""
CLIENTS = 8
DEADLINE_S = 3.0
"""Ample for the healthy channels on a machine where other tests run beside this one."""
SLACK_S = 5.0
"""How late an answer may come on a machine where other tests run beside this one."""
MOST_THREADS = 64
"""More than the service needs with one channel hanging, far fewer than the stalls."""
TEXTS = ("Agnes repaired the old kayak.", "Beatrice sold the piano.", "Clara joined a choir in Oslo.")


class Stalling:
    """A channel that answers nothing until it is released; knows how often it was begun."""

    name = "stalling"

    def __init__(self) -> None:
        self.released = threading.Event()
        self.begun = 0
        self._guard = threading.Lock()

    def search(self, query: AnalysedQuery, view: BankView, limit: int) -> ChannelResult | None:
        with self._guard:
            self.begun += 1
        self.released.wait(60)
        return KeywordChannel().search(query, view, limit)


@dataclass
class Stand:
    """A recaller with a stalling channel beside two healthy ones, over a bank of the service."""

    caller: Caller
    recaller: Recaller
    stalling: Stalling

    def ask(self, deadline_s: float | None = DEADLINE_S) -> tuple[Recall, float]:
        """An answer and the seconds that it took."""
        bank = loaded(self.caller)
        begun = time.monotonic()
        query = Query("Who sold the piano?", datetime(2026, 1, 1, tzinfo=UTC), 3, ScanFilter(), deadline_s=deadline_s)
        recall = self.recaller.recall(self.recaller.analyse(query), bank)
        return recall, time.monotonic() - begun


def loaded(caller: Caller) -> NamespaceBank:
    """The bank of the caller's only namespace."""
    container = caller.service.container
    with container.database.read(SERVICE) as connection:
        (namespace,) = namespaces.every(connection)
    return container.keeper.catch_up(namespace.key, namespace.head_seq)


def _recaller(channels: tuple[Channel, ...]) -> Recaller:
    return Recaller(Stages(channels, StandardisedScores()), TextAnalyser(), HashingEmbedder(DIM), workers=4)


def _compile_what_they_call(caller: Caller, healthy: tuple[Channel, ...]) -> None:
    """One recall without a deadline: in a fresh clone numba compiles for seconds, and that is not what is tested."""
    warm = _recaller(healthy)
    assert Stand(caller, warm, Stalling()).ask(deadline_s=None)[0].degraded == ()
    warm.close()


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with serving(tmp_path) as service:
        caller = service.tenant()
        for text in TEXTS:
            caller.remember(text)
        stalling = Stalling()
        healthy = (SemanticChannel(), KeywordChannel())
        recaller = _recaller((*healthy, stalling))
        _compile_what_they_call(caller, healthy)
        yield Stand(caller, recaller, stalling)
        stalling.released.set()
        recaller.close()


def test_hundreds_of_stalls_exhaust_no_pool(stand: Stand) -> None:
    threads_before, most_threads = threading.active_count(), 0
    taken: list[float] = []
    with ThreadPoolExecutor(CLIENTS) as clients:
        asked = [clients.submit(stand.ask) for _ in range(STALLS)]
        for future in asked:
            recall, took_s = future.result()
            most_threads = max(most_threads, threading.active_count())
            taken.append(took_s)
            assert took_s < DEADLINE_S + SLACK_S
            assert recall.degraded == ("stalling",)
            assert set(recall.hits[0].channels) == {"semantic", "keyword"}  # the healthy ones were never in its way
    assert statistics.median(taken) < DEADLINE_S / 2  # once it hangs, nobody waits for it
    assert most_threads - threads_before - CLIENTS < MOST_THREADS
    assert stand.stalling.begun >= 1


def test_recalls_are_whole_again_once_the_stall_ends(stand: Stand) -> None:
    for _ in range(20):
        stand.ask()
    stand.stalling.released.set()
    ends_s = time.monotonic() + 10
    while (recall := stand.ask(deadline_s=DEADLINE_S)[0]).degraded and time.monotonic() < ends_s:
        time.sleep(0.05)
    assert recall.degraded == ()
    assert "stalling" in recall.hits[0].channels
    whole, _ = stand.ask(deadline_s=None)
    assert whole.degraded == ()
    assert whole.hits == recall.hits


def test_memories_are_written_and_found_while_a_channel_hangs(stand: Stand) -> None:
    """A hanging channel keeps the snapshot that it reads; nobody else waits for it."""
    stand.ask()
    begun = time.monotonic()
    written = stand.caller.remember("Delia sold the piano too.")
    assert time.monotonic() - begun < 2 * SLACK_S
    recall, _ = stand.ask()
    assert written["id"] in {str(hit.memory_id) for hit in recall.hits}
