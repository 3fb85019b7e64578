"""Entries about calls that change nothing: refusals and looks at what only administrators see."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from memsvc.audit import trail
from memsvc.core.clock import Clock
from memsvc.db.engine import Database

QUIET_S = 60
"""After an entry, calls that are like it are only counted for so many seconds: nobody can flood a trail."""
_QUIET = timedelta(seconds=QUIET_S)


class Call(NamedTuple):
    """What calls that are like each other share.

    Attributes:
        kind: of the entry.
        route: the method and the template of the path.
        reason: why it was refused; "": it was not.
    """

    tenant_id: UUID
    kind: str
    actor: str
    key_id: UUID | None
    route: str
    reason: str = ""


class Notes:
    """Notes calls of all tenants. Thread-safe; `note` may wait for the database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._noted: dict[Call, datetime] = {}
        self._more: Counter[Call] = Counter()

    def note(self, call: Call) -> None:
        """Writes an entry, or counts the call if one that is like it was written a moment ago."""
        now = self._clock.now()
        with self._lock:
            last = self._noted.get(call)
            if last is not None and last <= now < last + _QUIET:
                self._more[call] += 1
                return
            self._noted[call] = now
        self._write(call, 1)

    def flush(self) -> None:
        """Writes how many calls were only counted, once they have been quiet for long enough."""
        now = self._clock.now()
        with self._lock:
            over = [call for call, last in self._noted.items() if now >= last + _QUIET or now < last]
            for call in over:
                del self._noted[call]
            counted = {call: self._more.pop(call) for call in over if call in self._more}
        for call, times in counted.items():
            self._write(call, times)

    def close(self) -> None:
        """Writes all that was counted."""
        with self._lock:
            counted, self._more, self._noted = self._more, Counter(), {}
        for call, times in counted.items():
            self._write(call, times)

    def _write(self, call: Call, times: int) -> None:
        self._database.write(call.tenant_id, partial(_append, call=call, times=times, now=self._clock.now()))


def _append(connection: Connection, call: Call, times: int, now: datetime) -> None:
    facts = {"route": call.route, "times": times} | ({"reason": call.reason} if call.reason else {})
    trail.append(connection, call.tenant_id, call.kind, call.actor, now, key_id=call.key_id, facts=facts)
