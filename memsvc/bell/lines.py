"""What bells ring over: Redis, or PostgreSQL where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from selectors import EVENT_READ, DefaultSelector
from typing import Protocol

import psycopg
from sqlalchemy import text
from sqlalchemy.engine import URL

from memsvc.bell.closing import Closing
from memsvc.db.engine import Database
from memsvc.redis.connection import Redis

_LOOK_S = 0.5
"""How long a listener to Redis waits before it looks whether it is to end."""
_CHANNEL = "memsvc_bell"


class Line(Protocol):
    """Carries short messages to everybody who listens now."""

    def send(self, messages: Sequence[str]) -> None:
        """Tell everybody; may fail in silence, or raise."""
        ...

    def heard(self, closing: Closing) -> Iterator[str]:
        """What others (and this process) say, until `closing` is set. Raises when the line breaks."""
        ...


class RedisLine:
    """Publish and subscribe."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._channel = redis.channel("bell")

    def send(self, messages: Sequence[str]) -> None:
        """See `Line`."""
        self._redis.publish(self._channel, [message.encode() for message in messages])

    def heard(self, closing: Closing) -> Iterator[str]:
        """See `Line`."""
        with self._redis.listener() as listener:
            listener.subscribe(self._channel)
            while not closing.is_set():
                said = listener.get_message(timeout=_LOOK_S)
                if said is not None and isinstance(said["data"], bytes):
                    yield said["data"].decode("ascii", "replace")


class PostgresLine:
    """LISTEN and NOTIFY: not inside the transactions that write, whose commits it would put in a row."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def send(self, messages: Sequence[str]) -> None:
        """See `Line`."""
        with self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(
                text("SELECT pg_notify(:channel, message) FROM unnest(CAST(:messages AS text[])) AS message"),
                {"channel": _CHANNEL, "messages": list(messages)},
            )

    def heard(self, closing: Closing) -> Iterator[str]:
        """See `Line`."""
        with (
            psycopg.connect(_plain(self._database.engine.url), autocommit=True, connect_timeout=5) as connection,
            DefaultSelector() as waiting,
        ):
            connection.execute(f"LISTEN {_CHANNEL}")
            waiting.register(connection, EVENT_READ)
            waiting.register(closing, EVENT_READ)
            while not closing.is_set():
                for said in connection.notifies(timeout=0):
                    yield said.payload
                waiting.select()


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def build_line(database: Database, redis: Redis | None) -> Line | None:
    """The line of this process; none where no other process can be there."""
    if redis is not None:
        return RedisLine(redis)
    return None if database.is_sqlite else PostgresLine(database)
