"""How many connections a process keeps, and how long anything on them may take."""

from __future__ import annotations

from dataclasses import dataclass

from memsvc.core.settings import Settings

# PostgreSQL's own 4 is for disks that turn: with it, one namespace of many is loaded by reading whole tables.
_PLANS = {"random_page_cost": "1.1"}
_BESIDE_REQUESTS = 4
"""The readiness probe, the scheduler, what embeds later and what follows the changes read from threads of their own."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the connections of one process.

    Attributes:
        pool: connections kept open; under load as many again on PostgreSQL.
        pool_timeout_s: how long a transaction waits for one of them.
        statement_timeout_s: how long one statement may take.
        lock_timeout_s: how long a statement waits for a lock.
        idle_timeout_s: after which a transaction that does nothing is ended: a process that hangs holds its locks no
            longer.
        silence_s: after which a server that does not answer at all counts as lost.
        name: what `pg_stat_activity` shows of the process.
    """

    pool: int = 16
    pool_timeout_s: float = 5.0
    statement_timeout_s: float = 30.0
    lock_timeout_s: float = 10.0
    idle_timeout_s: float = 60.0
    silence_s: float = 3.0
    name: str = "memsvc"

    @classmethod
    def of(cls, settings: Settings, name: str, pool: int | None = None) -> Limits:
        """What the settings say, for a process of this name; `pool` for one that needs few connections."""
        return cls(
            pool=pool or settings.database_pool or settings.request_threads + _BESIDE_REQUESTS,
            pool_timeout_s=settings.database_pool_timeout_s,
            statement_timeout_s=settings.database_statement_timeout_s,
            lock_timeout_s=settings.database_lock_timeout_s,
            idle_timeout_s=settings.database_idle_timeout_s,
            silence_s=settings.database_silence_s,
            name=name,
        )

    def options(self) -> str:
        """As PostgreSQL takes them when a connection is made."""
        timeouts = {
            "statement_timeout": self.statement_timeout_s,
            "lock_timeout": self.lock_timeout_s,
            "idle_in_transaction_session_timeout": self.idle_timeout_s,
        }
        given = {name: f"{round(seconds * 1000)}" for name, seconds in timeouts.items()} | _PLANS
        return " ".join(f"-c {name}={value}" for name, value in given.items())
