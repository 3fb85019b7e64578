"""What a night of work costs: every kind of job over a million memories in a thousand namespaces.

    python -m benchmarks.lifecycle_cost
    python -m benchmarks.lifecycle_cost --namespaces 10 100 --one 1000 10000

One namespace of 1,000 memories is written as the service writes it: sentences of common words, one in ten with a claim
that another may outdate; a quarter with a vector near that of another. Their times are spread over 200 days. The other
namespaces are copies of it inside the database, made by SQL, with ids of their own. Then each kind of job runs once in
each namespace, by the service's own runner, in one process of its own, which tells its time and its largest memory.
`--one` measures single namespaces of other sizes, all of whose memories differ.

A kind that would take longer than `--longest-s` of processor time, by the size before, is left out and said so.

SQLite, with the service's own settings for durability. The share of a run is the default, 5 % of a namespace.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from sqlalchemy import Connection, bindparam, select, update

from benchmarks._results import save
from gpu.bank.records import Kind
from memsvc.auth.tenants import ensure_default_tenant
from memsvc.core.clock import SystemClock
from memsvc.core.ids import new_id
from memsvc.db import migrate
from memsvc.db.engine import Database
from memsvc.db.limits import Limits
from memsvc.db.tenancy import SERVICE
from memsvc.jobs import repository
from memsvc.jobs.kinds import every_kind
from memsvc.jobs.runner import Runner
from memsvc.jobs.work import Work
from memsvc.memories.draft import Circumstances, Draft, Encoding, Prepared, Vectors, described
from memsvc.memories.ledger import Ledger
from memsvc.memories.write import pair_bytes
from memsvc.models.tables import MEMORY
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import COLUMNS, NamespaceRow
from retrieval.analysis.analyser import TextAnalyser

SIZE, DIM, AT_ONCE = 1_000, 384, 1_000
_COPIED = ("memory", "memory_version", "analysis", "embedding", "change")
_PEOPLE = ("Ada", "Bruno", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hamid", "Ines", "Jonas")
_CITIES = ("Oslo", "Lisbon", "Kyoto", "Denver", "Nairobi", "Zagreb", "Hobart", "Seville", "Tallinn", "Quito")
_WORDS = tuple(
    "walk park river coffee train ticket garden music letter window winter summer dinner morning evening market boat "  # noqa: SIM905
    "lamp paper kitchen street bicycle doctor teacher office meeting report budget table mountain forest harbour bread "
    "cheese apple violin painting museum library".split()
)


def main() -> None:
    """Fill, measure, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--namespaces", type=int, nargs="*", default=[10, 100, 1_000])
    parser.add_argument("--one", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--longest-s", type=float, default=1_800.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="lifecycle_cost", help="of the file of figures")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="memsvc-cost-"))
    figures: dict[str, list[dict[str, Any]]] = {"many": [], "one": []}
    each: dict[str, float] = {}  # processor seconds of a memory, by kind, as of the size before
    try:
        for what, size, count in [
            *(("many", SIZE, count) for count in given.namespaces),
            *(("one", size, 1) for size in given.one),
        ]:
            likely = {kind: taken * size * count for kind, taken in each.items()}
            left_out = {kind: f"about {taken:.0f} s" for kind, taken in likely.items() if taken > given.longest_s}
            figures[what].append(found := _measured(folder, size, count, given.seed, left_out))
            each |= {kind: told["processor_s"] / found["memories"] for kind, told in found["kinds"].items()}
            save(given.name, figures, command=_command(given), seed=given.seed)  # what is there, if it is ended early
    finally:
        shutil.rmtree(folder)


def _command(given: argparse.Namespace) -> str:
    words = [f"--{name} {' '.join(map(str, getattr(given, name)))}" for name in ("namespaces", "one")]
    return " ".join(["python -m benchmarks.lifecycle_cost", *words, f"--longest-s {given.longest_s:.0f}"])


def _measured(folder: Path, size: int, count: int, seed: int, left_out: dict[str, str]) -> dict[str, Any]:
    path = folder / f"{size}-{count}.db"
    begun = time.monotonic()
    fill(path, size, count, seed)
    found: dict[str, Any] = {
        "memories": size * count,
        "namespaces": count,
        "fill_s": round(time.monotonic() - begun, 1),
        "database_bytes": path.stat().st_size,
        "kinds": {},
        "left_out": left_out,
    }
    context = multiprocessing.get_context("spawn")
    for kind in sorted(set(_works()) - set(left_out)):
        with context.Pool(1) as pool:  # a process of its own, whose largest memory is that of this kind
            found["kinds"][kind] = told = pool.apply(night, (path, kind))
        told["rows_per_s"] = round(size * count / told["seconds"])
        told["rows_per_processor_s"] = round(size * count / told["processor_s"])
        print(f"{size * count} memories in {count}: {kind} {told}", flush=True)
    night_s = sum(told["seconds"] for told in found["kinds"].values())
    found |= {"night_s": round(night_s, 1), "night_rows_per_s": round(size * count / night_s)}
    path.unlink()
    return found


def night(path: Path, kind: str) -> dict[str, Any]:
    """Runs one kind of job once in each namespace; tells seconds, its parts, what it did, and the largest memory."""
    before = _largest_bytes()
    database, clock = Database(f"sqlite:///{path}", limits=Limits(pool=3)), SystemClock()
    spent: Counter[str] = Counter()
    last = [time.perf_counter()]

    def at(point: str) -> None:
        now = time.perf_counter()
        spent[point] += now - last[0]  # type: ignore[assignment]
        last[0] = now

    with closing(database):
        runner = Runner(database, clock, _works(), at)
        with database.read(SERVICE) as connection:
            homes = [NamespaceRow(*row) for row in connection.execute(select(*COLUMNS))]
        processor = time.process_time()
        begun = last[0] = time.perf_counter()
        counts: Counter[str] = Counter()
        for home in homes:
            run_id = database.write(SERVICE, lambda c, h=home: _ask(c, h, kind))
            at("asked")
            runner.run(home.tenant_id, run_id)
            with database.read(SERVICE) as connection:
                done = repository.run(connection, home.tenant_id, run_id)
            if done is None or done.problem is not None:
                raise RuntimeError(f"a run of {kind} failed: {done and done.problem}")
            counts.update(done.counts)
            at("looked")
        seconds = time.perf_counter() - begun
    return {
        "seconds": round(seconds, 2),
        "processor_s": round(time.process_time() - processor, 2),
        "planning_s": round(spent["planned"], 2),
        "applying_s": round(spent["renewed"] + spent["applied"] + spent["chunk"], 2),
        "done": dict(counts),
        "peak_memory_bytes": _largest_bytes(),
        "memory_at_the_start_bytes": before,
    }


def _works() -> dict[str, Work]:
    """Every kind but the one that writes with a model: `lifecycle_consolidation` measures that."""

    def absent() -> NoReturn:
        raise NotImplementedError  # under the policy of the benchmark nothing is erased, either

    works = every_kind(absent, absent)
    return {kind: work for kind, work in works.items() if kind != "consolidate"}


def _largest_bytes() -> int:
    """The largest resident size of this process so far; what the system counts for it includes its parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _ask(connection: Connection, namespace: NamespaceRow, kind: str) -> Any:
    return repository.ask(connection, namespace, kind, "night", datetime.now(UTC), by="benchmark")


def fill(path: Path, size: int, count: int, seed: int) -> None:
    """A database with `count` namespaces of `size` memories."""
    database, clock = Database(f"sqlite:///{path}"), SystemClock()
    with closing(database):
        migrate.upgrade(database.engine)
        tenant_id = ensure_default_tenant(database, clock)
        chance = np.random.default_rng(seed)

        def first(connection: Connection) -> NamespaceRow:
            space = namespaces.ensure_space(connection, "made", DIM, clock.now())
            return namespaces.ensure(connection, tenant_id, "user/0", space, clock.now())

        home = database.write(SERVICE, first)
        for at in range(0, size, AT_ONCE):
            rows = _rows(min(AT_ONCE, size - at), chance)
            database.write(SERVICE, lambda c, rows=rows: _write(c, home, rows, clock))
        database.write(SERVICE, lambda c: _spread(c, chance))
    _copy(path, count)


def _rows(count: int, chance: np.random.Generator) -> list[tuple[Draft, np.ndarray[Any, Any]]]:
    vectors = chance.standard_normal((count, DIM)).astype(np.float32)
    for place in range(count // 4):  # near another: what looks for what says the same finds some
        vectors[place] = vectors[place + count // 4] + 0.1 * vectors[place]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    drafts = []
    for _ in range(count):
        words = " ".join(chance.choice(_WORDS, 12))
        speaker = f"{chance.choice(_PEOPLE)} {int(chance.integers(1000))}"
        is_claim, kind = chance.random() < 0.1, int(chance.choice([Kind.EPISODIC, Kind.SEMANTIC, Kind.PROCEDURAL]))
        text = f"I live in {chance.choice(_CITIES)}." if is_claim else f"We talked of the {words}."
        fields = {"speaker": speaker[: speaker.index(" ") + 2], "kind": kind, "importance": float(chance.beta(2, 4))}
        drafts.append(Draft(text, fields))
    return list(zip(drafts, vectors, strict=True))


def _write(connection: Connection, home: NamespaceRow, rows: Sequence[tuple[Draft, Any]], clock: SystemClock) -> None:
    locked, analyser = namespaces.get(connection, *home.key, lock=True), TextAnalyser()
    if locked is None:
        raise RuntimeError("the namespace is gone")
    ledger = Ledger(connection, locked, clock.now(), "benchmark")
    for draft, vector in rows:
        values, text = described(draft.fields), draft.content or ""
        analysis = analyser.analyse(text)
        prepared = Prepared(
            Circumstances.of(values), analysis, Encoding({home.space_id: Vectors(vector[None].astype(np.float16))})
        )
        ledger.create(new_id(), None, values, text, prepared, pair_bytes(values, None))
    ledger.flush()


def _spread(connection: Connection, chance: np.random.Generator) -> None:
    """Written at some time of the last 200 days."""
    ids = list(connection.execute(select(MEMORY.c.id)).scalars())
    now = datetime.now(UTC)
    moved = [
        {"b_id": one, "b_at": now - timedelta(days=float(age))}
        for one, age in zip(ids, chance.uniform(0, 200, len(ids)), strict=True)
    ]
    connection.execute(
        update(MEMORY).where(MEMORY.c.id == bindparam("b_id")).values(recorded_at=bindparam("b_at")), moved
    )


def _copy(path: Path, count: int) -> None:
    """Copies of the first namespace: an id begins with the number of its namespace, in hexadecimal digits."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-200000")
        columns = {
            table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            for table in ("namespace", *_COPIED)
        }
        tenant, first = connection.execute("SELECT tenant_id, id FROM namespace").fetchone()
        for start in range(1, count, 50):
            connection.execute("BEGIN")
            for number in range(start, min(count, start + 50)):
                for table, names in columns.items():
                    wanted = ", ".join(_copied(table, name, number) for name in names)
                    own = "id" if table == "namespace" else "namespace_id"
                    where = f"WHERE tenant_id = :tenant AND {own} = :first"
                    if table in ("analysis", "embedding"):
                        here = "SELECT id FROM memory WHERE tenant_id = :tenant AND namespace_id = :first"
                        where = f"WHERE tenant_id = :tenant AND memory_id IN ({here})"
                    connection.execute(
                        f"INSERT INTO {table} ({', '.join(names)}) SELECT {wanted} FROM {table} {where}",  # noqa: S608
                        {"tenant": tenant, "first": first},
                    )
            connection.execute("COMMIT")
        connection.execute("ANALYZE")


def _copied(table: str, name: str, number: int) -> str:
    if table == "namespace" and name == "path":
        return f"'user/{number}'"
    if name in ("id", "namespace_id", "memory_id"):
        return f"'{number:08x}' || substr({name}, 9)"
    return name


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
