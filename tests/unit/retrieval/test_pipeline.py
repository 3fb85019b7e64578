"""The whole way of a question, over a real bank in memory, with channels and embedders that misbehave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu.bank.bank import BankView
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import NEVER_US, UNKNOWN_US, RecordBatch, empty_columns
from retrieval.analysis.analyser import TextAnalyser
from retrieval.channels.keyword import K1, B, KeywordChannel, idf
from retrieval.channels.semantic import SemanticChannel
from retrieval.embedders.batching import BatchingEmbedder
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.errors import EmbedderUnavailableError
from retrieval.fusion import StandardisedScores
from retrieval.pipeline import Recaller, Stages
from retrieval.ports import Channel, Embedder
from retrieval.types import AnalysedQuery, ChannelResult, EmbeddingSpace, Encoded, Query

DIM = 64
PATIENCE_S = 5.0
TEXTS = (
    "Ada planted three apple trees behind the house.",
    "The train to Lisbon leaves at nine.",
    "Ada's brother repairs old clocks in Lisbon.",
    "Bread needs flour, water, salt and time.",
    "Ada pruned the apple trees in March and the pears in April.",
)


def memory_id(number: int) -> UUID:
    return UUID(int=number + 1)


def batch(texts: Sequence[str], embedder: Embedder) -> RecordBatch:
    n = len(texts)
    terms = [TextAnalyser().analyse(text).terms for text in texts]
    views = embedder.embed_documents(texts)
    unknown, never, zeros = np.full(n, UNKNOWN_US), np.full(n, NEVER_US), np.zeros(n, np.float32)
    return RecordBatch(
        memory_ids=np.frombuffer(b"".join(memory_id(i).bytes for i in range(n)), np.uint8).reshape(n, 16),
        versions=np.arange(1, n + 1, dtype=np.int32),
        kinds=np.zeros(n, np.uint8),
        states=np.zeros(n, np.uint8),
        occurred_us=unknown,
        valid_from_us=unknown,
        valid_to_us=never,
        recorded_from_us=np.zeros(n, np.int64),
        recorded_to_us=never,
        expires_us=never,
        importances=zeros,
        stabilities=zeros,
        trusts=zeros,
        last_recalled_us=unknown,
        lengths=np.array([t.length for t in terms], np.uint32),
        pairs=np.empty(0, np.uint64),
        pair_offsets=np.zeros(n + 1, np.int64),
        term_ids=np.concatenate([t.ids for t in terms]) if n else np.empty(0, np.uint32),
        term_freqs=np.concatenate([t.freqs for t in terms]) if n else np.empty(0, np.uint16),
        term_offsets=np.cumsum([0] + [t.ids.size for t in terms]),
        entity_ids=np.empty(0, np.uint64),
        entity_offsets=np.zeros(n + 1, np.int64),
        vectors=np.concatenate(views).astype(np.float16),
        view_offsets=np.cumsum([0] + [len(v) for v in views]),
        **empty_columns(n),
    )


class BrokenEmbedder:
    space = EmbeddingSpace("broken", DIM)

    def embed_documents(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        raise EmbedderUnavailableError("the embedding service cannot be used")

    def embed_query(self, text: str) -> NDArray[np.float32]:
        raise EmbedderUnavailableError("the embedding service cannot be used")


class StuckEmbedder(HashingEmbedder):
    def __init__(self, released: threading.Event) -> None:
        super().__init__(DIM)
        self._released = released

    def embed_query(self, text: str) -> NDArray[np.float32]:
        self._released.wait(PATIENCE_S)
        return super().embed_query(text)

    def encode_query(self, text: str) -> Encoded:
        self._released.wait(PATIENCE_S)
        return super().encode_query(text)


class FailingChannel:
    name = "failing"

    def search(self, query: AnalysedQuery, view: BankView, limit: int) -> ChannelResult | None:
        raise RuntimeError("no such thing")


class SlowChannel:
    """Reads the view only after the answer was given."""

    name = "slow"

    def __init__(self, released: threading.Event) -> None:
        self._released = released
        self.read: int | None = None
        self.ended = threading.Event()

    def search(self, query: AnalysedQuery, view: BankView, limit: int) -> ChannelResult | None:
        self._released.wait(PATIENCE_S)
        try:
            self.read = int((view.bm25(query.terms.ids, np.ones(query.terms.ids.size, np.float32), K1, B) > 0).sum())
        finally:
            self.ended.set()
        return None


@pytest.fixture
def bank() -> NamespaceBank:
    made = NamespaceBank(PagePool(), DIM)
    made.put(batch(TEXTS, HashingEmbedder(DIM)))
    return made


Make = Callable[..., Recaller]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Recaller] = []

    def build(*extra: Channel, embedder: Embedder | None = None, inline_slots: int = 20_000) -> Recaller:
        channels: list[Channel] = [SemanticChannel(), KeywordChannel(), *extra]
        parts = (Stages(channels, StandardisedScores()), TextAnalyser(), embedder or HashingEmbedder(DIM))
        made.append(Recaller(*parts, inline_slots=inline_slots))
        return made[-1]

    yield build
    for recaller in made:
        recaller.close()


def ask(text: str, *, deadline_s: float | None = None, top_k: int = 3, scan: ScanFilter | None = None) -> Query:
    return Query(text, datetime(2026, 1, 1, tzinfo=UTC), top_k, scan or ScanFilter(), deadline_s=deadline_s)


@pytest.mark.parametrize("inline_slots", [0, 20_000])
@pytest.mark.parametrize("deadline_s", [None, PATIENCE_S])
def test_the_right_memory_comes_first(
    bank: NamespaceBank, make: Make, inline_slots: int, deadline_s: float | None
) -> None:
    recaller = make(inline_slots=inline_slots)
    recall = recaller.recall(recaller.analyse(ask("Who repairs clocks?", deadline_s=deadline_s)), bank)
    assert recall.hits[0].memory_id == memory_id(2)
    assert recall.hits[0].version == 3
    assert recall.hits[0].channels["keyword"].rank == 1
    assert set(recall.hits[0].channels) == {"keyword", "semantic"}
    assert [hit.rank for hit in recall.hits] == [1, 2, 3]
    assert recall.degraded == ()
    assert recall.eligible == len(TEXTS)
    assert set(recall.timings_ms) == {"embed", "embed_wait", "semantic", "keyword", "fuse"}
    assert 0.0 < recall.confidence < 1.0


def test_the_same_question_gives_the_same_answer_inline_and_in_threads(bank: NamespaceBank, make: Make) -> None:
    asked = ask("apple trees in March", top_k=5)
    one, other = make(inline_slots=0), make()
    assert one.recall(one.analyse(asked), bank).hits == other.recall(other.analyse(asked), bank).hits


def test_a_view_of_the_caller_is_used_and_left_open(bank: NamespaceBank, make: Make) -> None:
    recaller = make()
    analysed = recaller.analyse(ask("clocks", deadline_s=PATIENCE_S))
    with bank.view(ScanFilter()) as view:
        assert recaller.recall(analysed, view).hits[0].memory_id == memory_id(2)
        assert view.eligible == len(TEXTS)


def test_an_empty_namespace_answers_nothing(make: Make) -> None:
    recaller = make()
    recall = recaller.recall(recaller.analyse(ask("anything")), NamespaceBank(PagePool(), DIM))
    assert recall.hits == ()
    assert recall.confidence == 0.0
    assert recall.degraded == ()


@pytest.mark.parametrize("inline_slots", [0, 20_000])
def test_a_failing_channel_is_named_and_left_out(bank: NamespaceBank, make: Make, inline_slots: int) -> None:
    recaller = make(FailingChannel(), inline_slots=inline_slots)
    recall = recaller.recall(recaller.analyse(ask("Who repairs clocks?")), bank)
    assert recall.degraded == ("failing",)
    assert recall.hits[0].memory_id == memory_id(2)


def test_a_late_channel_is_named_and_keeps_its_view(bank: NamespaceBank, make: Make) -> None:
    released = threading.Event()
    slow = SlowChannel(released)
    recaller = make(slow)
    recall = recaller.recall(recaller.analyse(ask("Who repairs clocks?", deadline_s=0.2)), bank)
    assert recall.degraded == ("slow",)
    assert recall.hits[0].memory_id == memory_id(2)
    released.set()
    assert slow.ended.wait(PATIENCE_S)
    assert slow.read == 1, "the view must stay open for whoever still reads it"


def test_an_embedder_that_fails_leaves_the_other_channels(bank: NamespaceBank, make: Make) -> None:
    recaller = make(embedder=BrokenEmbedder())
    recall = recaller.recall(recaller.analyse(ask("Who repairs clocks?")), bank)
    assert recall.degraded == ("semantic",)
    assert recall.hits[0].memory_id == memory_id(2)
    assert set(recall.hits[0].channels) == {"keyword"}


@pytest.mark.parametrize("shared", [False, True])
def test_an_embedder_that_hangs_is_left_behind(bank: NamespaceBank, make: Make, shared: bool) -> None:
    released = threading.Event()
    stuck = StuckEmbedder(released)
    batching = BatchingEmbedder(stuck, query_workers=1)
    recaller = make(embedder=batching if shared else stuck)
    recall = recaller.recall(recaller.analyse(ask("Who repairs clocks?", deadline_s=0.2)), bank)
    released.set()
    assert recaller.analyse(ask("And now?", deadline_s=PATIENCE_S)).read().vector is not None
    batching.close()
    assert recall.degraded == ("semantic",)
    assert recall.hits[0].memory_id == memory_id(2)


class WaitingEmbedder(HashingEmbedder):
    """Fails unless it is released in time."""

    def __init__(self, released: threading.Event) -> None:
        super().__init__(DIM)
        self._released = released

    def encode_query(self, text: str) -> Encoded:
        if not self._released.wait(5.0):
            raise EmbedderUnavailableError("nobody came")
        return super().encode_query(text)


@pytest.mark.parametrize("inline_slots", [0, 1000])
@pytest.mark.parametrize("deadline_s", [None, PATIENCE_S])
def test_channels_that_need_words_alone_run_while_the_question_is_embedded(
    bank: NamespaceBank, inline_slots: int, deadline_s: float | None
) -> None:
    released = threading.Event()

    class Releasing(KeywordChannel):
        def search(self, query: AnalysedQuery, view: BankView, limit: int) -> ChannelResult | None:
            released.set()
            return super().search(query, view, limit)

    stages = Stages([SemanticChannel()], StandardisedScores(), worded=[Releasing()])
    recaller = Recaller(stages, TextAnalyser(), WaitingEmbedder(released), inline_slots=inline_slots)
    recall = recaller.recall(recaller.analyse(ask("Who repairs clocks?", deadline_s=deadline_s)), bank)
    recaller.close()
    assert recall.degraded == ()
    assert set(recall.hits[0].channels) == {"keyword", "semantic"}


def test_a_recall_that_fails_midway_leaves_the_view_to_whoever_reads_it(bank: NamespaceBank) -> None:
    released = threading.Event()
    slow = SlowChannel(released)

    class Failing(HashingEmbedder):
        def encode_query(self, text: str) -> Encoded:
            raise ZeroDivisionError

    stages = Stages([SemanticChannel()], StandardisedScores(), worded=[slow])
    recaller = Recaller(stages, TextAnalyser(), Failing(DIM), inline_slots=0)
    with pytest.raises(ZeroDivisionError):
        recaller.recall(recaller.analyse(ask("Who repairs clocks?", deadline_s=PATIENCE_S)), bank)
    released.set()
    assert slow.ended.wait(PATIENCE_S)
    recaller.close()
    assert slow.read == 1, "the view must stay open for whoever still reads it"


def test_keyword_abstains_when_no_word_occurs(bank: NamespaceBank, make: Make) -> None:
    recaller = make()
    recall = recaller.recall(recaller.analyse(ask("zyzzyva quokka")), bank)
    assert "keyword" not in recall.hits[0].channels
    assert recall.degraded == ()


def test_only_what_the_filter_lets_through_is_found(bank: NamespaceBank, make: Make) -> None:
    allowed = np.frombuffer(memory_id(1).bytes, np.uint8).reshape(1, 16)
    recaller = make()
    recall = recaller.recall(recaller.analyse(ask("clocks", scan=ScanFilter(allowed=allowed))), bank)
    assert [hit.memory_id for hit in recall.hits] == [memory_id(1)]


def test_two_channels_of_one_name_are_refused(make: Make) -> None:
    with pytest.raises(ValueError, match="same name"):
        make(KeywordChannel())


def test_keyword_scores_are_those_of_the_formula(bank: NamespaceBank, make: Make) -> None:
    asked = make().analyse(ask("apple trees Ada April unknownword"))
    documents = [TextAnalyser().analyse(text).terms for text in TEXTS]
    mean_length = np.mean([document.length for document in documents])
    expected = []
    for document in documents:
        frequency = dict(zip(document.ids.tolist(), document.freqs.tolist(), strict=True))
        score = 0.0
        for term in asked.terms.ids.tolist():
            held = sum(term in other.ids for other in documents)
            weight = float(np.log(1 + (len(documents) - held + 0.5) / (held + 0.5)))
            tf = frequency.get(term, 0)
            score += weight * tf / (tf + K1 * (1 - B + B * document.length / mean_length))
        expected.append(score)
    with bank.view(ScanFilter()) as view:
        result = KeywordChannel().search(asked, view, 10)
    assert result is not None
    np.testing.assert_allclose(result.score_of(np.arange(len(TEXTS))), expected, rtol=1e-5)
    assert result.slots.tolist() == [i for i in np.argsort(-np.array(expected), kind="stable") if expected[i] > 0]
    assert result.mean == pytest.approx(np.mean(expected), rel=1e-5)
    assert result.std == pytest.approx(np.std(expected), rel=1e-5)


def test_idf_is_never_negative() -> None:
    assert (idf(np.array([0, 1, 50, 100]), 100) > 0).all()
    assert np.all(np.diff(idf(np.arange(101), 100)) < 0)


def test_a_memory_about_somebody_else_is_less_evidence(bank: NamespaceBank, make: Make) -> None:
    recaller = make()
    evidence = []
    for text in ("Did Ada prune the pears?", "Did Bob prune the pears?"):
        with bank.view(ScanFilter()) as view:
            result = KeywordChannel().search(recaller.analyse(ask(text)), view, 10)
        assert result is not None
        assert result.evidence is not None
        evidence.append(result.evidence)
    assert 0.0 == evidence[1] < evidence[0] <= 1.0


def test_semantic_evidence_is_the_rise_above_the_mean(bank: NamespaceBank, make: Make) -> None:
    with bank.view(ScanFilter()) as view:
        result = SemanticChannel().search(make().analyse(ask("apple trees")).read(), view, 10)
    assert result is not None
    assert result.evidence == pytest.approx((result.scores[0] - result.mean) / (1 - result.mean), rel=1e-5)


def test_the_embedder_may_begin_before_the_question_is_analysed(bank: NamespaceBank, make: Make) -> None:
    recaller = make()
    asked = ask("Who repairs clocks?")
    coming = recaller.embed(asked.text)
    assert (
        recaller.recall(recaller.analyse(asked, coming=coming), bank).hits
        == recaller.recall(recaller.analyse(asked), bank).hits
    )
