"""A process that consolidates one namespace, with clients who add, correct and erase what the gists are made of.

It kills itself at the points of `memsvc.jobs.runner`. Gists are worded by a stub that takes as long as a model may and
says every text whole, so that a gist shows what it was made of. What clients do stands in a log before and after it.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from benchmarks._scheduler_process import FastClock, told
from gpu.bank.records import Kind
from lifecycle.extract import Said
from memsvc.core.errors import ServiceError
from memsvc.core.settings import Settings
from memsvc.jobs.consolidation import Consolidate, Tools
from memsvc.jobs.repository import LEASE_S
from memsvc.jobs.runner import Runner
from memsvc.jobs.scheduler import Scheduler
from memsvc.memories.draft import Draft
from memsvc.memories.write import Author
from memsvc.wiring import Container

PATH = "user/harbour"
_DAY = datetime(2026, 1, 5, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Orders:
    """How one process works.

    Attributes:
        clock: of the service; runs fast, so that a lease is short.
        kill: how likely it ends at a point that it comes by.
        delay_s: longest time that the wording of a gist takes.
        members: the memories, with their numbers, that clients of this process may change.
    """

    url: str
    folder: Path
    clock: FastClock
    seed: int
    kill: float
    delay_s: float
    members: tuple[tuple[int, UUID], ...]
    log: Path


class Slow:
    """Says everything, after a while; see `lifecycle.summariser.Summariser`."""

    name = "slow 1"
    most_at_once = 3

    def __init__(self, delay_s: float, chance: random.Random) -> None:
        self._delay_s = delay_s
        self._chance = chance

    def summarise(self, sources: Sequence[Said], words: int) -> str:
        """See `Summariser`."""
        if self._delay_s:
            time.sleep(self._chance.choice((0.0, 0.0, self._chance.uniform(0.0, self._delay_s))))
        return " ".join(said.text for said in sources)

    def close(self) -> None:
        """See `Summariser`."""


def opened(url: str, folder: Path, clock: FastClock) -> tuple[Container, Author]:
    """A service that does no jobs by itself, and who it is asked for."""
    settings = Settings(
        data_dir=folder, database_url=url, embedder="hashing:64", reranker="none", request_threads=4, jobs="off",
        vacuum="plain",
    )  # fmt: skip
    container = Container(settings, clock=clock)
    principal = container.keys.anonymous
    if principal is None:
        raise RuntimeError("an open service has a tenant without a key")
    return container, Author(principal.tenant_id, "test")


def consolidation(container: Container, summariser: Slow) -> dict[str, Consolidate]:
    """The job, as the service would have it with this summariser."""
    tools = Tools(container.preparer, summariser, container.secrets)
    return {"consolidate": Consolidate(lambda: tools)}


def draft(number: int, version: int = 0) -> Draft:
    """What a client says: a text that names the memory and the version."""
    about = {"kind": int(Kind.EPISODIC), "session_id": "harbour", "speaker": "Ada", "occurred_at": _DAY}
    return Draft(f"visit m{number}v{version}", about)


def work(orders: Orders) -> None:
    """Consolidates, and lives with its clients, until it is told to stop or ends by accident."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    container, author = opened(orders.url, orders.folder, orders.clock)
    chance, lock = random.Random(orders.seed), threading.Lock()

    def accident(point: str) -> None:
        with lock:
            is_last = chance.random() < orders.kill
        if is_last:
            told(orders.log, "killed", point)
            os.kill(os.getpid(), signal.SIGKILL)

    works = consolidation(container, Slow(orders.delay_s, random.Random(orders.seed + 1)))
    keep_every_s = LEASE_S / 4 / orders.clock.rate
    runner = Runner(container.database, orders.clock, works, accident, chunk=10, keep_every_s=keep_every_s)
    scheduler = Scheduler(container.database, orders.clock, runner, every_s=0.2)
    scheduler.start()
    clients = threading.Thread(target=_live, args=(orders, container, author, stop), daemon=True)
    clients.start()
    stop.wait()
    clients.join()
    scheduler.close()
    container.close()


def _live(orders: Orders, container: Container, author: Author, stop: threading.Event) -> None:
    chance = random.Random(orders.seed + 2)
    own = dict(orders.members)
    while own and not stop.wait(chance.uniform(0.0, 0.3)):
        number, version = chance.choice(list(own)), time.monotonic_ns()
        fate = chance.random()
        try:
            if fate < 0.3:
                number = chance.randrange(1_000_000, 2**40)
                told(orders.log, "adding", number, 0)
                made = container.remember(author, PATH, [draft(number)], claim=None)
                told(orders.log, "added", number, 0)
                own[number] = UUID(made["items"][0]["id"])
            elif fate < 0.75:
                told(orders.log, "editing", number, version)
                said = Draft(f"visit m{number}v{version}", {})
                container.changer.edit(author, own[number], lambda path: True, said, None, None)
                told(orders.log, "edited", number, version)
            else:
                told(orders.log, "erasing", number)
                container.changer.erase(author, own.pop(number), lambda path: True, None, None)
                told(orders.log, "erased", number)
        except (SQLAlchemyError, ServiceError) as error:
            told(orders.log, "refused", type(error).__name__)
