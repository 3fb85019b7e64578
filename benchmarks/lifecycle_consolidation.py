"""What roll-ups cost and keep: details of a long stream found through them, and recall beside them.

1. The stream of `benchmarks.made_stream` (90 days) is written and asked for 200 of its details: the flat store. Then it
   is consolidated, 60 days pass, the policy archives every turn, and the same questions are asked with `descend`, and
   without it (what is found if the turns are out of reach). Recall@10 of the turn that tells the detail, and how many
   memories lie below the hits of a question, which are all that a descent reads.
   Bytes are those of the server's own bank: with the turns, with turns and roll-ups, once the turns are archived, and
   of the archive while somebody descends to it. Beside them those of banks made anew of the roll-ups alone, and of the
   turns alone.
2. A set of real conversations is asked with and without gists beside the turns: nDCG@10 over every fourth question that
   has an answer, profile fast; a gist is never a right answer. Also in how many answers the turns are the same ones in
   the same order, of all and of those to questions that do not ask what is true in general (gists have no place of
   their own there).

The parts run side by side.

Run: OMP_NUM_THREADS=1 python -m benchmarks.lifecycle_consolidation --data FOLDER
     OMP_NUM_THREADS=1 python -m benchmarks.lifecycle_consolidation (part 1 with the default ratio alone)
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select

from benchmarks import made_stream
from benchmarks._results import save
from benchmarks.models_data import load
from benchmarks.quality.measures import interval, percent, ranked
from gpu.bank.bank import Bank
from gpu.bank.records import Kind, State
from memsvc.core.settings import Settings
from memsvc.db.tenancy import SERVICE
from memsvc.index.loader import load_memories
from memsvc.memories.draft import Draft
from memsvc.memories.write import Author
from memsvc.models.tables import MEMORY
from memsvc.namespaces import repository as namespaces
from memsvc.recall.descent import below_hits
from memsvc.recall.question import Question
from memsvc.wiring import Container
from retrieval.analysis.analyser import TextAnalyser
from retrieval.types import Profile

DAYS, SEED, ASKED = 90, 1, 200
RATIOS = (10, 16)
"""Of the policy: the default, and one at which a session of the stream is one gist."""
_BATCH = 100


class _Clock:
    """Stands still until it is moved."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


class _Store:
    """A service in this process, in a folder of its own."""

    def __init__(self, folder: Path, moment: datetime) -> None:
        self.clock = _Clock(moment)
        settings = Settings(data_dir=folder, reranker="none", jobs="off")
        self.container = Container(settings, clock=self.clock)
        self.container.keeper.load_all()
        principal = self.container.keys.anonymous
        if principal is None:
            raise RuntimeError("the service asks for keys")
        self.author = Author(principal.tenant_id, "benchmark")

    def write(self, path: str, drafts: Sequence[Draft]) -> list[UUID]:
        """Ids of new memories."""
        made: list[UUID] = []
        for start in range(0, len(drafts), _BATCH):
            items = self.container.remember(self.author, path, drafts[start : start + _BATCH])["items"]
            made += [UUID(item["id"]) for item in items]
        return made

    def work(self, path: str, kind: str, **policy: Any) -> dict[str, Any]:
        """Counts of a run over the whole namespace."""
        self.container.jobs.set_care(self.author.tenant_id, path, {"share_per_run": 1.0, **policy}, {})
        asked = self.container.jobs.ask(self.author, path, kind, is_dry=False)
        self.container.scheduler.round()
        run = self.container.jobs.one(self.author.tenant_id, asked.run.id, lambda path: True).run
        if run.problem is not None:
            raise RuntimeError(f"the run failed: {run.problem}")
        return dict(run.counts)

    def ask(self, path: str, text: str, at: datetime | None = None, *, top_k: int = 10, descends: bool = False) -> Any:
        """What a recall finds, best first."""
        question = Question(
            path, text, top_k, frozenset(), None, None, None, None, at, Profile.FAST, None, None, descends=descends
        )
        return [one.hit.memory_id for one in self.container.recall(self.author.tenant_id, question).found]

    def is_general(self, text: str) -> bool:
        """Whether a question asks what is true in general."""
        return TextAnalyser().question(text, self.clock.now()).kind_hint is Kind.SEMANTIC

    def made(self, path: str, *, derived: bool) -> list[UUID]:
        """Active memories that were made, or those that were not, in whatever state."""
        with self.container.database.read(SERVICE) as connection:
            namespace = namespaces.find(connection, self.author.tenant_id, path)
            if namespace is None:
                raise RuntimeError("there is no such namespace")
            query = select(MEMORY.c.id).where(MEMORY.c.tenant_id == namespace.tenant_id,
                                              MEMORY.c.namespace_id == namespace.id)  # fmt: skip
            which = MEMORY.c.derived.is_not(None) if derived else MEMORY.c.derived.is_(None)
            active = MEMORY.c.state == int(State.ACTIVE)
            return list(connection.execute(query.where(which, *((active,) if derived else ()))).scalars())

    def resident_bytes(self, path: str, memories: Sequence[UUID]) -> int:
        """Bytes of a bank that holds these and nothing else."""
        with self.container.database.read(SERVICE) as connection:
            namespace = namespaces.find(connection, self.author.tenant_id, path)
            if namespace is None:
                raise RuntimeError("there is no such namespace")
            dim = self.container.embedders.of(self.container.space_id).space.dim
            bank = Bank().open(path, dim)
            bank.put(load_memories(connection, namespace, dim, memories))
        return bank.memory_bytes()

    def server_bytes(self, path: str) -> tuple[int, int]:
        """Bytes of the namespace in the server's own bank, and of all archives that are there."""
        with self.container.database.read(SERVICE) as connection:
            namespace = namespaces.find(connection, self.author.tenant_id, path)
        if namespace is None:
            raise RuntimeError("there is no such namespace")
        keeper = self.container.keeper
        held = keeper.catch_up(namespace.key, namespace.head_seq).memory_bytes()
        return held, sum(keeper.archives.namespace(key).memory_bytes() for key in list(keeper.archives.keys()))

    def close(self) -> None:
        """End everything."""
        self.container.close()


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the sets; without it part 1 alone")
    parser.add_argument("--set", default="locomo_dev", help="set of part 2")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    if options.data is None:
        _quiet()
        figures[f"stream, ratio {RATIOS[0]}"] = stream(RATIOS[0])
        print(figures, flush=True)
        command = "python -m benchmarks.lifecycle_consolidation"
        print(save("lifecycle_consolidation_stream", figures, command=command, seed=SEED))
        return
    with ProcessPoolExecutor(len(RATIOS) + 1, mp_context=get_context("spawn"), initializer=_quiet) as side_by_side:
        parts = {f"stream, ratio {ratio}": side_by_side.submit(stream, ratio) for ratio in RATIOS}
        parts[options.set] = side_by_side.submit(beside, options.data, options.set)
        for name, part in parts.items():
            figures[name] = part.result()
            print(name, figures[name], flush=True)
    command = "python -m benchmarks.lifecycle_consolidation --data FOLDER"
    print(save("lifecycle_consolidation", figures, command=command, seed=SEED))


def _quiet() -> None:
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())


def stream(ratio: int) -> dict[str, Any]:
    """Figures of part 1 with a ratio of gists."""
    told = list(made_stream.turns(DAYS, SEED))
    path = "stream"
    with tempfile.TemporaryDirectory() as folder:
        store = _Store(Path(folder), told[-1].moment + timedelta(days=31))
        try:
            drafts = [
                Draft(one.text, {"speaker": one.speaker, "session_id": one.session, "occurred_at": one.moment})
                for one in told
            ]
            ids = store.write(path, drafts)
            details = [(memory, one.question) for memory, one in zip(ids, told, strict=True) if one.question]
            asked = random.Random(SEED).sample(details, ASKED)
            flat = [memory in store.ask(path, text) for memory, text in asked]
            with_turns, _ = store.server_bytes(path)
            begun = time.process_time()
            counts = store.work(path, "consolidate", gists={"ratio": ratio})
            taken_s = time.process_time() - begun
            levels = _levels(store, path)
            again = store.work(path, "consolidate", gists={"ratio": ratio})
            with_both, _ = store.server_bytes(path)
            store.clock.moment += timedelta(days=60)
            store.work(path, "fade", below={"archived": 0.1})
            without_turns, _ = store.server_bytes(path)
            made, turns = store.made(path, derived=True), store.made(path, derived=False)
            frozen = [memory in store.ask(path, text) for memory, text in asked]
            down = [memory in store.ask(path, text, descends=True) for memory, text in asked]
            below, reach = [], []
            for memory, text in asked:
                hits = store.ask(path, text, top_k=20)
                with store.container.database.read(SERVICE) as connection:
                    found = below_hits(connection, store.author.tenant_id, hits)
                below.append(len(found))
                reach.append(memory.bytes in {one.tobytes() for one in found})
            resident, whole = store.resident_bytes(path, made), store.resident_bytes(path, turns)
            _, archive = store.server_bytes(path)
        finally:
            store.close()
    return {
        "days": DAYS,
        "turns": len(ids),
        "questions": len(asked),
        "made": counts.get("make", 0),
        "levels": levels,
        "second run": again,
        "processor seconds of the run": round(taken_s, 2),
        "detail recall@10, flat": percent(flat),
        "detail recall@10, descending": percent(down),
        "detail recall@10, without descending": percent(frozen),
        "of the flat store's": round(sum(down) / sum(flat), 4),
        "details below the hits": percent(reach),
        "memories below the hits of a question, mean": round(statistics.fmean(below), 1),
        "bytes of the server's bank, turns": with_turns,
        "bytes of the server's bank, turns and roll-ups": with_both,
        "bytes of the server's bank, turns archived": without_turns,
        "share": round(without_turns / with_turns, 4),
        "bytes of the archive while it is asked for": archive,
        "bytes of a bank made anew, turns": whole,
        "bytes of a bank made anew, roll-ups": resident,
    }


def _levels(store: _Store, path: str) -> dict[str, int]:
    with store.container.database.read(SERVICE) as connection:
        rows = connection.execute(select(MEMORY.c.derived).where(MEMORY.c.derived.is_not(None))).scalars()
        return dict(Counter(sorted(rows)))


def beside(folder: Path, name: str) -> dict[str, Any]:
    """Figures of part 2."""
    data = load(folder / name)
    questions = [one for one in data.queries if one["gold"] and one["type"] != "adversarial"][::4]
    with tempfile.TemporaryDirectory() as place:
        store = _Store(Path(place), datetime(2026, 6, 1, tzinfo=UTC))
        try:
            names: dict[UUID, str] = {}
            paths = sorted({row["namespace"] for row in data.corpus})
            for path in paths:
                rows = [row for row in data.corpus if row["namespace"] == path]
                ids = store.write(path, [_draft(row) for row in rows])
                names.update(zip(ids, (row["id"] for row in rows), strict=True))
            before = [_found(store, one) for one in questions]
            made = Counter[str]()
            for path in paths:
                made.update(store.work(path, "consolidate"))
            levels = _levels(store, "")
            after = [_found(store, one) for one in questions]
            general = [store.is_general(one["text"]) for one in questions]
        finally:
            store.close()
    without, with_gists = (
        [_ndcg(names, *one) for one in zip(found, questions, strict=True)] for found in (before, after)
    )
    same = [
        then[: len(turns)] == turns
        for then, now in zip(before, after, strict=True)
        for turns in ([memory for memory in now if memory in names],)
    ]
    return {
        "turns": len(names),
        "questions": len(questions),
        "made": made["make"],
        "levels": levels,
        "nDCG@10 without gists": percent(without),
        "nDCG@10 with gists": percent(with_gists),
        "difference": round(percent(with_gists) - percent(without), 2),
        "difference, 95 %": interval([after - before for after, before in zip(with_gists, without, strict=True)]),
        "gists among the first ten": percent([memory not in names for found in after for memory in found]),
        "answers with the same turns in the same order": percent(same),
        "questions that ask in general": sum(general),
        "the same of the others": percent(
            [one for one, is_general in zip(same, general, strict=True) if not is_general]
        ),
    }


def _draft(row: dict[str, Any]) -> Draft:
    said = row["metadata"] or {}
    kept = {name: said[name] for name in ("session", "speaker") if name in said}
    return Draft(row["content"], {"occurred_at": datetime.fromisoformat(row["occurred_at"]), "metadata": kept})


def _found(store: _Store, question: dict[str, Any]) -> list[UUID]:
    at = datetime.fromisoformat(question["asked_at"])
    found: list[UUID] = store.ask(question["namespace"], question["text"], at)
    return found


def _ndcg(names: dict[UUID, str], found: Sequence[UUID], question: dict[str, Any]) -> float:
    told = [names.get(memory, str(memory)) for memory in found]
    return ranked(told, frozenset(question["gold"]))["ndcg@10"]


if __name__ == "__main__":
    main()
