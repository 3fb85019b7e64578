"""One cross-encoder for all requests: fair, bounded, and never longer than a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.errors import EmbedderAnswerError, EmbedderBusyError, EmbedderClosedError
from retrieval.rerank.shared import SharedPairScorer

PATIENCE_S = 10.0


class Gated:
    """Scores a text by its length once the gate is open; keeps what it was asked, and how many ran at a time."""

    name = "gated"

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.started = threading.Event()
        self.asked: list[tuple[str, list[str]]] = []
        self.most_at_once = 0
        self._running = 0
        self._lock = threading.Lock()

    def score(self, query: str, texts: Sequence[str], *, ends_at_s: float | None = None) -> NDArray[np.float32]:
        with self._lock:
            self.asked.append((query, list(texts)))
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        self.started.set()
        assert self.gate.wait(PATIENCE_S)
        with self._lock:
            self._running -= 1
        if "bad" in texts:
            raise EmbedderAnswerError("no finite score")
        return np.array([len(text) for text in texts], np.float32)


@pytest.fixture
def gated() -> Iterator[Gated]:
    made = Gated()
    yield made
    made.gate.set()


@pytest.fixture
def share(gated: Gated) -> Iterator[Callable[..., SharedPairScorer]]:
    made: list[SharedPairScorer] = []

    def make(**options: int) -> SharedPairScorer:
        made.append(SharedPairScorer(gated, **{"workers": 1, **options}))
        return made[-1]

    yield make
    gated.gate.set()
    for scorer in made:
        scorer.close()


def _until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.001)


def test_scores_come_back_in_order(gated: Gated, share: Callable[..., SharedPairScorer]) -> None:
    gated.gate.set()
    texts = ["a" * length for length in (5, 3, 9, 1, 7)]
    for options in ({"workers": 1}, {"workers": 3}, {"workers": 2, "pairs_per_run": 2}):
        assert share(**options).score("q", texts).tolist() == [5, 3, 9, 1, 7]


def test_recalls_are_served_in_turn(gated: Gated, share: Callable[..., SharedPairScorer]) -> None:
    scorer = share()
    with ThreadPoolExecutor(2) as callers:
        many = callers.submit(scorer.score, "many", list("abcd"))
        assert gated.started.wait(PATIENCE_S)
        few = callers.submit(scorer.score, "few", list("xy"))
        _until(lambda: scorer.waiting == 5)
        gated.gate.set()
        assert many.result(PATIENCE_S).size == 4
        assert few.result(PATIENCE_S).size == 2
    assert [query for query, _ in gated.asked] == ["many", "many", "few", "many", "few", "many"]


def test_no_more_threads_than_workers_however_many_recalls(
    gated: Gated, share: Callable[..., SharedPairScorer]
) -> None:
    scorer = share(workers=2)
    with ThreadPoolExecutor(6) as callers:
        futures = [callers.submit(scorer.score, str(number), list("abc")) for number in range(6)]
        _until(lambda: scorer.waiting == 16)
        gated.gate.set()
        assert all(future.result(PATIENCE_S).tolist() == [1, 1, 1] for future in futures)
    assert gated.most_at_once == 2


def test_a_scorer_that_hangs_costs_no_more_than_the_deadline(
    gated: Gated, share: Callable[..., SharedPairScorer]
) -> None:
    scorer = share()
    begun = time.monotonic()
    scores = scorer.score("q", list("abc"), ends_at_s=begun + 0.05)
    assert time.monotonic() - begun < PATIENCE_S / 2
    assert np.isnan(scores).all()
    assert scorer.waiting == 0  # what nobody waits for is not scored later
    gated.gate.set()
    assert scorer.score("again", ["four"]).tolist() == [4]
    assert [texts for query, texts in gated.asked if query == "q"] == [["a"]]


def test_what_is_there_at_the_deadline_is_a_beginning() -> None:
    class SlowFirst:
        name = "slow-first"
        gate = threading.Event()

        def score(self, query: str, texts: Sequence[str], *, ends_at_s: float | None = None) -> NDArray[np.float32]:
            if texts[0] == "b":
                self.gate.wait(PATIENCE_S)
            return np.ones(len(texts), np.float32)

    scorer = SharedPairScorer(SlowFirst(), workers=2)
    scores = scorer.score("q", list("abc"), ends_at_s=time.monotonic() + 0.1)
    SlowFirst.gate.set()
    scorer.close()
    assert scores[0] == 1.0
    assert np.isnan(scores[1:]).all()


def test_an_error_reaches_the_recall_whose_pair_it_is(gated: Gated, share: Callable[..., SharedPairScorer]) -> None:
    gated.gate.set()
    scorer = share()
    with pytest.raises(EmbedderAnswerError):
        scorer.score("q", ["good", "bad", "never asked"])
    assert scorer.waiting == 0
    assert scorer.score("q", ["good"]).tolist() == [4]


def test_too_many_waiting_pairs_are_refused(gated: Gated, share: Callable[..., SharedPairScorer]) -> None:
    scorer = share(capacity_pairs=3)
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(scorer.score, "q", list("abc"))
        assert gated.started.wait(PATIENCE_S)
        with pytest.raises(EmbedderBusyError):
            scorer.score("more", list("xy"))
        gated.gate.set()
        assert waiting.result(PATIENCE_S).size == 3


def test_closing_fails_what_waits_and_what_comes(gated: Gated, share: Callable[..., SharedPairScorer]) -> None:
    scorer = share()
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(scorer.score, "q", list("abc"))
        assert gated.started.wait(PATIENCE_S)
        threading.Timer(0.05, gated.gate.set).start()
        scorer.close()
        with pytest.raises(EmbedderClosedError):
            waiting.result(PATIENCE_S)
    with pytest.raises(EmbedderClosedError):
        scorer.score("q", ["a"])
