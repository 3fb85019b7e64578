"""From a question to ranked memories.

analysis -> channels side by side, those that need the words alone while the question is being embedded -> channels that
go on from what those found -> fusion -> (thorough: further hops) -> (balanced, thorough: rerank) -> confidence.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from gpu import tracing
from retrieval.analysis.analyser import TextAnalyser
from retrieval.analysis.mentions import mention_ids
from retrieval.analysis.terms import stems, term_id
from retrieval.channels.keyword import idf
from retrieval.channels.listed import Listing
from retrieval.channels.running import ChannelRunner, Outcome, ViewSource
from retrieval.confidence import Confidence
from retrieval.embedders.batching import BatchingEmbedder
from retrieval.errors import EmbedderError
from retrieval.fusion import Fusion, Ranking, Weighing
from retrieval.hops.hopper import Asked, Hopper, Hops
from retrieval.ports import Channel, Embedder, SeededChannel, TokenEmbedder
from retrieval.rerank.order import LearnedOrder
from retrieval.rerank.reranker import Reranked, Reranker, WeightsOf
from retrieval.rerank.shown import shown_texts
from retrieval.rerank.telling import telling
from retrieval.types import (
    AnalysedQuery,
    ChannelResult,
    ChannelScore,
    EmbeddingSpace,
    Encoded,
    Hit,
    OtherNames,
    Profile,
    Query,
    Recall,
    Resolved,
)

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

logger = logging.getLogger(__name__)

Resolve = Callable[[Sequence[str]], Sequence[Resolved]]
"""What each name of a question stands for."""

_EMBED_SHARE = 0.6
"""Share of the deadline that the embedder may use up: the other channels need some of it too."""
_EMBED_WORKERS = 8
FEWEST_CANDIDATES = 100
_CANDIDATES_PER_HIT = 4
_HOPS_FROM = 100
"""Candidates that hops start from: the last one's score is the zero of their scale."""
_KEPT_BESIDE_HOPS = 32
_HOP_FINDS = 8
_RERANK_SHARE = 0.9
"""Share of the time that is left which the cross-encoder may use up."""
RERANK = "rerank"
"""Name of the rerank in timings and among what was left out."""


@dataclass(frozen=True, slots=True)
class Stages:
    """What a recaller is made of beside its analyser and embedder.

    Attributes:
        channels: ways of finding memories; names must differ, those of the next ones included.
        worded: ways of finding memories that need no vector: they run while the question is being embedded.
        seeded: ways of going on from what was found, run one after the other, each on all results before it.
        fusion: makes one ranking of what they find.
        reranker: has the best candidates read by a cross-encoder; None for no rerank.
        order: puts what was read into its final order.
        confidence: says how sure an answer is.
        hopper: follows what the best memories name; None for no further hops.
    """

    channels: Sequence[Channel]
    fusion: Fusion
    worded: Sequence[Channel] = ()
    seeded: Sequence[SeededChannel] = ()
    reranker: Reranker | None = None
    order: LearnedOrder | None = None
    confidence: Confidence | None = None
    hopper: Hopper | None = None


class Recaller:
    """Answers questions over any namespace. Thread-safe; made once, closed at the end.

    It reads no clock but the monotonic one, for deadlines and timings: the same question over the same memories gives
    the same ranking.

    Attributes:
        channels: names of its channels.
    """

    def __init__(
        self,
        stages: Stages,
        analyser: TextAnalyser,
        embedder: Embedder,
        *,
        workers: int | None = None,
        inline_slots: int = 20_000,
    ) -> None:
        """Puts the parts together.

        Args:
            stages: what finds memories and puts them in order.
            analyser: the one that also analysed the memories.
            embedder: the one that also embedded them. It is not closed here.
            workers: threads for the channels, see `ChannelRunner`.
            inline_slots: largest namespace for which the caller runs the channels itself, see `ChannelRunner`.

        Raises:
            ValueError: two channels have the same name.
        """
        channels: Iterable[Channel | SeededChannel] = (*stages.worded, *stages.channels, *stages.seeded)
        names = [channel.name for channel in channels]
        if len(set(names)) != len(names):
            raise ValueError("two channels have the same name")
        self._stages = stages
        self._fusion = stages.fusion
        self._order = stages.order or LearnedOrder()
        self._confidence = stages.confidence or Confidence()
        self._analyser = analyser
        self._embedder = embedder
        self._runner = ChannelRunner(workers=workers, inline_slots=inline_slots)
        self._embed_pool = ThreadPoolExecutor(_EMBED_WORKERS, thread_name_prefix="embed-in-time")
        self.channels = frozenset(names)

    @property
    def space(self) -> EmbeddingSpace:
        """The embedding space of its questions."""
        return self._embedder.space

    def embed(self, text: str) -> Future[Encoded]:
        """Has the embedder begin with a question; what goes wrong is in the future."""
        if not isinstance(self._embedder, BatchingEmbedder):  # which has threads of its own
            return self._embed_pool.submit(_encode, self._embedder, text)
        try:
            return self._embedder.submit_question(text)
        except EmbedderError as error:
            refused: Future[Encoded] = Future()
            refused.set_exception(error)
            return refused

    def analyse(
        self, query: Query, resolve: Resolve | None = None, coming: Future[Encoded] | None = None
    ) -> AnalysedQuery:
        """Analyses a question, while the embedder is at it. One that fails or is late leaves the vector out.

        Args:
            query: the question; its deadline counts from here.
            resolve: tells what the names in it stand for; without it each stands for itself.
            coming: what the embedder makes of it, where `embed` was called before; else that is done here.

        Raises:
            Exception: whatever `resolve` raises.
        """
        begun_s = time.monotonic()
        begun = time.perf_counter()
        coming = coming or self.embed(query.text)
        with tracing.step("analysis"):
            question = self._analyser.question(query.text, query.asked_at)
            terms = self._analyser.query_terms(query.text)
            names = () if resolve is None else tuple(resolve(question.names))
        ends_at_s = None if query.deadline_s is None else begun_s + query.deadline_s
        until_s = None if query.deadline_s is None else begun_s + query.deadline_s * _EMBED_SHARE
        return AnalysedQuery(
            query=query,
            terms=terms,
            mention_ids=mention_ids(question.names),
            vector=None,
            question=question,
            name_terms=self._analyser.name_terms(question.names),
            ends_at_s=ends_at_s,
            entity_groups=tuple(one.ids for one in names),
            other_names=self._other_names(question.names, names),
            reading=_Reading(coming, begun, until_s),
        )

    def recall(
        self, analysed: AnalysedQuery, bank: ViewSource | BankView, factors: Mapping[str, float] | None = None
    ) -> Recall:
        """Finds the memories of one namespace that answer a question.

        Args:
            analysed: the question; its deadline counts from `analyse`.
            bank: the namespace (a `NamespaceBank`), in which a view is opened that may outlive the call while a late
                channel reads it; or a view that the caller opened, which costs waiting for late channels at the end.
            factors: what feedback taught about the weights of channels, by name.

        Returns:
            At most `top_k` hits. Channels that failed or were late are named in `degraded`, as is `semantic` when the
            question could not be embedded, and `rerank` when not all that should have been read was read.
        """
        query = analysed.query
        limit = max(FEWEST_CANDIDATES, _CANDIDATES_PER_HIT * query.top_k)
        weighing = Weighing(analysed.question.type, factors or {})
        with self._runner.open(analysed, bank, limit) as searching:
            analysed = searching.query = self._with_lists(analysed, searching.view)
            searching.begin(self._stages.worded)
            waiting = time.perf_counter()
            analysed = searching.query = analysed.read()
            waited_ms = (time.perf_counter() - waiting) * 1e3
            searching.begin(self._stages.channels)
            searching.finish()
            for channel in self._stages.seeded:
                searching.go_on([channel])
            view, outcome = searching.view, searching.outcome
            timings = {"embed": analysed.embed_ms, "embed_wait": waited_ms, **outcome.timings_ms}
            begun = time.perf_counter()
            with tracing.step("fusion"):
                first = self._fusion.fuse(outcome.results, view.n_slots, weighing)
            timings["fuse"] = (time.perf_counter() - begun) * 1e3
            first = _settled(view, first)
            trail: list[str] = []
            led_to: frozenset[int] = frozenset()
            if query.profile is Profile.THOROUGH and self._stages.hopper is not None:
                with tracing.step("hops"):
                    first, trail, led_to = self._hop(analysed, view, first, outcome, timings)
            with tracing.step(RERANK):
                reranked = self._rerank(analysed, view, first)
            ranking = first
            if reranked is not None:
                timings[RERANK] = reranked.took_ms
                ranking = _settled(view, self._order.order(first, reranked.logits, outcome.results, led_to))
            ranking = Ranking(ranking.slots[: query.top_k], ranking.scores[: query.top_k])
            added = self._fusion.contributions(outcome.results, ranking.slots, weighing) if query.explains else {}
            hits = _hits(view, ranking, outcome.results, reranked, added, with_vectors=query.with_vectors)
            sure = (
                self._confidence(outcome.results, first, None if reranked is None else reranked.logits) if hits else 0.0
            )
            eligible = view.eligible
        return Recall(
            hits=hits,
            confidence=sure,
            degraded=_degraded(analysed, outcome, reranked),
            timings_ms=timings,
            eligible=eligible,
            trail=tuple(trail),
        )

    def _with_lists(self, analysed: AnalysedQuery, view: BankView) -> AnalysedQuery:
        """The question with the lists that its channels may want, if anybody makes them here."""
        if view.lists is None:
            return analysed
        channels = (*self._stages.worded, *self._stages.channels)
        return replace(analysed, listing=Listing(channels, analysed, view, view.lists))

    def _hop(
        self,
        analysed: AnalysedQuery,
        view: BankView,
        first: Ranking,
        outcome: Outcome,
        timings: dict[str, float],
    ) -> tuple[Ranking, list[str], frozenset[int]]:
        """The first stage with what its best memories lead to, the trail in words, and what threads led to."""
        hopper = self._stages.hopper
        if hopper is None or first.slots.size == 0:
            return first, [], frozenset()
        best = Ranking(first.slots[:_HOPS_FROM], first.scores[:_HOPS_FROM])
        hops = hopper.hop(
            Asked(analysed.terms.ids, analysed.question.names),
            view,
            best,
            lambda slots: _asked_again(outcome.results, slots),
            top_k=analysed.query.top_k,
            ends_at_s=analysed.ends_at_s,
        )
        timings["hops"] = hops.took_ms
        if self._stages.reranker is None:
            return _settled(view, hops.ranking), hops.in_words(view), hops.threads
        return _settled(view, _beside(first, hops)), hops.in_words(view), hops.threads

    def _rerank(self, analysed: AnalysedQuery, view: BankView, first: Ranking) -> Reranked | None:
        query = analysed.query
        if self._stages.reranker is None or not self._stages.reranker.reads(query.profile):
            return None

        def worth(terms: NDArray[np.uint32]) -> NDArray[np.float32]:
            return idf(view.document_frequency(terms), view.n_documents)

        return self._stages.reranker.rerank(
            _read(query.text, worth),
            first.slots,
            first.scores,
            lambda slots: shown_texts(view, slots),
            profile=query.profile,
            top_k=query.top_k,
            ends_at_s=_share_of_time(analysed.ends_at_s, _RERANK_SHARE),
            weights_of=worth,
        )

    def close(self) -> None:
        """Ends the threads."""
        self._runner.close()
        self._embed_pool.shutdown(wait=True, cancel_futures=True)

    def _other_names(self, asked: Sequence[str], names: Sequence[Resolved]) -> tuple[OtherNames, ...]:
        """Terms of further names of those that a question names, in their order; none where nobody resolved them."""
        found = []
        for name, one in zip(asked, names, strict=False):
            own = self._analyser.name_terms([name])
            terms = tuple(t for other in one.others if (t := self._analyser.name_terms([other])).size)
            if own.size and terms:
                found.append(OtherNames(own, terms))
        return tuple(found)


def _share_of_time(ends_at_s: float | None, share: float) -> float | None:
    """When a share of what is left until a deadline is over."""
    if ends_at_s is None:
        return None
    now_s = time.monotonic()
    return now_s + share * (ends_at_s - now_s)


def _encode(embedder: Embedder, text: str) -> Encoded:
    if isinstance(embedder, TokenEmbedder):
        return embedder.encode_query(text)
    return Encoded(embedder.embed_query(text)[None, :])


def _read(question: str, worth: WeightsOf) -> str:
    """What the cross-encoder reads of a question."""
    terms = list(dict.fromkeys(stems(question)))
    values = worth(np.array([term_id(term) for term in terms], dtype=np.uint32)).tolist()
    return telling(question, dict(zip(terms, values, strict=True)))


def _beside(first: Ranking, hops: Hops) -> Ranking:
    """The best of the first stage with the best that hops found beside them, for the cross-encoder to judge.

    Where hops found nothing that answers, they then take no candidate's place.
    """
    kept = first.slots[:_KEPT_BESIDE_HOPS]
    found = np.array([slot for slot in hops.ranking.slots.tolist() if slot in hops.via], dtype=np.int64)
    found = found[~np.isin(found, kept)][:_HOP_FINDS]
    worth = dict(zip(hops.ranking.slots.tolist(), hops.ranking.scores.tolist(), strict=True))
    scores = np.concatenate([first.scores[: kept.size], [worth[slot] for slot in found.tolist()]])
    slots = np.concatenate([kept, found])
    order = np.argsort(-scores, kind="stable")
    return Ranking(slots[order], scores[order])


def _asked_again(results: Mapping[str, ChannelResult], slots: NDArray[np.int64]) -> NDArray[np.float64]:
    """What the channels think of any memories: the sum of their scores in deviations from the namespace's mean."""
    total = np.zeros(slots.size)
    for name in ("keyword", "semantic"):
        if (result := results.get(name)) is None:
            continue
        mean, std = result.moments()
        if std > 0.0:
            scores = result.score_of(slots).astype(np.float64)
            total += np.where(np.isfinite(scores), (scores - mean) / std, 0.0)
    return total


class _Reading:
    """A question with the embedder, waited for until a moment of `time.monotonic`."""

    def __init__(self, coming: Future[Encoded], begun: float, until_s: float | None) -> None:
        self._coming = coming
        self._until_s = until_s
        self._begun = begun
        self._ended: float | None = None
        coming.add_done_callback(self._end)

    def _end(self, _: Future[Encoded]) -> None:
        self._ended = time.perf_counter()

    def __call__(self) -> tuple[Encoded | None, float]:
        """See `retrieval.types.Reading`."""
        encoded = None
        try:
            encoded = self._coming.result(None if self._until_s is None else max(0.0, self._until_s - time.monotonic()))
        except TimeoutError:
            self._coming.cancel()
            logger.warning("the question was not embedded in time")
        except EmbedderError as error:
            logger.warning("the question could not be embedded: %s", error)
        ended = self._ended or time.perf_counter()
        tracing.past("embedding", self._begun, ended)
        return encoded, (ended - self._begun) * 1e3


def _degraded(analysed: AnalysedQuery, outcome: Outcome, reranked: Reranked | None) -> tuple[str, ...]:
    missing = {"semantic"} if analysed.vector is None else set()
    if reranked is not None and not reranked.complete:
        missing.add(RERANK)
    return tuple(sorted(missing.union(outcome.left_out)))


def _hits(
    view: BankView,
    ranking: Ranking,
    results: Mapping[str, ChannelResult],
    read: Reranked | None,
    added: Mapping[str, NDArray[np.float64]],
    *,
    with_vectors: bool,
) -> tuple[Hit, ...]:
    ids = view.memory_id(ranking.slots)
    alive = np.flatnonzero(ids.any(axis=1))  # all zero: erased since the channels ran
    slots = ranking.slots[alive]
    versions = view.column("versions", slots)
    scores = {name: _channel_scores(result, slots) for name, result in results.items()}
    for name, parts in added.items():
        scores[name] = _with_contributions(scores[name], parts[alive])
    if read is not None:
        scores[RERANK] = _read_scores(read, slots)
    vectors = _vectors(view, slots) if with_vectors else [None] * slots.size
    return tuple(
        Hit(
            rank=place + 1,
            score=float(ranking.scores[row]),
            memory_id=UUID(bytes=ids[row].tobytes()),
            version=int(versions[place]),
            channels={name: of[place] for name, of in scores.items() if np.isfinite(of[place].score)},
            vector=vectors[place],
        )
        for place, row in enumerate(alive.tolist())
    )


def _with_contributions(scores: list[ChannelScore], parts: NDArray[np.float64]) -> list[ChannelScore]:
    """The same with what the channel added to each; nothing to what further hops led to."""
    return [
        replace(score, contribution=part if math.isfinite(part) else None)
        for score, part in zip(scores, parts.tolist(), strict=True)
    ]


def _read_scores(read: Reranked, slots: NDArray[np.int64]) -> list[ChannelScore]:
    """What the cross-encoder said of hits; NaN where it was not asked."""
    said = {
        slot: ChannelScore(rank or None, logit)
        for slot, rank, logit in zip(read.slots.tolist(), read.ranks.tolist(), read.logits.tolist(), strict=True)
    }
    return [said.get(slot, ChannelScore(None, float("nan"))) for slot in slots.tolist()]


def _vectors(view: BankView, slots: NDArray[np.int64]) -> list[NDArray[np.float32] | None]:
    columns, offsets = view.ranges("vectors", slots)
    rows = columns["vectors"].astype(np.float32)
    starts = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    return [rows[first] if last > first else None for first, last in starts]


def _settled(view: BankView, ranking: Ranking) -> Ranking:
    """The same, equal scores by id.

    Ids rise with the time of writing, and unlike slots they are the same in a bank that was loaded anew.
    """
    halves = view.memory_id(ranking.slots).view(">u8").reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0], -ranking.scores))
    return Ranking(ranking.slots[order], ranking.scores[order])


def _channel_scores(result: ChannelResult, slots: NDArray[np.int64]) -> list[ChannelScore]:
    listed = slots[:, None] == result.slots
    ranks = np.where(listed.any(axis=1), listed.argmax(axis=1) + 1, 0) if result.slots.size else np.zeros_like(slots)
    scores = result.score_of(slots)
    return [ChannelScore(rank or None, score) for rank, score in zip(ranks.tolist(), scores.tolist(), strict=True)]
