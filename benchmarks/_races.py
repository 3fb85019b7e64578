"""What may happen to a memory at the same moment, and what must then be true.

A stage is a namespace with four episodes of one session. `x` is the one that everybody is at: it is due to be archived,
or is archived; somebody corrects it, erases it, recalls it, brings it back, takes out all that its writer wrote, and
two jobs go over the namespace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select, update

from benchmarks._interleaver import Choose, in_turn, points, run
from gpu.bank.records import Kind
from lifecycle.retention import Grade
from lifecycle.summariser import Extractive
from memsvc.core.settings import Settings
from memsvc.db.tenancy import SERVICE
from memsvc.erasures.service import Wanted
from memsvc.jobs.consolidation import Consolidate, Tools
from memsvc.jobs.fading import Fade
from memsvc.jobs.runner import Runner
from memsvc.jobs.service import Jobs
from memsvc.memories.draft import Draft
from memsvc.memories.recalls import judged
from memsvc.memories.write import Author
from memsvc.models.tables import LINK, MEMORY, NAMESPACE, VERSION
from memsvc.wiring import Container

POLICY = {
    "below": {"warm": 0.8, "cold": 0.6, "archived": 0.4},
    "share_per_run": 1.0,
    "gists": {"levels": ["session", "day"], "least": 2, "ratio": 4},
}
STAGES = ("fresh", "gisted", "archived")
"""Without a gist; with one; with one, and `x` archived."""
WORD = "quincunx"
"""Stands in no text but those of `x`, and in what is made of it."""
_BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
_RAN, _LATER = "ran", "later"
_SOON_S = 600.0  # of an episode that is due to be archived after a day


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = _BEGIN

    def now(self) -> datetime:
        """The present moment."""
        return self.moment

    def move(self, seconds: float) -> None:
        """Later from now on."""
        self.moment += timedelta(seconds=seconds)


def _anywhere(path: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Stage:
    """A namespace, its memories by name, and the runs that wait there."""

    path: str
    ids: Mapping[str, UUID]
    runs: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Played:
    """What a schedule led to.

    Attributes:
        wrong: promises that were broken, as soon as all calls were over.
        outcomes: of the calls.
        written: memories that somebody wrote.
        made: memories that a job made of them.
    """

    stage: Stage
    wrong: tuple[str, ...]
    outcomes: tuple[Any, ...]
    written: Any
    made: Any


class World:
    """A service on an empty database. Its schedules are stages of their own, beside each other."""

    def __init__(self, url: str, folder: Path) -> None:
        settings = Settings(
            data_dir=folder, database_url=url, embedder="hashing:64", reranker="none", request_threads=4, jobs="off",
            vacuum="plain",
        )  # fmt: skip
        self.clock = Clock()
        self.container = Container(settings, clock=self.clock)
        principal = self.container.keys.anonymous
        if principal is None:
            raise RuntimeError("an open service has a tenant without a key")
        self.author = Author(principal.tenant_id, "ada")
        self.other = Author(principal.tenant_id, "mallory")
        tools = Tools(self.container.preparer, Extractive(), self.container.secrets)
        self._works = {"consolidate": Consolidate(lambda: tools), "fade": Fade()}
        self._jobs = Jobs(self.container.database, self.clock, self._works)
        self._stages = 0
        self._serial: dict[tuple[str, tuple[str, ...]], list[tuple[Played, Any]]] = {}
        engine = self.container.database.engine
        self._beside: Engine | None = None if self.container.database.is_sqlite else engine

    def close(self) -> None:
        """Lets go of the database."""
        self.container.close()

    def stage(self, kind: str, works: Sequence[str]) -> Stage:
        """A new one of a kind of `STAGES`, where a run of each of these jobs waits."""
        self._stages += 1
        path = f"user/{self._stages}"
        texts = {"x": f"The {WORD} bed in the garden was dug.", "y": "Roses came from the nursery."}
        ids = self._told(self.other, path, texts)
        ids |= self._told(self.author, path, {"z": "The pond was cleaned.", "w": "It rained in the evening."})
        self._jobs.set_care(self.author.tenant_id, path, POLICY, None)
        self.clock.move(86_400.0)
        soon = update(MEMORY).where(MEMORY.c.tenant_id == self.author.tenant_id, MEMORY.c.id == ids["x"])
        self.container.database.write(
            SERVICE, lambda connection: connection.execute(soon.values(stability_s=_SOON_S)) and None
        )
        if kind != "fresh":
            self._carry_out(self._asked(path, "consolidate"))
        if kind == "archived":
            self._carry_out(self._asked(path, "fade"))
        return Stage(path, ids, [self._asked(path, work) for work in works])

    def broken(self, kind: str, names: tuple[str, ...], choose: Choose) -> list[str]:
        """Plays a schedule, and says which promises were broken in it.

        Where it does not leave what some order of the whole calls leaves, it may still lack a gist that those have, or
        the other way round: a job steps over what changed under its hands. Then the jobs run once more, everywhere.
        """
        key = (kind, names)
        if key not in self._serial:
            self._serial[key] = []
            for order in permutations(range(len(names))):
                one = self._played(kind, names, in_turn(order))
                self._serial[key].append((one, self._settled(one.stage)))  # now: a day later more has faded
        played, serial = self._played(kind, names, choose), self._serial[key]
        found = list(played.wrong)
        alike = [
            (one, after) for one, after in serial if (one.outcomes, one.written) == (played.outcomes, played.written)
        ]
        if not alike:
            found.append("a state that no order leads to")
        elif all(one.made != played.made for one, _ in alike):
            settled = self._settled(played.stage)
            if all(after != settled for _, after in alike):
                found.append("a state that no order leads to once the jobs looked again")
        return found

    def _played(self, kind: str, names: Sequence[str], choose: Choose) -> Played:
        stage = self.stage(kind, [name for name in names if name in self._works])
        waiting = dict(enumerate(stage.runs))
        runs = [waiting.pop(min(waiting)) if name in self._works else None for name in names]
        calls = [partial(self._act, stage, name, run_id) for name, run_id in zip(names, runs, strict=True)]
        with points():
            outcomes = run(calls, choose, self._beside)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        wrong = self._wrong(stage, names, outcomes)
        for run_id, outcome in zip(runs, outcomes, strict=True):
            if run_id is not None and outcome == _LATER:
                self._carry_out(run_id)
        wrong += tuple("a job that failed" for run_id in runs if run_id is not None and self._problem(run_id))
        told = tuple(_RAN if outcome == _LATER else outcome for outcome in outcomes)
        with self.container.database.read(SERVICE) as connection:
            written, made = self._written(connection, stage), self._made(connection, stage)
        return Played(stage, wrong, told, written, made)

    def _settled(self, stage: Stage) -> Any:
        """What is there after the jobs looked once more. Again is the same: there is nothing left for them to do."""
        for work in ("fade", "consolidate"):
            self._carry_out(self._asked(stage.path, work))
        with self.container.database.read(SERVICE) as connection:
            return self._written(connection, stage), self._made(connection, stage)

    def _act(self, stage: Stage, name: str, run_id: UUID | None) -> Any:
        return ACTS[name](self, stage) if run_id is None else self._tried(run_id)

    def _tried(self, run_id: UUID) -> str:
        """A job, as a process of its own carries it out."""
        runner = Runner(self.container.database, self.clock, self._works)
        return _RAN if runner.run(self.author.tenant_id, run_id) else _LATER

    def differences(self) -> int:
        """Versions that the bank and the database do not agree on, in all stages."""
        return sum(one.missing + one.unexpected for one in self.container.keeper.verify())

    def _told(self, author: Author, path: str, texts: Mapping[str, str]) -> dict[str, UUID]:
        about = {"kind": int(Kind.EPISODIC), "session_id": "s", "occurred_at": _BEGIN - timedelta(days=3)}
        drafts = [Draft(said, {**about, "metadata": {"name": name}}) for name, said in texts.items()]
        items = self.container.remember(author, path, drafts, claim=None)["items"]
        return {name: UUID(item["id"]) for name, item in zip(texts, items, strict=True)}

    def _asked(self, path: str, work: str) -> UUID:
        return self._jobs.ask(self.author, path, work, is_dry=False).run.id

    def _carry_out(self, run_id: UUID) -> None:
        if self._tried(run_id) != _RAN:
            raise RuntimeError("a run is not carried out although nobody is at its namespace")
        if problem := self._problem(run_id):
            raise RuntimeError(f"a run failed: {problem}")

    def _problem(self, run_id: UUID) -> str | None:
        return self._jobs.one(self.author.tenant_id, run_id, _anywhere).run.problem

    def _wrong(self, stage: Stage, names: Sequence[str], outcomes: Sequence[Any]) -> tuple[str, ...]:
        """Promises that were broken as soon as all calls are over, before any job looks again."""
        found = Counter[str]()
        gone = {"x"} if any(n == "erase" and o == 200 for n, o in zip(names, outcomes, strict=True)) else set()
        gone |= {"x", "y"} if "revoke" in names else set()
        with self.container.database.read(SERVICE) as connection:
            there = self._there(connection, stage)
            found["an erasure that is lost"] += sum(stage.ids[name] in there for name in gone)
            if "x" in gone:
                telling = select(func.count()).where(
                    VERSION.c.memory_id.in_(there), VERSION.c.content.contains(WORD)
                )  # fmt: skip
                found["words of an erased memory"] += int(connection.execute(telling).scalar_one())
            for sources in self._sources(connection, stage).values():
                found["a gist that cites what is gone"] += not sources <= there
        return tuple(sorted(found.elements()))

    def _there(self, connection: Connection, stage: Stage) -> set[UUID]:
        query = select(MEMORY.c.id).where(MEMORY.c.tenant_id == self.author.tenant_id)
        return set(connection.execute(query.where(MEMORY.c.namespace_id == self._home(connection, stage))).scalars())

    def _home(self, connection: Connection, stage: Stage) -> Any:
        names = select(NAMESPACE.c.id).where(
            NAMESPACE.c.tenant_id == self.author.tenant_id, NAMESPACE.c.path == stage.path
        )
        return connection.execute(names).scalar_one()

    def _sources(self, connection: Connection, stage: Stage) -> dict[UUID, set[UUID]]:
        query = select(LINK.c.from_id, LINK.c.to_id).where(
            LINK.c.tenant_id == self.author.tenant_id,
            LINK.c.relation == "derived_from",
            LINK.c.from_id.in_(self._there(connection, stage)),
        )
        found: dict[UUID, set[UUID]] = {}
        for made, source in connection.execute(query):
            found.setdefault(made, set()).add(source)
        return found

    def _written(self, connection: Connection, stage: Stage) -> Any:
        """What somebody wrote, as it is and with how it became that: but for ids and times."""
        found = {}
        for name, memory_id in stage.ids.items():
            row = connection.execute(
                select(MEMORY.c.version, MEMORY.c.state, MEMORY.c.level, MEMORY.c.stability_s, MEMORY.c.recall_count)
                .where(MEMORY.c.tenant_id == self.author.tenant_id, MEMORY.c.id == memory_id)
            ).one_or_none()  # fmt: skip
            past = connection.execute(
                select(VERSION.c.version, VERSION.c.state, VERSION.c.content, VERSION.c.reason, VERSION.c.writer)
                .where(VERSION.c.tenant_id == self.author.tenant_id, VERSION.c.memory_id == memory_id)
                .order_by(VERSION.c.version)
            ).all()  # fmt: skip
            found[name] = None if row is None else (tuple(row), tuple(map(tuple, past)))
        return found

    def _made(self, connection: Connection, stage: Stage) -> Any:
        """What stands made, with what it says and what it is made of: but for ids, versions and times."""
        named = {memory_id: name for name, memory_id in stage.ids.items()}
        query = (
            select(MEMORY.c.id, MEMORY.c.derived, MEMORY.c.state, VERSION.c.content)
            .join(VERSION, (VERSION.c.tenant_id == MEMORY.c.tenant_id) & (VERSION.c.memory_id == MEMORY.c.id)
                  & (VERSION.c.version == MEMORY.c.content_version))
            .where(MEMORY.c.tenant_id == self.author.tenant_id, MEMORY.c.derived.is_not(None),
                   MEMORY.c.id.in_(self._there(connection, stage)))
        )  # fmt: skip
        sources = self._sources(connection, stage)
        return sorted(
            (row.derived, int(row.state), row.content, sorted(named.get(one, "made") for one in sources[row.id]))
            for row in connection.execute(query)
        )


Act = Callable[[World, Stage], Any]


def _patch(world: World, stage: Stage) -> Any:
    said = Draft(f"The {WORD} bed in the garden was filled.", {})
    return _status(world.container.changer.edit(world.author, stage.ids["x"], _anywhere, said, None, None))


def _erase(world: World, stage: Stage) -> Any:
    return _status(world.container.changer.erase(world.author, stage.ids["x"], _anywhere, None, None))


def _forget(world: World, stage: Stage) -> Any:
    return _status(world.container.changer.forget(world.author, stage.ids["x"], _anywhere, None, None))


def _restore(world: World, stage: Stage) -> Any:
    return _status(world.container.changer.restore(world.author, stage.ids["x"], _anywhere, None, None))


def _reinforce(world: World, stage: Stage) -> Any:
    """As a verdict of feedback does, in its transaction."""
    grades, now = {stage.ids["x"]: Grade.USED}, world.clock.now()
    world.container.database.write(SERVICE, lambda connection: judged(connection, world.author.tenant_id, grades, now))
    return 200


def _revoke(world: World, stage: Stage) -> Any:
    """Takes out everything that a writer wrote."""
    wanted = Wanted(stage.path, {"writer": world.other.name})
    asked = world.container.erasures.ask(world.author, wanted, _anywhere, None, within_s=None)
    return asked.erasure.problem or "revoked"


ACTS: Mapping[str, Act] = {
    "patch": _patch,
    "erase": _erase,
    "forget": _forget,
    "restore": _restore,
    "reinforce": _reinforce,
    "revoke": _revoke,
}

EVERY = (*ACTS, "consolidate", "fade")
"""Everything that may happen."""


def _status(outcome: Mapping[str, Any]) -> int:
    return int(outcome["items"][0]["status"])
