"""`memsvc worker`: a process that does the work on namespaces, and nothing else."""

from __future__ import annotations

import signal
import threading

from sqlalchemy.engine import make_url

from memsvc.commands.server import Say
from memsvc.core.clock import SystemClock
from memsvc.core.errors import StartupRefused
from memsvc.core.logging import configure_logging
from memsvc.core.secrets import load_secrets
from memsvc.core.settings import Settings
from memsvc.db import migrate
from memsvc.db.engine import Database
from memsvc.jobs.kinds import every_kind
from memsvc.jobs.runner import Runner
from memsvc.jobs.scheduler import Scheduler
from memsvc.memories.erasing import Eraser


def run_worker(settings: Settings, say: Say) -> None:
    """Do what is due until told to stop. Needs neither the model nor the memory bank.

    Raises:
        StartupRefused: the database is SQLite, which one process owns, or cannot be used.
    """
    configure_logging(settings)
    if make_url(settings.url).get_backend_name() == "sqlite":
        raise StartupRefused("SQLite has one owning process, which does the work itself; a worker needs PostgreSQL")
    database = Database(settings.url, readers=2)
    try:
        migrate.upgrade(database.engine)
        clock = SystemClock()
        works = every_kind(Eraser(load_secrets(settings), None))
        scheduler = Scheduler(database, clock, Runner(database, clock, works), settings.jobs_every_s)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        scheduler.start()
        say("working (stop with Ctrl+C)")
        stop.wait()
        say("stopping: finishing the run that is under way")
        scheduler.close()
    finally:
        database.close()
    say("stopped")
