"""The job `reembed`: gives a namespace's texts vectors of another model beside those that recalls search.

Nobody asks for it by itself: it goes by how the space beside stands (`memsvc.models.tenant.Beside`), which
`memsvc.reembedding.service` sets. While that grows, a run embeds the texts of so many memories that lack vectors in it;
while it leaves, a run deletes them. A run that leaves something over asks for the next one, so that other work comes in
between; the last one says that the space is complete, and switches to it if that was asked for, or that it is gone.

What there is to do follows from the rows alone, and rows that are there are stepped over: whoever takes the work up
after a process was killed goes on where that was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.derivation import ROLLUPS
from lifecycle.policy import Policy
from lifecycle.steps import EMBED, FREE, Aim, Step
from memsvc.core.ids import new_id
from memsvc.jobs import repository as runs
from memsvc.memories import repository as memories
from memsvc.memories.context import NOTHING, Before, ContextMoved, check
from memsvc.memories.draft import Encoding
from memsvc.memories.ledger import Ledger
from memsvc.memories.prepare import Preparer
from memsvc.models.tenant import Beside
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from memsvc.reembedding import repository
from memsvc.reembedding.repository import KIND, Missing
from memsvc.sealing.readable import readable
from retrieval.types import Passage

MOST = 500
"""Memories of a run: other runs of this process, and whoever ends it, wait for so many at most."""

_AT_ONCE = 8  # texts, between two looks at the clock
_MOST_S = 15.0
"""Seconds after which no more texts are read before those that are have been written: they must not take a lease."""
_MOST_REST_S = 20.0
"""Longest rest, for the same reason."""

_ROLLUPS = frozenset(level.value for level in ROLLUPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted(Step):
    """A memory whose texts are to be embedded, as planned at a moment."""

    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding(Step):
    """A step whose texts were read, by version, with what each was read after."""

    space_id: UUID
    encodings: Mapping[int, Encoding]
    befores: Sequence[Before]


class Reembed:
    """The job; see `memsvc.jobs.work.Work`, `Prepares` and `Finishes`.

    Args:
        preparer: asked for when there is something to embed: a process that only does other work needs no model.
        share: of the time that it works; it rests for the others between two parts.
        rest: how it does.
    """

    kind = KIND
    is_bounded = False  # by its own measure: see `MOST`
    most_at_once = 32

    def __init__(
        self, preparer: Callable[[], Preparer], share: float = 1.0, rest: Callable[[float], None] = time.sleep
    ) -> None:
        self._preparer = preparer
        self._share = share
        self._rest = rest
        self._owed_s = 0.0

    def plan(self, connection: Connection, namespace: NamespaceRow, policy: Policy, now: datetime) -> Aim:
        """See `Work`. What was written first goes first. Whoever asked for another thing meanwhile is heeded."""
        namespace = namespaces.get(connection, *namespace.key) or namespace
        steps: list[Step] = []
        if namespace.beside == Beside.GROWING:
            steps += [
                Wanted(one, EMBED, {}, {}, now=now) for one in repository.with_missing(connection, namespace, MOST)
            ]
        elif namespace.beside == Beside.LEAVING:
            steps += [Step(one, FREE, {}, {}) for one in repository.with_leftovers(connection, namespace, MOST)]
        return Aim(steps, {"memories": len(steps)})

    def prepare(
        self, read: Callable[[], AbstractContextManager[Connection]], namespace: NamespaceRow, steps: Sequence[Step]
    ) -> Sequence[Step]:
        """See `Prepares`: the texts are read by the other model, after what they were read after by the first."""
        wanted = [step for step in steps if isinstance(step, Wanted)]
        if not wanted:
            return steps
        preparer = self._preparer()
        self._rest(min(self._owed_s, _MOST_REST_S))
        begun = time.perf_counter()
        with read() as connection:
            current = namespaces.get(connection, *namespace.key)
            if current is None or current.beside != Beside.GROWING or current.beside_id is None:
                return steps
            space_id, ids = current.beside_id, [step.memory_id for step in wanted]
            texts = readable(ids, lambda sound: repository.missing(connection, current, sound))
            befores = self._befores(connection, current, texts, wanted[0].now)
        made: dict[UUID, dict[int, Encoding]] = {}
        read_after: dict[UUID, list[Before]] = {}
        for start in range(0, len(texts), _AT_ONCE):
            if start and time.perf_counter() - begun > _MOST_S:
                break  # the texts are long: the rest comes with the next plan
            part = list(zip(texts[start : start + _AT_ONCE], befores[start : start + _AT_ONCE], strict=True))
            encoded = preparer.encode([Passage(text.content, before.text) for text, before in part], (space_id,))
            for (text, before), encoding in zip(part, encoded, strict=True):
                kept = encoding.without_tokens() if text.derived in _ROLLUPS else encoding
                made.setdefault(text.memory_id, {})[text.version] = replace(kept, context_id=before.memory_id)
                read_after.setdefault(text.memory_id, []).append(before)
        self._owed_s = (time.perf_counter() - begun) * (1.0 / self._share - 1.0)
        return [
            Embedding(
                one.memory_id, EMBED, {}, {}, space_id=space_id, encodings=made[one.memory_id],
                befores=read_after[one.memory_id],
            )
            if one.memory_id in made
            else one
            for one in steps
        ]  # fmt: skip

    def _befores(
        self, connection: Connection, namespace: NamespaceRow, texts: Sequence[Missing], now: datetime
    ) -> list[Before]:
        """What each text is read after: what it was read after for the active space.

        Where the model of that reads nothing before a text, it is what stands before the memory in its conversation.
        """
        models, tenant = self._preparer().embedders, namespace.tenant_id
        if namespace.space_id in models and models.of(namespace.space_id).reads_context:
            contexts = [text.context_id for text in texts]
        else:
            ids = [text.memory_id for text in texts if text.derived is None]
            earlier = memories.before_each(connection, tenant, ids, now, without=())
            contexts = [earlier.get(text.memory_id) for text in texts]
        wanted = list(dict.fromkeys(one for one in contexts if one is not None))
        said = readable(wanted, lambda sound: memories.texts(connection, tenant, sound)) if wanted else {}
        return [Before(said[one], one) if one is not None and one in said else NOTHING for one in contexts]

    def apply(self, ledger: Ledger, steps: Sequence[Step], policy: Policy, now: datetime) -> Sequence[Step]:
        """See `Work`. What was erased, or embedded by somebody else, meanwhile is stepped over."""
        namespace = ledger.namespace
        if namespace.beside == Beside.LEAVING:
            leaving = [step for step in steps if step.action == FREE]
            repository.free(ledger.connection, namespace, [step.memory_id for step in leaving])
            return leaving
        read = [step for step in steps if isinstance(step, Embedding) and step.space_id == namespace.beside_id]
        if namespace.beside != Beside.GROWING or not read:
            return []
        try:
            check(ledger.connection, namespace.tenant_id, [before for step in read for before in step.befores])
        except ContextMoved:
            return []  # read again after what is said there by now
        wanted = repository.missing_keys(ledger.connection, namespace, [step.memory_id for step in read])
        done = []
        for step in read:
            for version, encoding in step.encodings.items():
                if (step.memory_id, version) in wanted:
                    ledger.embed_beside(step.memory_id, version, encoding)
            done.append(step)
        return done

    def finish(self, ledger: Ledger, counts: Mapping[str, int]) -> None:
        """See `Finishes`. Where texts are left over that this run could not read, nobody goes on by himself."""
        is_whole = max(counts.get(EMBED, 0), counts.get(FREE, 0)) < MOST
        if (is_whole and settle(ledger)) or ledger.namespace.beside not in (Beside.GROWING, Beside.LEAVING):
            return
        if counts.get(EMBED) or counts.get(FREE):
            ask(ledger.connection, ledger.namespace, ledger.now, ledger.writer)

    def revert(self, ledger: Ledger, steps: Sequence[Step]) -> Sequence[Step]:
        """See `Work`. There is nothing to take back: see `lifecycle.steps.UNREPORTED`."""
        return []


def settle(ledger: Ledger) -> bool:
    """Writes that the space beside is complete, and switches to it if that was asked for; or that it is gone.

    Returns:
        Whether that was so.
    """
    connection, namespace = ledger.connection, ledger.namespace
    match namespace.beside:
        case Beside.GROWING if not repository.with_missing(connection, namespace, 1):
            if namespace.is_to_switch:
                ledger.switch(Beside.FORMER)
            else:
                repository.put_beside(connection, namespace, namespace.beside_id, Beside.COMPLETE)
        case Beside.LEAVING if not repository.with_leftovers(connection, namespace, 1):
            repository.put_beside(connection, namespace, None, None)
        case _:
            return False
    return True


def ask(connection: Connection, namespace: NamespaceRow, now: datetime, by: str) -> None:
    """Queues a run of a locked namespace, unless one waits already."""
    if not runs.queued(connection, namespace, KIND):
        runs.ask(connection, namespace, KIND, f"asked {new_id()}", now, by=by)
