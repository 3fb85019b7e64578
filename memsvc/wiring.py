"""The only place where the parts are put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy.exc import SQLAlchemyError
from threadpoolctl import threadpool_limits

import memsvc
from gpu.bank.bank import Bank
from gpu.cores import usable_cores
from gpu.warm_up import warm_up
from memsvc.audit.notes import Notes
from memsvc.audit.service import Trails
from memsvc.auth.keys import KeyService
from memsvc.bell.bell import Bell
from memsvc.bell.lines import build_line
from memsvc.caches.layered import Layered
from memsvc.caches.questions import KEPT as QUESTIONS_KEPT
from memsvc.caches.questions import Questions
from memsvc.caches.recalls import HotRecalls
from memsvc.changes.service import Changes
from memsvc.core.clock import Clock, SystemClock
from memsvc.core.errors import ServiceError, StartupRefused, Unreadable
from memsvc.core.metrics import Metrics
from memsvc.core.secrets import load_secrets
from memsvc.core.settings import Settings
from memsvc.db import durability, migrate
from memsvc.db.engine import Database
from memsvc.db.limits import Limits
from memsvc.db.roles import upgrade
from memsvc.db.tenancy import SERVICE
from memsvc.embedding import Embedders, build_embedders
from memsvc.entities.service import Entities
from memsvc.entities.tables import NameTables
from memsvc.erasures.eraser import Eraser
from memsvc.erasures.runner import ErasureRunner
from memsvc.erasures.service import Erasures
from memsvc.exports.exporting import Exporting
from memsvc.exports.importing import Importing
from memsvc.feedback.service import Feedback
from memsvc.filters.pairs import MADE
from memsvc.holds.service import Holds
from memsvc.http.cursor import CursorCodec
from memsvc.index.keeper import Keeper
from memsvc.index.loader import ALL_EXACT, TIER_OF_LEVEL
from memsvc.jobs.consolidation import Tools
from memsvc.jobs.kinds import every_kind
from memsvc.jobs.runner import Runner
from memsvc.jobs.scheduler import Scheduler
from memsvc.jobs.service import Jobs
from memsvc.limits.limiter import Limiter
from memsvc.memories.backlog import Backlog
from memsvc.memories.change import Changer
from memsvc.memories.once import Once
from memsvc.memories.prepare import Preparer
from memsvc.memories.read import Reading
from memsvc.memories.recalls import Recalls
from memsvc.memories.write import Remember
from memsvc.nearest import build_searches, way_to_lists, way_to_nearest
from memsvc.recall.hot import HotAnswers
from memsvc.recall.service import RecallService, Way
from memsvc.recall.traces import Traces
from memsvc.recall.watching import RecallWatch
from memsvc.redis.connection import build_redis
from memsvc.reembedding.service import Reembedding
from memsvc.rehearsal.service import Rehearsals
from memsvc.reranking import build_reranker
from memsvc.revocations.service import Revocations
from memsvc.sealing import keys as sealing
from memsvc.sealing.keyring import load_keyring
from memsvc.summarising import build_summariser
from retrieval.analysis.analyser import TextAnalyser
from retrieval.channels.associative import AssociativeChannel
from retrieval.channels.consolidation import ConsolidationChannel
from retrieval.channels.entity import EntityChannel
from retrieval.channels.exact import ExactChannel
from retrieval.channels.keyword import KeywordChannel
from retrieval.channels.late_interaction import LateInteractionChannel
from retrieval.channels.place import PlaceChannel
from retrieval.channels.procedural import ProceduralChannel
from retrieval.channels.semantic import SemanticChannel
from retrieval.channels.speaker import SpeakerChannel
from retrieval.channels.spreading import SpreadingChannel
from retrieval.channels.temporal import TemporalChannel
from retrieval.confidence import Confidence, ConfidenceWeights
from retrieval.embedders.batching import BatchingEmbedder
from retrieval.fusion import FusionWeights, LearnedFusion
from retrieval.hops.hopper import Hopper
from retrieval.late.codec import TokenCodec
from retrieval.pipeline import Recaller, Stages
from retrieval.ports import Channel, SeededChannel
from retrieval.rerank.order import LearnedOrder, OrderWeights
from retrieval.rerank.reranker import Reranker
from retrieval.types import EmbeddingSpace

log = structlog.get_logger("memsvc")

Say = Callable[[str], None]
Weights = TypeVar("Weights")


class Container:
    """One process's service, assembled.

    Args:
        settings: how to run.
        clock: the source of "now".
        say: told what start-up is doing, in words.
        embedder: used instead of the one that the settings name.

    Raises:
        StartupRefused: the database, the secret, the model or the keys do not allow serving.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        say: Say = lambda text: None,
        embedder: BatchingEmbedder | None = None,
    ) -> None:
        self.settings = settings
        self._closing = ExitStack()
        self.clock = clock or SystemClock()
        self.metrics = Metrics()
        # Products here are small: a second BLAS thread saves nothing, and waits for a core that somebody else is using.
        threadpool_limits(limits=1, user_api="blas")  # type: ignore[no-untyped-call]
        self._say = say
        self._loaded = False
        self.secrets = load_secrets(settings)
        self.database = Database(
            settings.url,
            limits=Limits.of(settings, "memsvc serve"),
            keyring=load_keyring(settings),
            commit_group_max=settings.commit_group_max,
            reserve_bytes=settings.reserve_bytes,
            on_group=self.metrics.commit_group.observe,
            on_transaction=self.metrics.count_transaction,
        )
        self.metrics.database_connections.set_function(lambda: self.database.connections)
        try:
            self._assemble(embedder)
        except BaseException:
            self._closing.close()
            self.database.close()
            raise

    def _assemble(self, embedder: BatchingEmbedder | None) -> None:
        settings = self.settings
        self.embedders = self._prepare(embedder)
        self._closing.callback(self.embedders.close)
        models = [self.embedders.of(space_id) for space_id in self.embedders]
        self.redis = build_redis(settings, self.secrets, self.metrics)
        if self.redis is not None:
            self._closing.callback(self.redis.close)
        for lane in models[0].waiting:
            self.metrics.texts_waiting.labels(lane).set_function(partial(_waiting_in, models, lane))
        self.keys = KeyService(self.database, self.secrets, self.clock)
        self.limiter = Limiter(self.database, settings, self.metrics, self.redis)
        self._closing.callback(self.limiter.close)
        self.keys.prepare(settings)
        self.notes = Notes(self.database, self.clock)
        self.trails = Trails(self.database, self.secrets, self.clock)
        self.cursors = CursorCodec(self.secrets, self.clock)
        self.space_id = self.embedders.default
        analyser = TextAnalyser()
        self.searches = build_searches(settings, self.metrics, self._closing, self._say)
        lists = way_to_lists(settings, self.searches, self.metrics.count_lists)
        self.bank = bank = Bank(way_to_nearest(settings, self.searches, self._say), MADE, lists)
        names = NameTables(self.clock)
        self.keeper = Keeper(
            self.database,
            bank,
            self.metrics.change_lag.set,
            names.drop,
            _tiers(settings),
            budget_bytes=settings.bank_bytes,
            on_dropped=self._left_the_bank,
        )
        self.bell = Bell(build_line(self.database, self.redis), self.keeper, self.secrets, self.metrics)
        self.keeper.ring = self.bell.ring
        self.entities = Entities(self.database, self.clock, self.cursors, names)
        self.metrics.watch_bank(bank, self.keeper.memories)
        self.metrics.watch_archives(self.keeper.archives)
        self.reranker = build_reranker(settings.reranker, threads=settings.reranker_threads or usable_cores())
        if self.reranker is not None:
            self.metrics.pairs_waiting.set_function(partial(getattr, self.reranker, "waiting"))
        self.recallers = {
            space_id: Recaller(self._stages(model.space), analyser=analyser, embedder=model)
            for space_id, model in zip(self.embedders, models, strict=True)
        }
        self.recaller = self.recallers[self.space_id]
        self.preparer = preparer = Preparer(analyser, self.embedders, settings.screening)
        once = Once(self.database, self.clock, settings.idempotency_ttl_s)
        self.remember = Remember(once, self.clock, preparer, self.keeper, self.metrics.count_writes, self.limiter)
        self.backlog = Backlog(
            self.database,
            self.clock,
            preparer,
            self.keeper,
            settings.jobs_every_s,
            self.metrics.pending_embeddings.set,
        )
        preparer.on_postponed, preparer.on_answered = self.backlog.wake, self.backlog.answered
        eraser = Eraser(self.database, self.clock, preparer, self.secrets)
        self.changer = Changer(
            self.database,
            once,
            self.clock,
            preparer,
            self.keeper,
            eraser,
            self.secrets,
            self.metrics.count_writes,
            self.limiter,
        )
        self.exporting = Exporting(self.database, self.clock, self.secrets)
        self.importing = Importing(self.database, self.clock, self.secrets, preparer, self.keeper, self.limiter)
        self.holds = Holds(self.database, once, self.clock, self.secrets)
        self.rehearsals = Rehearsals(self.database, once, self.clock)
        self.changes = Changes(self.database)
        self.reading = Reading(self.database, self.clock, self.cursors)
        tools = Tools(preparer, build_summariser(settings), self.secrets)
        self._closing.callback(tools.summariser.close)
        works = every_kind(lambda: tools, lambda: eraser, settings.reembed_share)
        self.recalls = Recalls(self.database, self.clock)
        runner = Runner(self.database, self.clock, works, ring=self.bell.ring, on_run=self.metrics.count_run)
        self.erasing = ErasureRunner(
            self.database,
            self.clock,
            eraser,
            self.keeper,
            vacuum=settings.vacuum or ("full" if self.database.is_sqlite else "plain"),
            vacuum_every_s=settings.vacuum_every_s,
        )
        self.scheduler = Scheduler(
            self.database,
            self.clock,
            runner,
            settings.jobs_every_s,
            self._tidy,
            urgent=self.erasing.round,
            on_waiting=self.metrics.job_runs_waiting.set,
        )
        self.erasures = Erasures(
            self.database,
            self.clock,
            self.secrets,
            once,
            self.entities,
            eraser,
            self.erasing,
            self.scheduler.wake,
        )
        self.revocations = Revocations(
            self.database, once, self.clock, self.secrets, self.keeper, self.metrics.count_writes
        )
        self.jobs = Jobs(self.database, self.clock, works, self.scheduler.wake, settings.screening)
        self.reembedding = Reembedding(self.database, self.clock, self.embedders, self.keeper, self.scheduler.wake)
        self.traces = Traces(self.clock)
        self.feedback = Feedback(self.database, self.clock, self.traces, is_adaptive=settings.adaptive_fusion)
        self.recall = RecallService(
            self.database,
            self.clock,
            self.keeper,
            {space_id: self._way(recaller) for space_id, recaller in self.recallers.items()},
            self.feedback.factors,
            self.entities.resolve,
            hot=self._hot_answers(),
        )
        self.recall_watch = RecallWatch(self.metrics, self.recaller.channels, settings.slow_recall_ms)

    def _way(self, recaller: Recaller) -> Way:
        """A recaller behind the cache of questions that processes share; each has one of its own in its embedder."""
        if self.redis is None or not self.settings.question_cache_s:
            return Way.of(recaller)
        ttl_s = self.settings.question_cache_s
        kept = Layered("question", self.redis, self.metrics, ttl_s=ttl_s, most=QUESTIONS_KEPT)
        return Way(recaller, Questions(recaller.embed, recaller.space, self.secrets, kept))

    def _hot_answers(self) -> HotAnswers | None:
        settings = self.settings
        if not settings.hot_recall_s:
            return None
        kept = Layered("recall", self.redis, self.metrics, ttl_s=settings.hot_recall_s, most=settings.recall_cache_max)
        ways = (
            memsvc.__version__, settings.embedder, settings.reranker, sorted(settings.channels_off), settings.tiers,
            settings.fusion_weights, settings.rerank_weights, settings.confidence_weights,
        )  # fmt: skip
        hot = HotRecalls(kept, self.secrets, holds_s=settings.hot_recall_s, variant=repr(ways).encode())
        return HotAnswers(hot, self.feedback.factors)

    def _stages(self, space: EmbeddingSpace) -> Stages:
        """The way of a recall in an embedding space: what finds memories, and what puts them in order."""
        fusion = LearnedFusion(_weights(FusionWeights.read, self.settings.fusion_weights))
        order = _weights(OrderWeights.read, self.settings.rerank_weights)
        sure = _weights(ConfidenceWeights.load, self.settings.confidence_weights)
        worded: tuple[Channel, ...] = (KeywordChannel(), ExactChannel())
        channels: tuple[Channel, ...] = (
            SemanticChannel(),
            EntityChannel(),
            TemporalChannel(),
            PlaceChannel(),
            ProceduralChannel(),
        )
        seeded: tuple[SeededChannel, ...] = (
            LateInteractionChannel(TokenCodec.of(space)),
            AssociativeChannel(),
            SpreadingChannel(),
            ConsolidationChannel(),
            SpeakerChannel(),
        )
        off = set(self.settings.channels_off)
        every: tuple[Channel | SeededChannel, ...] = (*worded, *channels, *seeded)
        known = {channel.name for channel in every}
        if unknown := sorted(off - known):
            raise StartupRefused(f"MEMSVC_CHANNELS_OFF names no channel: {', '.join(unknown)}")
        return Stages(
            worded=[channel for channel in worded if channel.name not in off],
            channels=[channel for channel in channels if channel.name not in off],
            seeded=[channel for channel in seeded if channel.name not in off],
            fusion=fusion,
            reranker=None if self.reranker is None else Reranker(self.reranker),
            order=LearnedOrder(order, fusion.weights.bonus),
            confidence=Confidence(sure),
            hopper=Hopper(),
        )

    def _prepare(self, embedder: BatchingEmbedder | None) -> Embedders:
        """Check and migrate the database while the models and the compiled scans load: together half of a start."""
        self._say(
            f"preparing: database, embedding model {_models(self.settings)}, compiled scans (longer the first time)"
        )
        with ThreadPoolExecutor(2, thread_name_prefix="prepare") as beside:
            warm = beside.submit(warm_up)
            coming = beside.submit(build_embedders, self.settings, self.metrics.count_embedded, embedder)
            try:
                applied = upgrade(self.settings, self.database)
                sealing.require(self.database)
                durability.require(self.settings, self.database)
            except BaseException:
                if coming.exception() is None:
                    for model in coming.result():
                        model.close()
                raise
        warm.result()
        self._say(f"schema: {'applied ' + ', '.join(applied) if applied else 'up to date'}")
        return Embedders.opened(self.database, coming.result(), self.clock.now())

    def start(self) -> None:
        """Load every namespace from the database."""
        if again := self.erasures.reapply():
            self._say(f"erased again: {again} memories that a backup brought back")
        self._say("memory bank: loading memories")
        try:
            memories = self.keeper.load_all()
        except Unreadable as found:
            raise StartupRefused(f"{self.database.name} cannot be served: {found}. Restore it from a backup") from found
        self._loaded = True
        self._say(f"memory bank: {memories} memories loaded")
        self.bell.start()
        self.backlog.start()
        self.scheduler.start(with_runs=self.settings.jobs == "on")

    def close(self) -> None:
        """Finish writes, then let go of threads, connections and the lock."""
        self.erasing.close()
        self.scheduler.close()
        self.backlog.close()
        self.bell.close()
        self._last_notes()
        for recaller in self.recallers.values():
            recaller.close()
        self.bank.close()
        if self.reranker is not None:
            self.reranker.close()
        self._closing.close()
        self.database.close()

    def _tidy(self) -> None:
        """What every process does now and then."""
        self.keeper.let_go()
        self.recalls.flush()
        self.keys.uses.flush()
        self.notes.flush()
        self.trails.print_anchors()

    def _last_notes(self) -> None:
        """Writes which memories and keys were used lately, and what was only counted; not worth failing for."""
        for write in (self.recalls.flush, self.keys.uses.flush, self.notes.close):
            try:
                write()
            except (ServiceError, SQLAlchemyError) as error:
                log.warning("not_written", what=write.__qualname__, error=type(error).__name__)

    def _left_the_bank(self, key: tuple[UUID, UUID]) -> None:
        self.metrics.bank_dropped.inc()

    def ready(self) -> dict[str, bool]:
        """Each readiness check by name. Raises what the database raises if it cannot be reached."""
        with self.database.read(SERVICE) as connection:
            works = migrate.works(connection)
        return {"database": True, "schema": works, "bank_loaded": self._loaded}

    def degraded(self) -> list[str]:
        """What is lost without anybody failing for it. Does not wait."""
        redis = ["redis"] if self.redis is not None and self.redis.is_lost else []
        return (["embedder"] if self.backlog.waiting else []) + redis


class Follower:
    """What follows the namespaces in the database, and nothing else: for a process that serves no requests.

    Args:
        settings: how to run.
        say: told what start-up is doing, in words.

    Raises:
        StartupRefused: the database does not allow it.
    """

    def __init__(self, settings: Settings, *, say: Say = lambda text: None) -> None:
        self.metrics = Metrics()
        threadpool_limits(limits=1, user_api="blas")  # type: ignore[no-untyped-call]  # as in a container
        self._say = say
        self.database = Database(
            settings.url,
            limits=Limits.of(settings, "memsvc gpu"),
            keyring=load_keyring(settings),
            commit_group_max=settings.commit_group_max,
        )
        try:
            say("preparing: database, compiled scans (longer the first time)")
            applied = upgrade(settings, self.database)
            sealing.require(self.database)
            warm_up()
        except BaseException:
            self.database.close()
            raise
        say(f"schema: {'applied ' + ', '.join(applied) if applied else 'up to date'}")
        self.bank = Bank(repeating=MADE)
        self.keeper = Keeper(self.database, self.bank, self.metrics.change_lag.set, tiers=_tiers(settings))
        self.metrics.watch_bank(self.bank, self.keeper.memories)
        secrets = load_secrets(settings)
        self.redis = build_redis(settings, secrets, self.metrics)
        self.bell = Bell(build_line(self.database, self.redis), self.keeper, secrets, self.metrics, rings=False)

    def start(self) -> None:
        """Load every namespace from the database."""
        self._say("memory bank: loading memories")
        self._say(f"memory bank: {self.keeper.load_all()} memories loaded")
        self.bell.start()

    def close(self) -> None:
        """Let go of threads and connections."""
        self.bell.close()
        if self.redis is not None:
            self.redis.close()
        self.bank.close()
        self.database.close()


def _waiting_in(models: Sequence[BatchingEmbedder], lane: str) -> int:
    return sum(model.waiting[lane] for model in models)


def _models(settings: Settings) -> str:
    """The models in words."""
    second = "" if settings.embedder_second is None else f" and {settings.embedder_second}"
    return f"{settings.embedder}{second}"


def _tiers(settings: Settings) -> NDArray[np.uint8]:
    """How exactly the bank keeps vectors, by the level of their memory."""
    return TIER_OF_LEVEL if settings.tiers == "on" else ALL_EXACT


def _weights(read: Callable[[Path | None], Weights], path: Path | None) -> Weights:
    try:
        return read(path)
    except (OSError, ValueError) as error:
        raise StartupRefused(f"the weights in {path} cannot be used: {error}") from error


def build_container(settings: Settings, say: Say = lambda text: None) -> Container:
    """The service that the settings describe; raises what `Container` does."""
    return Container(settings, say=say)
