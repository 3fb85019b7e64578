"""What merging keeps, what it refuses, and what it costs.

- `contradictions`: sentences with one thing changed, plain and reworded; how many are taken to say the same (none
  should be), and how many a floor on the vectors alone would have merged.
- `rewordings`: how many of the rewordings the rules see through.
- `unmerge`: a service on SQLite: all is merged, taken back by an undo, and compared byte by byte.
- `sets`: all merges that the rules find in the sets as they are, by id: to be judged by reading.
- with `--budgets`, in results of its own (`benchmarks._merge_budgets`): memories of a set, each beside up to three
  rewordings (`benchmarks._reworded`; said at the same moment), brought down to 50 % and 35 % of the memories. Recall@10
  of the set's questions: a fact is found if any memory that says it, or stands for one that does, is among the ten
  nearest. Compared at equal bytes: dropping some at random, and merging what the rules find (in a random order, until
  the budget is reached; where the rules find too little the rest is dropped) in each of the ways of
  `benchmarks._merge_ways`; at more bytes, all vectors kept as views of the pivot. Vectors alone, so that nothing else
  answers. Five orders; each way less the mean with a bootstrap interval over questions. Ways were chosen with a look at
  two conversations of locomo_dev alone; the two others, metatool (each fourth question) and the small one of
  factconsolidation are held out.
- with `--cost`, in results of its own: finding what says the same by its words, beside comparing all vectors with all
  (`gpu.ops.near_pairs`), at 10,000 and 100,000 memories.

Run: OMP_NUM_THREADS=1 python -m benchmarks.lifecycle_merge --data FOLDER [--budgets | --cost] (some 5 minutes of a
core). What the model makes of the copies is kept in the folder for temporary files.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sqlalchemy import select

from benchmarks._bank_data import memories
from benchmarks._enlarged import enlarged, real
from benchmarks._merge_budgets import CHOSEN_ON, COPIES, HELD_OUT, SEED, budgets, embedded, told
from benchmarks._results import save
from benchmarks._reworded import contradictions, reworded
from benchmarks.models_data import load
from benchmarks.quality.sets import folders
from gpu.bank.bank import Bank
from gpu.bank.filters import ScanFilter
from gpu.bank.records import Kind
from gpu.ops.near_pairs.op import near_pairs
from lifecycle.merging import MergePolicy, Told, merges
from lifecycle.wording import says_same, wording
from memsvc.core.settings import Settings
from memsvc.db.tenancy import SERVICE
from memsvc.memories.draft import Draft
from memsvc.memories.write import Author
from memsvc.models.tables import EMBEDDING, MEMORY
from memsvc.wiring import Container

SENTENCES, TURNS = 200, 60
SETS = ("locomo_dev", "factconsolidation", "covidqa_global", "hotpotqa")
SIZES = (10_000, 100_000)
THRESHOLD, MOST = 0.9, 8


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the sets")
    parser.add_argument("--budgets", action="store_true", help="what is found of what was merged, instead of all else")
    parser.add_argument("--cost", action="store_true", help="what it takes, instead of what it does")
    parser.add_argument("--size", action="append", type=int, help=f"memories of the cost; default: {SIZES}")
    parser.set_defaults(set=None)
    options = parser.parse_args()
    torch.set_num_threads(1)
    measured = {of for of, *_ in (CHOSEN_ON | HELD_OUT).values()}
    wanted = measured if options.budgets else {folder.name for folder in folders(options)}
    sets = {folder.name: load(folder) for folder in folders(options) if folder.name in wanted}
    command = "OMP_NUM_THREADS=1 python -m benchmarks.lifecycle_merge --data FOLDER"
    if options.cost:
        cost = _cost(sets, folders(options), options.size or SIZES)
        print(save("lifecycle_merge_cost", cost, command=f"{command} --cost", seed=SEED))
        return
    if options.budgets:
        print(save("lifecycle_merge_budgets", budgets(sets), command=f"{command} --budgets", seed=SEED))
        return
    figures: dict[str, Any] = {}
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "sets": lambda: {one: _found_in(sets[one]) for one in SETS},
        "contradictions": lambda: _contradictions(sets),
        "rewordings": lambda: _rewordings(sets),
        "unmerge": lambda: _unmerge(sets["locomo_dev"]),
    }
    for name, measure in parts.items():
        figures[name] = measure()
        print(name, {key: value for key, value in figures[name].items() if key not in SETS}, flush=True)
    print(save("lifecycle_merge", figures, command=command, seed=SEED))


def _rows(of: Any) -> Iterator[tuple[str, Told]]:
    """(id, memory) of a set, as they are."""
    for number, row in enumerate(of.corpus):
        at = None if row["occurred_at"] is None else datetime.fromisoformat(row["occurred_at"])
        moment = at if at is None or at.tzinfo is not None else at.replace(tzinfo=UTC)
        speaker = (row.get("metadata") or {}).get("speaker")
        memory = told(number, row["content"], row["kind"], moment, speaker)
        yield row["id"], replace(memory, circumstances=(*memory.circumstances, row["namespace"]))


def _found_in(of: Any) -> dict[str, Any]:
    """All merges in a set: pivot, member, and whether their letters are the same."""
    begun = time.process_time()
    named = dict(_rows(of))
    ids = {memory.id: name for name, memory in named.items()}
    found = merges(named.values(), MergePolicy())
    return {
        "memories": len(named),
        "ms_a_memory": round((time.process_time() - begun) / len(named) * 1e3, 3),
        "merges": [[ids[one.pivot.id], ids[one.member.id], one.is_exact] for one in found],
    }


def _sentences(sets: dict[str, Any]) -> list[str]:
    """Short texts of two sets."""
    texts = dict.fromkeys(
        row["content"]
        for name in ("locomo_dev", "factconsolidation")
        for row in sets[name].corpus[:: max(1, len(sets[name].corpus) // (3 * SENTENCES))]
        if 20 <= len(row["content"]) <= 300
    )
    return list(texts)[: 4 * SENTENCES]


def _contradictions(sets: dict[str, Any]) -> dict[str, Any]:
    pairs = [
        (text, kind, said)
        for text in _sentences(sets)
        for kind, other in contradictions(text, SEED)
        for said in (other, *reworded(other, SEED, 1))
    ]
    merged = [(text, other) for text, _, other in pairs if says_same(wording(text), wording(other))]
    sample = pairs[:: max(1, len(pairs) // SENTENCES)]
    first, second = (embedded([pair[side] for pair in sample]) for side in (0, 2))
    near = np.sum(first * second, axis=1)
    return {
        "pairs": dict(Counter(kind for _, kind, _ in pairs)),
        "merged": len(merged),
        "which": merged,
        "share_with_vectors_above_the_floor": round(float(np.mean(near >= MergePolicy().floor)), 4),
        "share_with_vectors_above_0.95": round(float(np.mean(near >= 0.95)), 4),
    }


def _rewordings(sets: dict[str, Any]) -> dict[str, Any]:
    pairs = [(text, other) for text in _sentences(sets) for other in reworded(text, SEED, COPIES)]
    seen = [says_same(wording(text), wording(other)) for text, other in pairs]
    sample = [pair for pair, is_seen in zip(pairs, seen, strict=True) if is_seen]
    sample = sample[:: max(1, len(sample) // SENTENCES)]
    first, second = (embedded([pair[side] for pair in sample]) for side in (0, 1))
    near = np.sum(first * second, axis=1)
    return {
        "pairs": len(pairs),
        "seen_through": round(float(np.mean(seen)), 4),
        "likeness_percentiles_0_1_5_50": [round(float(p), 4) for p in np.percentile(near, [0, 1, 5, 50])],
    }


def _unmerge(of: Any) -> dict[str, Any]:
    """Whether everything is as it was after all was merged and taken back."""
    rows = of.corpus[:TURNS]
    drafts = [
        Draft(text, {"kind": int(Kind.SEMANTIC), "tags": [f"t{number % 3}", f"c{copy}"], "importance": copy / 4})
        for number, row in enumerate(rows)
        for copy, text in enumerate((row["content"], *reworded(row["content"], SEED, COPIES)))
    ]
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder), database_url=f"sqlite:///{folder}/bench.db",
            reranker="none", jobs="off",
        )  # fmt: skip
        container = Container(settings)
        try:
            principal = container.keys.anonymous
            if principal is None:
                raise RuntimeError("the service asks for keys")
            author = Author(principal.tenant_id, "bench")
            for start in range(0, len(drafts), 200):
                container.remember(author, "bench", drafts[start : start + 200])
            before = _everything(container)
            container.jobs.set_care(author.tenant_id, "bench", {"share_per_run": 1.0}, {})
            run = container.jobs.ask(author, "bench", "merge", is_dry=False).run
            begun = time.perf_counter()
            container.scheduler.round()
            took = time.perf_counter() - begun
            merged = container.jobs.one(author.tenant_id, run.id, lambda path: True).run.counts
            between = _everything(container)
            container.jobs.undo(author, run.id, lambda path: True)
            container.scheduler.round()
            return {
                "memories": len(drafts),
                "merged": merged,
                "s": round(took, 2),
                "changed_by_the_merge": before != between,
                "bytes_restored": before == _everything(container),
                "bank_equals_database": all(verdict.equal for verdict in container.keeper.verify()),
            }
        finally:
            container.close()


def _everything(container: Container) -> bytes:
    """A digest of all columns of memories, but for number and time of their last version, and of all vectors."""
    digest = hashlib.sha256()
    columns = [column for column in MEMORY.c if column.name not in ("version", "updated_at")]
    with container.database.read(SERVICE) as connection:
        for row in connection.execute(select(*columns).order_by(MEMORY.c.id)):
            digest.update(repr(tuple(row)).encode())
        for row in connection.execute(select(EMBEDDING).order_by(EMBEDDING.c.memory_id, EMBEDDING.c.view)):
            digest.update(repr(tuple(row)).encode())
    return digest.digest()


def _cost(sets: dict[str, Any], where: list[Path], sizes: Sequence[int]) -> dict[str, Any]:
    texts = [row["content"] for name in ("locomo_dev", "factconsolidation") for row in sets[name].corpus]
    rows = real(where).rows
    figures: dict[str, Any] = {}
    for size in sizes:
        some = [f"{texts[n % len(texts)]} Number {n // 2 % (size // 4)}." for n in range(size)]
        begun = time.perf_counter()
        told = [told(number, text, "semantic", None, None) for number, text in enumerate(some)]
        read = time.perf_counter() - begun
        found = merges(told, MergePolicy())
        looked_up = time.perf_counter() - begun - read
        del told
        bank = Bank().open("bench", rows.shape[1])
        bank.put(replace(memories(size, rows.shape[1], SEED), vectors=enlarged(rows, size, SEED)))
        with bank.view(ScanFilter()) as view:
            (segment, _, mask), *_ = view.segments()
            begun = time.perf_counter()
            pairs = near_pairs(segment, THRESHOLD, MOST, mask)
            compared = time.perf_counter() - begun
        figures[str(size)] = {
            "words_read_s": round(read, 2),
            "looked_up_s": round(looked_up, 2),
            "merges": len(found),
            "near_pairs_s": round(compared, 2),
            "near_pairs": len(pairs),
        }
    return figures


if __name__ == "__main__":
    main()
