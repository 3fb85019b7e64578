"""Texts that were stored while the embedding model did not answer, on their way to their vectors.

A row of `pending_embedding` is written with the text, and taken out by the transaction that stores the vectors: a text
gets them once, whoever is at it. Until then the bank has it without any, so that every channel but those of vectors
finds it. It is read in the light of what is before it in its conversation by then, as if it had been written now.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Select, and_, func, select, update

from memsvc.core.clock import Clock
from memsvc.core.errors import EmbedderUnavailable
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE
from memsvc.index.keeper import Keeper
from memsvc.memories import repository
from memsvc.memories.context import NOTHING, Before
from memsvc.memories.draft import Encoding
from memsvc.memories.ledger import Ledger
from memsvc.memories.prepare import Preparer
from memsvc.models.ids import one_of
from memsvc.models.tables import PENDING, VERSION
from memsvc.namespaces import repository as namespaces
from memsvc.sealing.readable import readable
from retrieval.types import Passage

AT_ONCE = 64
"""Texts of one transaction."""
SILENT_AFTER = 2
"""So many texts in a row without an answer, each asked for alone: it is the model, and not the texts."""
_WRITER = "backlog"
_FIRST_S, _LONGEST_S = 1.0, 30.0
_STORED_WITHIN_S = 60.0
"""Who says that a text is left stores it after that, within this time: until then it is looked for."""

Key = tuple[UUID, int]
"""A memory, and the version that its text came with."""

log = structlog.get_logger("memsvc.memories")


@dataclass(frozen=True, slots=True)
class _Text:
    key: Key
    content: str
    before: Before

    @property
    def passage(self) -> Passage:
        return Passage(self.content, self.before.text)


class Backlog:
    """Has waiting texts read, in a thread of its own: a model that hangs holds up nothing else. Several may be at it.

    Args:
        every_s: how often it looks for what other processes left.
        on_waiting: called with the number of texts that wait, as far as is known.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        preparer: Preparer,
        keeper: Keeper,
        every_s: float,
        on_waiting: Callable[[int], None] = lambda number: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._preparer = preparer
        self._keeper = keeper
        self._every_s = every_s
        self._on_waiting = on_waiting
        self._waiting = 0
        self._is_silent = False
        self._expected_until = 0.0
        self._woken = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many texts wait, as of the last look; of all tenants. Does not look."""
        return self._waiting

    def start(self) -> None:
        """Begins to work."""
        self._thread = threading.Thread(target=self._work, name="memsvc-backlog", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """A text is being left to be read later."""
        self._expected_until = time.monotonic() + _STORED_WITHIN_S
        if not self._waiting:
            self._tell(1)
            self._woken.set()

    def answered(self) -> None:
        """The model read something: what waits for it need not wait for the next round."""
        if self._is_silent:
            self._woken.set()

    def close(self) -> None:
        """Ends after the texts that are being read."""
        self._closing.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()

    def round(self) -> int:
        """Has everything read that is due, until the model falls silent; returns how many texts have their vectors."""
        self._is_silent = False
        done = 0
        while not (self._is_silent or self._closing.is_set()):
            with self._database.read(SERVICE) as connection:
                due = connection.execute(_due(self._clock.now())).all()
            of: dict[tuple[UUID, UUID], dict[Key, int]] = {}
            for row in due:
                of.setdefault((row.tenant_id, row.namespace_id), {})[row.memory_id, row.version] = row.attempts
            done += sum(self._read(namespace, attempts) for namespace, attempts in of.items())
            if len(due) < AT_ONCE:
                break
        with self._database.read(SERVICE) as connection:
            self._tell(connection.execute(select(func.count()).select_from(PENDING)).scalar_one())
        return done

    def _tell(self, number: int) -> None:
        self._waiting = number
        self._on_waiting(number)

    def _read(self, of: tuple[UUID, UUID], attempts: Mapping[Key, int]) -> int:
        """Has texts of a namespace read, and stores what came of it; the others are tried again later."""
        if self._is_silent:
            return 0
        tenant_id = of[0]
        with self._database.read(tenant_id) as connection:
            texts = self._texts(connection, tenant_id, attempts)
            there = namespaces.get(connection, *of)
        spaces = () if there is None else there.spaces
        can_read = all(space_id in self._preparer.embedders for space_id in spaces)  # else another process can
        made = self._encoded(texts, spaces) if can_read else {}
        is_silent = self._is_silent = can_read and bool(texts) and not made

        def unit(connection: Connection) -> tuple[int, int]:
            namespace = namespaces.get(connection, *of, lock=True)
            if namespace is None:
                return 0, 0
            now = self._clock.now()
            there = self._texts(connection, tenant_id, attempts)  # some are gone, have vectors, or follow another now
            ledger = Ledger(connection, namespace, now, _WRITER)
            stored = {text.key: made[text] for text in there if text in made and ledger.takes(made[text])}
            for key, encoding in stored.items():
                ledger.reencode(*key, encoding)
            for key in attempts.keys() - stored.keys():  # those that cannot be read, too: they held up the others
                tries = attempts[key] + 1
                again_s = _FIRST_S if is_silent else min(2.0 ** min(tries, 10), _LONGEST_S)
                _postpone(connection, tenant_id, key, tries, now + timedelta(seconds=again_s))
            return len(stored), ledger.flush()

        stored, seq = self._database.write(tenant_id, unit)
        if stored:
            self._keeper.written(of, seq)
        return stored

    def _texts(self, connection: Connection, tenant_id: UUID, keys: Collection[Key]) -> list[_Text]:
        """Those that still wait and can be read, with what each is to be read in the light of."""
        ids = sorted({memory_id for memory_id, _ in keys})
        query = (
            select(PENDING.c.memory_id, PENDING.c.version, VERSION.c.content)
            .join(
                VERSION,
                and_(
                    VERSION.c.tenant_id == PENDING.c.tenant_id,
                    VERSION.c.memory_id == PENDING.c.memory_id,
                    VERSION.c.version == PENDING.c.version,
                ),
            )
            .order_by(PENDING.c.memory_id, PENDING.c.version)
        )
        rows = readable(
            ids, lambda some: connection.execute(query.where(one_of(PENDING.c.memory_id, tenant_id, some))).all()
        )
        befores: dict[UUID, Before] = {}
        if self._preparer.reads_context:
            earlier = repository.before_each(connection, tenant_id, ids, self._clock.now(), without=())
            said = readable(set(earlier.values()), lambda some: repository.texts(connection, tenant_id, some))
            befores = {
                memory_id: Before(said[before], before) for memory_id, before in earlier.items() if before in said
            }
        return [
            _Text((row.memory_id, row.version), row.content or "", befores.get(row.memory_id, NOTHING))
            for row in rows
            if (row.memory_id, row.version) in keys
        ]

    def _encoded(self, texts: Sequence[_Text], spaces: Sequence[UUID]) -> dict[_Text, Encoding]:
        """What the model makes of them, of those that it answers for: one that it refuses holds up no other."""
        made: dict[_Text, Encoding] = {}
        failed = 0
        for part in (texts, *([text] for text in texts if len(texts) > 1)):
            if len(made) == len(texts) or failed > SILENT_AFTER:
                break
            try:
                encodings = self._preparer.encode([text.passage for text in part], spaces)
            except EmbedderUnavailable as error:
                log.warning("embedding_delayed", texts=len(part), error=type(error.__cause__).__name__)
                failed += 1
                continue
            failed = 0
            made |= {
                text: replace(encoding, context_id=text.before.memory_id)
                for text, encoding in zip(part, encodings, strict=True)
            }
        return made

    def _work(self) -> None:
        pause_s = _FIRST_S
        while not self._closing.is_set():
            self._woken.clear()  # before the look, which may miss what wakes it meanwhile
            try:
                self.round()
            except Exception as error:  # noqa: BLE001 - the outer edge of the thread: the next round tries again
                log.warning("backlog_round_failed", error=type(error).__name__)
            is_soon = self._waiting > 0 or time.monotonic() < self._expected_until
            is_woken = self._woken.wait(pause_s if is_soon else self._every_s)
            pause_s = min(2 * pause_s, _LONGEST_S) if is_soon and not is_woken else _FIRST_S
            if is_woken:
                self._closing.wait(_FIRST_S)  # what wakes it is hardly stored yet


def _due(now: datetime) -> Select[Any]:
    columns = (PENDING.c.tenant_id, PENDING.c.namespace_id, PENDING.c.memory_id, PENDING.c.version, PENDING.c.attempts)
    return select(*columns).where(PENDING.c.due_at <= now).order_by(PENDING.c.due_at).limit(AT_ONCE)


def _postpone(connection: Connection, tenant_id: UUID, key: Key, attempts: int, until: datetime) -> None:
    connection.execute(
        update(PENDING)
        .where(PENDING.c.tenant_id == tenant_id, PENDING.c.memory_id == key[0], PENDING.c.version == key[1])
        .values(due_at=until, attempts=attempts)
    )
