"""From a question to ranked memories: analysis and embedding, channels side by side, fusion, confidence."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis.analyser import TextAnalyser
from retrieval.channels.running import ChannelRunner, Outcome, ViewSource
from retrieval.confidence import confidence
from retrieval.embedders.batching import BatchingEmbedder
from retrieval.errors import EmbedderError
from retrieval.fusion import Fusion, Ranking
from retrieval.ports import Channel, Embedder
from retrieval.types import AnalysedQuery, ChannelResult, ChannelScore, Hit, Query, Recall

if TYPE_CHECKING:
    from gpu.bank.bank import BankView

logger = logging.getLogger(__name__)

_EMBED_SHARE = 0.6
"""Share of the deadline that the embedder may use up: the other channels need some of it too."""
_EMBED_WORKERS = 8
_FEWEST_CANDIDATES = 100
_CANDIDATES_PER_HIT = 4


class Recaller:
    """Answers questions over any namespace. Thread-safe; made once, closed at the end.

    It reads no clock but the monotonic one, for deadlines and timings: the same question over the same memories gives
    the same ranking.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        fusion: Fusion,
        analyser: TextAnalyser,
        embedder: Embedder,
        *,
        workers: int | None = None,
        inline_slots: int = 20_000,
    ) -> None:
        """Puts the parts together.

        Args:
            channels: ways of finding memories; names must differ.
            fusion: makes one ranking of what they find.
            analyser: the one that also analysed the memories.
            embedder: the one that also embedded them. It is not closed here.
            workers: threads for the channels, see `ChannelRunner`.
            inline_slots: largest namespace for which the caller runs the channels itself, see `ChannelRunner`.

        Raises:
            ValueError: two channels have the same name.
        """
        names = [channel.name for channel in channels]
        if len(set(names)) != len(names):
            raise ValueError("two channels have the same name")
        self._fusion = fusion
        self._analyser = analyser
        self._embedder = embedder
        self._runner = ChannelRunner(channels, workers=workers, inline_slots=inline_slots)
        self._embed_pool = ThreadPoolExecutor(_EMBED_WORKERS, thread_name_prefix="embed-in-time")

    def analyse(self, query: Query) -> AnalysedQuery:
        """Embeds and analyses a question. An embedder that fails or takes too long leaves the vector out."""
        begun_s = time.monotonic()
        begun = time.perf_counter()
        vector = self._vector(query)
        embed_ms = (time.perf_counter() - begun) * 1e3
        analysis = self._analyser.analyse(query.text)
        return AnalysedQuery(
            query=query,
            terms=analysis.terms,
            mention_ids=analysis.mention_ids,
            vector=vector,
            embed_ms=embed_ms,
            name_terms=self._analyser.name_terms(analysis.mentions),
            ends_at_s=None if query.deadline_s is None else begun_s + query.deadline_s,
        )

    def recall(self, analysed: AnalysedQuery, bank: ViewSource | BankView) -> Recall:
        """Finds the memories of one namespace that answer a question.

        Args:
            analysed: the question; its deadline counts from `analyse`.
            bank: the namespace (a `NamespaceBank`), in which a view is opened that may outlive the call while a late
                channel reads it; or a view that the caller opened, which costs waiting for late channels at the end.

        Returns:
            At most `top_k` hits. Channels that failed or were late are named in `degraded`, as is `semantic` when the
            question could not be embedded.
        """
        top_k = analysed.query.top_k
        limit = max(_FEWEST_CANDIDATES, _CANDIDATES_PER_HIT * top_k)
        with self._runner.run(analysed, bank, limit) as (view, outcome):
            begun = time.perf_counter()
            ranking = _settled(view, self._fusion.fuse(outcome.results, view.n_slots), top_k)
            hits = _hits(view, ranking, outcome.results)
            sure = confidence(outcome.results) if hits else 0.0
            eligible = view.eligible
            fuse_ms = (time.perf_counter() - begun) * 1e3
        return Recall(
            hits=hits,
            confidence=sure,
            degraded=_degraded(analysed, outcome),
            timings_ms={"embed": analysed.embed_ms, **outcome.timings_ms, "fuse": fuse_ms},
            eligible=eligible,
        )

    def close(self) -> None:
        """Ends the threads."""
        self._runner.close()
        self._embed_pool.shutdown(wait=True, cancel_futures=True)

    def _vector(self, query: Query) -> NDArray[np.float32] | None:
        try:
            if query.deadline_s is None:
                return self._embedder.embed_query(query.text)
            return _in_time(self._submitted(query.text), query.deadline_s * _EMBED_SHARE)
        except EmbedderError as error:
            logger.warning("the question could not be embedded: %s", error)
            return None

    def _submitted(self, text: str) -> Future[NDArray[np.float32]]:
        if isinstance(self._embedder, BatchingEmbedder):  # it has threads of its own
            return self._embedder.submit_query(text)
        return self._embed_pool.submit(self._embedder.embed_query, text)


def _in_time(future: Future[NDArray[np.float32]], limit_s: float) -> NDArray[np.float32] | None:
    try:
        return future.result(limit_s)
    except TimeoutError:
        future.cancel()
        logger.warning("the question was not embedded in time")
        return None


def _degraded(analysed: AnalysedQuery, outcome: Outcome) -> tuple[str, ...]:
    missing = {"semantic"} if analysed.vector is None else set()
    return tuple(sorted(missing.union(outcome.left_out)))


def _hits(view: BankView, ranking: Ranking, results: Mapping[str, ChannelResult]) -> tuple[Hit, ...]:
    ids = view.memory_id(ranking.slots)
    alive = np.flatnonzero(ids.any(axis=1))  # all zero: erased since the channels ran
    slots = ranking.slots[alive]
    versions = view.column("versions", slots)
    scores = {name: _channel_scores(result, slots) for name, result in results.items()}
    return tuple(
        Hit(
            rank=place + 1,
            score=float(ranking.scores[row]),
            memory_id=UUID(bytes=ids[row].tobytes()),
            version=int(versions[place]),
            channels={name: of[place] for name, of in scores.items() if np.isfinite(of[place].score)},
        )
        for place, row in enumerate(alive.tolist())
    )


def _settled(view: BankView, ranking: Ranking, top_k: int) -> Ranking:
    """The best `top_k`, equal scores by id.

    Ids rise with the time of writing, and unlike slots they are the same in a bank that was loaded anew.
    """
    halves = view.memory_id(ranking.slots).view(">u8").reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0], -ranking.scores))[:top_k]
    return Ranking(ranking.slots[order], ranking.scores[order])


def _channel_scores(result: ChannelResult, slots: NDArray[np.int64]) -> list[ChannelScore]:
    ranks = {slot: rank for rank, slot in enumerate(result.slots.tolist(), start=1)}
    scores = result.score_of(slots).tolist()
    return [ChannelScore(ranks.get(slot), score) for slot, score in zip(slots.tolist(), scores, strict=True)]
