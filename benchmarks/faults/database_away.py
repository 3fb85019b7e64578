"""R-09: PostgreSQL goes away in every way it does; a short time of 503, nothing lost, nothing twice, no hang."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from contextlib import ExitStack

import psycopg
from sqlalchemy import make_url

from benchmarks.faults.asking import Crowd, percentile
from benchmarks.faults.postgres import Postgres
from benchmarks.faults.row import Findings, Row
from benchmarks.faults.stage import Stage

RECOVERED_S = 2.0
LONGEST_WAIT_S = 5.0
_SHORT_PAUSE_S, _LONG_PAUSE_S = 7.0, 20.0
_FULL_S = 1.0
_WAYS = 5
_END_THE_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND query <> ''"""
"""Sessions that have asked something: those of the service, not those that only hold a connection."""


def run(stage: Stage, n: int) -> Findings:
    """Take it away so many times, in each way in turn."""
    findings = Findings()
    postgres, url = stage.postgres, stage.postgres.new_database()
    server = stage.server("database-away", url=url)
    pause_s = _LONG_PAUSE_S if n > _WAYS else _SHORT_PAUSE_S
    ways: list[tuple[str, Callable[[], None]]] = [
        ("fast restart", lambda: _restart(postgres, "fast")),
        ("immediate restart", lambda: _restart(postgres, "immediate")),
        ("kill -9", lambda: _killed(postgres)),
        (f"stopped for {pause_s:g} s", lambda: _paused(postgres, pause_s)),
        ("no connection left", lambda: _crowded(url)),
    ]
    back: dict[str, list[float]] = {}
    slowest: dict[str, float] = {}
    with Crowd(lambda: [server.url], findings) as crowd:
        for turn in range(n):
            name, away = ways[turn % len(ways)]
            if crowd.wait_for(16, 30) is None:
                findings.broke("no writes between two faults", name)
                break
            crowd.slowest_s = 0.0
            away()
            took = crowd.wait_for(1, 30)
            findings.check(
                took is not None and took <= RECOVERED_S,
                "no write within 2 s after the database was ready",
                (name, took),
            )
            back.setdefault(name, []).append(took if took is not None else 30.0)
            crowd.wait_for(crowd.clients, 30)  # those that hung longest have their answer now
            slowest[name] = max(slowest.get(name, 0.0), crowd.slowest_s)
            stage.say(f"{name}: a write after {took} s, the longest answer took {crowd.slowest_s:.1f} s")
            if crowd.slowest_s > LONGEST_WAIT_S:
                findings.broke("a request hung for more than 5 s", (name, round(crowd.slowest_s, 1)))
    crowd.look(url)
    findings.figures |= {
        "faults": n,
        "recovery_p50_s": {name: round(percentile(times, 0.5), 3) for name, times in back.items()},
        "recovery_max_s": {name: round(max(times), 3) for name, times in back.items()},
        "longest_answer_s": {name: round(seconds, 2) for name, seconds in slowest.items()},
        "statuses": {str(status): count for status, count in sorted(crowd.statuses.items())},
    }
    server.kill()
    return findings


def _restart(postgres: Postgres, mode: str) -> None:
    postgres.stop(mode)
    postgres.start()


def _killed(postgres: Postgres) -> None:
    postgres.kill()
    postgres.start()


def _paused(postgres: Postgres, seconds: float) -> None:
    paused = postgres.pause()
    time.sleep(seconds)
    postgres.go_on(paused)


def _crowded(url: str) -> None:
    """Others take every connection, and those of the service are ended."""
    plain = make_url(url).render_as_string(hide_password=False)
    with ExitStack() as held, psycopg.connect(plain, autocommit=True) as administrator:
        with contextlib.suppress(psycopg.OperationalError):
            for turn in range(200):
                held.enter_context(psycopg.connect(plain))
                if turn % 20 == 0:  # what it gives up, others take
                    administrator.execute(_END_THE_OTHERS)
        time.sleep(_FULL_S)


ROW = Row(
    "R-09", "the database goes away: 503 for a short time, nothing lost, nothing twice", run, 5, 50, "faults and writes"
)
