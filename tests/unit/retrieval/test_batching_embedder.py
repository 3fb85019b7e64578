"""How one embedder is shared between threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.embedders.batching import BatchingEmbedder
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.errors import EmbedderAnswerError, EmbedderBusyError, EmbedderClosedError
from retrieval.types import EmbeddingSpace

PATIENCE_S = 5.0


class Gated:
    """An embedder whose document runs wait for a gate; it keeps the batches that it was given."""

    def __init__(self) -> None:
        self._inner = HashingEmbedder(16)
        self.gate = threading.Event()
        self.started = threading.Event()
        self.batches: list[list[str]] = []
        self.questions: list[str] = []

    @property
    def space(self) -> EmbeddingSpace:
        return self._inner.space

    def embed_documents(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        self.batches.append(list(texts))
        self.started.set()
        assert self.gate.wait(PATIENCE_S)
        if "bad" in texts:
            raise EmbedderAnswerError("a vector is zero")
        if "broken" in texts:
            raise ZeroDivisionError
        return self._inner.embed_documents(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        self.questions.append(text)
        return self._inner.embed_query(text)


@pytest.fixture
def gated() -> Gated:
    return Gated()


@pytest.fixture
def share(gated: Gated) -> Iterator[Callable[..., BatchingEmbedder]]:
    made: list[BatchingEmbedder] = []

    def make(**options: int) -> BatchingEmbedder:
        made.append(BatchingEmbedder(gated, **{"document_workers": 1, **options}))
        return made[-1]

    yield make
    gated.gate.set()
    for embedder in made:
        embedder.close()


Share = Callable[..., BatchingEmbedder]


def test_a_question_does_not_wait_behind_documents(gated: Gated, share: Share) -> None:
    embedder = share()
    with ThreadPoolExecutor(1) as pool:
        documents = pool.submit(embedder.embed_documents, [f"memory {n}" for n in range(1000)])
        assert gated.started.wait(PATIENCE_S)
        assert embedder.submit_query("now?").result(PATIENCE_S).shape == (16,)
        assert not documents.done()
        gated.gate.set()
        assert len(documents.result(PATIENCE_S)) == 1000


def test_calls_that_arrive_during_a_run_are_embedded_together(gated: Gated, share: Share) -> None:
    embedder = share(texts_per_run=8)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(embedder.embed_documents, ["first"])
        assert gated.started.wait(PATIENCE_S)
        others = [pool.submit(embedder.embed_documents, [f"text {n}"]) for n in range(4)]
        while embedder._documents._waiting < 4:
            threading.Event().wait(0.001)
        gated.gate.set()
        wait([first, *others], PATIENCE_S)
    assert gated.batches[0] == ["first"]
    assert sorted(gated.batches[1]) == [f"text {n}" for n in range(4)]


def test_equal_texts_are_embedded_once(gated: Gated, share: Share) -> None:
    gated.gate.set()
    rows = share(texts_per_run=8).embed_documents(["a", "b", "a", "a"])
    assert [text for batch in gated.batches for text in batch] == ["a", "b"]
    assert rows[0] is rows[2]


def test_callers_are_served_in_turn(gated: Gated, share: Share) -> None:
    embedder = share()
    with ThreadPoolExecutor(2) as pool:
        many = pool.submit(embedder.embed_documents, [f"many {n}" for n in range(50)])
        assert gated.started.wait(PATIENCE_S)
        one = pool.submit(embedder.embed_documents, ["one"])
        while embedder._documents._waiting < 50:
            threading.Event().wait(0.001)
        gated.gate.set()
        wait([many, one], PATIENCE_S)
    assert gated.batches.index(["one"]) <= 3


def test_a_text_that_fails_does_not_fail_its_neighbours(gated: Gated, share: Share) -> None:
    gated.gate.set()
    embedder = share(texts_per_run=8)
    with pytest.raises(EmbedderAnswerError):
        embedder.embed_documents(["good", "bad"])
    assert ["good"] in gated.batches


def test_an_unforeseen_error_reaches_the_caller_and_the_worker_lives_on(gated: Gated, share: Share) -> None:
    gated.gate.set()
    embedder = share()
    with pytest.raises(ZeroDivisionError):
        embedder.embed_documents(["broken"])
    assert len(embedder.embed_documents(["fine"])) == 1


def test_more_than_may_wait_is_refused_as_a_whole(gated: Gated, share: Share) -> None:
    embedder = share(waiting_documents=3)
    with pytest.raises(EmbedderBusyError):
        embedder.embed_documents(["a", "b", "c", "d"])
    gated.gate.set()
    assert gated.batches == []
    assert len(embedder.embed_documents(["a", "b", "c"])) == 3


def test_a_question_asked_again_comes_from_the_cache(gated: Gated, share: Share) -> None:
    embedder = share(cached_queries=2)
    first = embedder.embed_query("a")
    assert np.shares_memory(embedder.embed_query("a"), first)
    embedder.embed_query("b")
    embedder.embed_query("c")
    embedder.embed_query("a")
    assert gated.questions == ["a", "b", "c", "a"]


def test_the_cache_can_be_off(gated: Gated, share: Share) -> None:
    embedder = share(cached_queries=0)
    embedder.embed_query("a")
    embedder.embed_query("a")
    assert gated.questions == ["a", "a"]


def test_shared_vectors_cannot_be_changed(gated: Gated, share: Share) -> None:
    vector = share().embed_query("a")
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 1.0


def test_close_fails_what_waits_and_refuses_what_comes(gated: Gated) -> None:
    embedder = BatchingEmbedder(gated, document_workers=1)
    with ThreadPoolExecutor(3) as pool:
        running = pool.submit(embedder.embed_documents, ["running"])
        assert gated.started.wait(PATIENCE_S)
        waiting = pool.submit(embedder.embed_documents, ["waiting"])
        while embedder._documents._waiting < 1:
            threading.Event().wait(0.001)
        closing = pool.submit(embedder.close)
        with pytest.raises(EmbedderClosedError):
            waiting.result(PATIENCE_S)
        gated.gate.set()
        closing.result(PATIENCE_S)
        assert len(running.result(PATIENCE_S)) == 1
    with pytest.raises(EmbedderClosedError):
        embedder.embed_documents(["late"])


def test_giving_up_on_a_question_harms_nobody_else(gated: Gated, share: Share) -> None:
    embedder = share()
    future = embedder.submit_query("a")
    assert not future.cancel()
    assert future.result(PATIENCE_S).shape == (16,)
    assert embedder.submit_query("b").result(PATIENCE_S).shape == (16,)


def test_close_closes_what_it_wraps() -> None:
    class Closing(Gated):
        closed = False

        def close(self) -> None:
            self.closed = True

    inner = Closing()
    BatchingEmbedder(inner).close()
    assert inner.closed
