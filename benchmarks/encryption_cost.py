"""What encryption at rest costs: the service in this process, hashed embeddings, with a root key and without.

All times are processor time of this process, SQLite's part included, PostgreSQL's not.

Writes in batches of 100 and one by one, the load of the bank, reads by id, a list by a filter that SQL cannot answer on
encrypted rows, and the size of the database.

Run: OMP_NUM_THREADS=1 python -m benchmarks.encryption_cost [--database sqlite|postgresql] [--memories 10000]
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import text

from benchmarks._results import save
from benchmarks._server import scratch
from benchmarks.lifecycle_erasure import new_database, postgres
from memsvc.core.settings import Settings
from memsvc.db.tenancy import SERVICE
from memsvc.filters.grammar import parse
from memsvc.memories.draft import Draft
from memsvc.memories.write import Author
from memsvc.wiring import Container

ROOT, PATH, SEED = "r" * 32, "user/ada", 29
WORDS = ("river", "stone", "window", "letter", "garden", "market", "engine", "bridge", "winter", "copper", "lantern")


def drafts(count: int) -> list[Draft]:
    """Memories of some dozen words, with every field that is encrypted."""
    rng = random.Random(SEED)
    return [
        Draft(
            f"Ada {' '.join(rng.choices(WORDS, k=20))} number {n}",
            {"speaker": "Ada", "place": "Leeds", "tags": ["a", f"t{n % 9}"], "metadata": {"n": n, "k": n % 7}},
            external_id=f"x{n}",
        )
        for n in range(count)
    ]


def measured(folder: Path, url: str | None, count: int, **settings: Any) -> dict[str, Any]:
    """Figures of one service."""
    given = Settings(
        data_dir=folder,
        database_url=url,
        embedder="hashing:384",
        reranker="none",
        jobs="off",
        log_level="error",
        **settings,
    )
    made, container = drafts(count + 200), Container(given)
    ids: list[UUID] = []
    principal = container.keys.anonymous
    if principal is None:
        raise RuntimeError("an open service has a principal of its own")
    author = Author(principal.tenant_id, "benchmark")

    def write(some: list[Draft]) -> None:
        ids.extend(UUID(item["id"]) for item in container.remember(author, PATH, some)["items"])

    batches = took(lambda: [write(made[start : start + 100]) for start in range(0, count, 100)])
    single = took(lambda: [write([one]) for one in made[count:]])
    container.close()
    container = Container(given)
    load = took(container.keeper.load_all)
    some = random.Random(SEED).sample(ids, 500)
    times = [took(lambda one=one: container.reading.one(author.tenant_id, one, lambda path: True)) for one in some]  # type: ignore[misc]
    condition = {"metadata.n": {"gte": count + 150}}
    listed = took(
        lambda: container.reading.page(
            author.tenant_id, PATH, parse(condition), condition, newest_first=False, limit=50, cursor=None
        )
    )
    with container.database.read(SERVICE) as connection:
        size = connection.execute(
            text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
            if container.database.is_sqlite
            else text("SELECT pg_database_size(current_database())")
        ).scalar_one()
    container.close()
    return {
        "memories written in a second of the processor, in batches of 100": round(count / batches),
        "ms of a single write": round(single / 200 * 1e3, 2),
        "s to load the bank": round(load, 2),
        "ms of a read by id, median": round(float(np.median(times)) * 1e3, 3),
        "ms of a list by a filter that leaves the last 50": round(listed * 1e3, 1),
        "database MB": round(int(size) / 1e6, 1),
    }


def took(work: Callable[[], Any]) -> float:
    """Seconds of this process's processor time: what others do on the machine is none of it."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--memories", type=int, default=10_000)
    given = parser.parse_args()
    figures: dict[str, Any] = {"memories": given.memories}
    for name, settings in (("plain", {}), ("encrypted", {"root_key": ROOT})):
        with scratch() as folder:
            if given.database == "sqlite":
                figures[name] = measured(folder, None, given.memories, **settings)
            else:
                with postgres() as (uri, _):
                    figures[name] = measured(folder, new_database(uri), given.memories, **settings)
        print(name, figures[name], flush=True)
    command = f"python -m benchmarks.encryption_cost --database {given.database} --memories {given.memories}"
    print(save(f"encryption_cost_{given.database}", figures, command=command, seed=SEED))


if __name__ == "__main__":
    main()
