"""Readers and a writer at the same time: nothing fails, nothing is returned that never was."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from gpu.bank.bank import Bank
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.warm_up import warm_up
from tests.fixtures.bank_records import random_batch

DIM = 8
SECONDS = 0.6
NUMBERS = 250
IDS = random_batch(np.random.default_rng(0), list(range(NUMBERS)), dim=DIM).memory_ids
NUMBER_OF = {bytes(row): i for i, row in enumerate(IDS)}


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    warm_up()


def write_round(namespace: NamespaceBank, version: int, rng: np.random.Generator) -> None:
    """Put some memories whose attributes and vectors all follow from number and version: a mixture would show."""
    chosen = rng.choice(NUMBERS, int(rng.integers(1, 60)), replace=False).tolist()
    n = len(chosen)
    batch = random_batch(rng, chosen, dim=DIM, versions=[version] * n, recorded_from=[version] * n, max_views=1)
    namespace.put(
        replace(
            batch,
            states=np.zeros(n, np.uint8),
            importances=np.full(n, version, np.float32),
            trusts=np.array(chosen, np.float32),
            vectors=np.full((n, DIM), 0.25 * (1 + version % 3), np.float16),
            view_offsets=np.arange(n + 1),
        )
    )
    if version % 7 == 0:
        namespace.erase(IDS[rng.choice(NUMBERS, 5)])
    if version % 11 == 0:
        namespace.compact()


def read_round(namespace: NamespaceBank, scan: ScanFilter) -> None:
    terms = np.arange(10, dtype=np.uint32) * np.uint32(2654435761)
    with namespace.view(scan) as view:
        dense = view.dense(np.ones(DIM, np.float32))
        view.bm25(terms, np.ones(10, np.float32), 1.5, 0.75)
        slots, scores = view.top(dense, 50)
        # In this order: what is erased meanwhile turns to zeros, and what was zero stays zero.
        found, versions = view.memory_id(slots), view.column("versions", slots)
        importances, trusts = view.column("importances", slots), view.column("trusts", slots)
    names = [bytes(row) for row in found if row.any()]
    assert len(set(names)) == len(names)
    for row, version, importance, trust, score in zip(found, versions, importances, trusts, scores, strict=True):
        if row.any() and row[8:].any():
            assert importance in (version, 0)
            assert trust in (NUMBER_OF.get(bytes(row)), 0)
            assert 0 <= score <= 6
            if trust and importance:
                assert score == 2 * (1 + version % 3)


def until(done: threading.Event, work: Callable[[int], None]) -> int:
    rounds = 0
    try:
        while not done.is_set():
            rounds += 1
            work(rounds)
    finally:
        done.set()
    return rounds


def test_readers_while_a_writer_appends_replaces_erases_and_compacts() -> None:
    namespace = Bank().open("ns", DIM)
    rng = np.random.default_rng(1)
    done = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        tasks = [
            pool.submit(until, done, lambda version: write_round(namespace, version, rng)),
            pool.submit(until, done, lambda _: read_round(namespace, ScanFilter())),
            pool.submit(until, done, lambda turn: read_round(namespace, ScanFilter(as_of_us=turn % 20))),
        ]
        done.wait(SECONDS)
        done.set()
        assert min(task.result() for task in tasks) > 3
    assert namespace._retired == []
    assert namespace._current.pins == namespace._history.pins == 0


def test_one_memory_never_vanishes_while_it_is_replaced() -> None:
    namespace = Bank().open("ns", DIM)
    first = replace(random_batch(np.random.default_rng(0), [1], dim=DIM), states=np.zeros(1, np.uint8))
    namespace.put(first)
    counts = set()
    versions: list[int] = []
    done = threading.Event()

    def write(turn: int) -> None:
        versions.append(turn)
        namespace.put(replace(first, versions=np.array([turn + 1], np.int32), recorded_from_us=np.array([turn])))

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(until, done, write)
        end = time.monotonic() + SECONDS / 2
        while time.monotonic() < end or len(versions) < 3:
            with namespace.view(ScanFilter()) as view:
                counts.add((view.eligible, view.n_documents))
        done.set()
        writer.result()
    assert counts == {(1, 1)}
