"""`memsvc worker`: a process that does the work on namespaces, and nothing else."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial

from sqlalchemy.engine import make_url

from memsvc.bell.bell import Bell
from memsvc.bell.lines import build_line
from memsvc.commands.server import Say
from memsvc.core.clock import Clock, SystemClock
from memsvc.core.errors import StartupRefused
from memsvc.core.logging import configure_logging
from memsvc.core.metrics import Metrics
from memsvc.core.secrets import load_secrets
from memsvc.core.settings import Settings
from memsvc.core.telemetry import begin_tracing
from memsvc.db.engine import Database
from memsvc.db.limits import Limits
from memsvc.db.roles import upgrade
from memsvc.embedding import Embedders, build_embedders
from memsvc.erasures.eraser import Eraser
from memsvc.jobs.consolidation import Tools
from memsvc.jobs.kinds import every_kind
from memsvc.jobs.runner import Runner
from memsvc.jobs.scheduler import Scheduler
from memsvc.memories.prepare import Preparer
from memsvc.redis.connection import build_redis
from memsvc.sealing import keys
from memsvc.sealing.keyring import load_keyring
from memsvc.summarising import build_summariser
from retrieval.analysis.analyser import TextAnalyser


def run_worker(settings: Settings, say: Say) -> None:
    """Do what is due until told to stop. Needs no memory bank, and loads the model when there is something to word.

    Raises:
        StartupRefused: the database is SQLite, which one process owns, or cannot be used.
    """
    configure_logging(settings)
    begin_tracing(settings, "memsvc worker")
    if make_url(settings.url).get_backend_name() == "sqlite":
        raise StartupRefused("SQLite has one owning process, which does the work itself; a worker needs PostgreSQL")
    database = Database(
        settings.url, limits=Limits.of(settings, "memsvc worker", pool=2), keyring=load_keyring(settings)
    )
    try:
        upgrade(settings, database)
        keys.require(database)
        clock = SystemClock()
        tools = cache(partial(writing_tools, settings, database, clock))
        works = every_kind(
            tools, lambda: Eraser(database, clock, tools().preparer, tools().secrets), settings.reembed_share
        )
        metrics, secrets = Metrics(), load_secrets(settings)
        redis = build_redis(settings, secrets, metrics)
        bell = Bell(build_line(database, redis), None, secrets, metrics)
        runner = Runner(database, clock, works, ring=bell.ring)
        scheduler = Scheduler(database, clock, runner, settings.jobs_every_s, beat(settings))
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        bell.start()
        scheduler.start()
        say("working (stop with Ctrl+C)")
        stop.wait()
        say("stopping: finishing the run that is under way")
        scheduler.close()
        bell.close()
        if redis is not None:
            redis.close()
        if tools.cache_info().currsize:
            tools().summariser.close()
            tools().preparer.embedders.close()
    finally:
        database.close()
    say("stopped")


def beat(settings: Settings) -> Callable[[], None]:
    """Shows from outside that rounds are made: touches `worker_beat`, if it is set.

    Raises:
        StartupRefused: the file cannot be made; a worker that looks dead would be ended again and again.
    """
    file = settings.worker_beat
    if file is None:
        return lambda: None
    try:
        file.touch()
    except OSError as error:
        raise StartupRefused(f"MEMSVC_WORKER_BEAT: cannot touch {file}: {error.strerror}") from None

    def touch() -> None:
        with suppress(OSError):  # the work does not wait for whoever looks at it
            file.touch()

    return touch


def writing_tools(settings: Settings, database: Database, clock: Clock) -> Tools:
    """What memories are written with, in a process that serves no requests; loads the models.

    Raises:
        StartupRefused: the settings name nothing that can be used; the run that needed it fails.
    """
    embedders = Embedders.opened(database, build_embedders(settings), clock.now())
    return Tools(Preparer(TextAnalyser(), embedders), build_summariser(settings), load_secrets(settings))
