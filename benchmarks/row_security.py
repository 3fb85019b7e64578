"""What row-level security costs on PostgreSQL: writes a second and the time of a recall, with the policies on and off.

    python -m benchmarks.row_security [--rounds 6] [--memories 2000]

One process, one client, hashed embeddings: what is measured is the database and the way to it. Rounds with and without
take turns, so that a machine that is busy with something else is busy for both. The role is the service's in both.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Engine, create_engine, make_url, text

from benchmarks._results import save
from deploy.processes import postgres
from memsvc.core.settings import Settings
from memsvc.db.tenancy import SERVICE
from memsvc.memories.draft import Draft
from memsvc.memories.write import Author
from memsvc.models import Base
from memsvc.models.tables import EMBEDDING_SPACE, SCHEMA_WINDOW
from memsvc.recall.service import Question
from memsvc.wiring import Container
from retrieval.types import Profile

PATH = "bench"
_BATCH = 100
_WRITES, _RECALLS, _READS = 60, 30, 200


def measure(rounds: int, memories: int) -> dict[str, object]:
    """Figures by whether the policies are on."""
    with tempfile.TemporaryDirectory(prefix="memsvc-rls-") as made, postgres(Path(made) / "pg") as owner:
        app = make_url(owner).set(username="memsvc_app").render_as_string(hide_password=False)
        settings = Settings(
            data_dir=Path(made) / "data",
            database_url=app,
            migrate_database_url=owner,
            embedder="hashing:64",
            reranker="none",
            jobs="off",
        )
        operator = create_engine(make_url(owner).set(drivername="postgresql+psycopg"))
        container = Container(settings)
        try:
            container.start()
            figures = _rounds(container, operator, rounds, memories)
        finally:
            container.close()
            operator.dispose()
    return figures


def _rounds(container: Container, operator: Engine, rounds: int, memories: int) -> dict[str, object]:
    principal = container.keys.anonymous
    if principal is None:
        raise RuntimeError("open mode has a caller without a key")
    author = Author(principal.tenant_id, "bench")
    for start in range(0, memories, _BATCH):
        container.remember(author, PATH, [_draft(n) for n in range(start, min(start + _BATCH, memories))])
    taken: dict[bool, dict[str, list[float]]] = {
        on: {"write_s": [], "recall_s": [], "read_s": []} for on in (True, False)
    }
    for number in range(2 * rounds + 2):
        is_on = number % 4 in (0, 3)  # on, off, off, on: a drift weighs on both alike
        _switch(operator, is_on)
        into = taken[is_on] if number >= 2 else {"write_s": [], "recall_s": [], "read_s": []}  # the first two warm up
        for n in range(_WRITES):
            begun = time.perf_counter()
            container.remember(author, PATH, [_draft(n)])
            into["write_s"].append(time.perf_counter() - begun)
        for n in range(_RECALLS):
            question = Question(
                PATH,
                f"Who met whom on day {n}?",
                10,
                frozenset(),
                None,
                None,
                None,
                None,
                None,
                Profile.FAST,
                None,
                None,
            )
            begun = time.perf_counter()
            container.recall(author.tenant_id, question)
            into["recall_s"].append(time.perf_counter() - begun)
        for _ in range(_READS):
            begun = time.perf_counter()
            with container.database.read(SERVICE) as connection:
                connection.exec_driver_sql("SELECT 1")
            into["read_s"].append(time.perf_counter() - begun)
    return {"memories": memories, "rounds": rounds} | {
        "on" if is_on else "off": {
            "writes_per_s": round(1 / statistics.mean(of["write_s"]), 1),
            "write_p50_ms": round(statistics.median(of["write_s"]) * 1e3, 3),
            "recall_p50_ms": round(statistics.median(of["recall_s"]) * 1e3, 3),
            "empty_read_p50_ms": round(statistics.median(of["read_s"]) * 1e3, 3),
        }
        for is_on, of in taken.items()
    }


def _draft(number: int) -> Draft:
    return Draft(
        f"Person {uuid4().hex[:6]} met person {number % 97} on day {number} and talked about {uuid4().hex[:8]}."
    )


def _switch(operator: Engine, is_on: bool) -> None:
    how = "ENABLE ROW LEVEL SECURITY, FORCE" if is_on else "DISABLE ROW LEVEL SECURITY, NO FORCE"
    with operator.begin() as connection:
        for table in Base.metadata.sorted_tables:
            if table not in (EMBEDDING_SPACE, SCHEMA_WINDOW):
                connection.execute(text(f"ALTER TABLE {table.name} {how} ROW LEVEL SECURITY"))


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--memories", type=int, default=2000)
    given = parser.parse_args()
    figures = measure(given.rounds, given.memories)
    print(figures)
    save(
        "row_security",
        figures,
        command=f"python -m benchmarks.row_security --rounds {given.rounds} --memories {given.memories}",
    )


if __name__ == "__main__":
    main()
