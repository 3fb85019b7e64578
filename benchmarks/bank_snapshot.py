"""Whether a snapshot of the bank beside the database would make a start faster: the same namespace, loaded both ways.

    OMP_NUM_THREADS=1 python -m benchmarks.bank_snapshot [--memories 100000]

From the database as a start does it; and from one file with the columns that a load ends in, checked (BLAKE2b over all
of it) and put into a bank. Both ways end in `put`, whose share is told. In turn, in one process, from the page cache.
No part of the service reads or writes such a file: docs/decisions/0041 says why.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _load
from benchmarks._results import save
from gpu.bank.bank import Bank
from gpu.bank.records import RecordBatch
from memsvc.core.settings import Settings
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE
from memsvc.filters.pairs import MADE
from memsvc.index.keeper import Keeper
from memsvc.index.loader import load_namespace
from memsvc.memories.draft import Draft
from memsvc.memories.write import Author
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from memsvc.wiring import Container

_BATCH, _ROUNDS, _DIGEST = 1_000, 5, 32
_NAMES = tuple(column.name for column in fields(RecordBatch))


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--memories", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memsvc-snapshot-") as made:
        settings = Settings(data_dir=Path(made), embedder="hashing:384", reranker="none", jobs="off")
        _fill(settings, options.memories)
        figures = _measured(settings, Path(made) / "bank")
    print(figures)
    save("bank_snapshot", figures, command=f"python -m benchmarks.bank_snapshot --memories {options.memories}")


def _fill(settings: Settings, n: int) -> None:
    container = Container(settings)
    try:
        principal = container.keys.anonymous
        if principal is None:
            raise RuntimeError("open mode has a caller without a key")
        texts = _load.make(n, 1).texts
        for start in range(0, n, _BATCH):
            drafts = [Draft(text) for text in texts[start : start + _BATCH]]
            container.remember(Author(principal.tenant_id, "bench"), "bench/large", drafts)
    finally:
        container.close()


def _measured(settings: Settings, file: Path) -> dict[str, Any]:
    database = Database(settings.url)
    try:
        with database.read(SERVICE) as connection:
            (namespace,) = namespaces.every(connection)
            dim = namespaces.space(connection, namespace.space_id)[1]
            batches = list(load_namespace(connection, namespace, dim))
        _write(file, batches)
        size, written = file.stat().st_size, sum(len(batch) for batch in batches)
        ways: dict[str, Callable[[], object]] = {
            "database": lambda: Keeper(database, Bank(repeating=MADE)).load_all(),
            "snapshot": lambda: _put(namespace, dim, _read(file)),
            "read_and_check_snapshot": lambda: _read(file),
            "put_alone": lambda: _put(namespace, dim, batches),
        }
        spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(_ROUNDS):
            for name, way in ways.items():
                wall, processor = time.perf_counter(), time.process_time()
                way()
                spent[name].append((time.perf_counter() - wall, time.process_time() - processor))
    finally:
        database.close()
    told = {
        name: {
            "s": round(statistics.median(wall for wall, _ in found), 3),
            "processor_s": round(statistics.median(processor for _, processor in found), 3),
            "processor_s_of_rounds": [round(processor, 3) for _, processor in found],
        }
        for name, found in spent.items()
    }
    ratio = told["database"]["processor_s"] / told["snapshot"]["processor_s"]
    return {"versions": written, "snapshot_bytes": size, "rounds": _ROUNDS, **told, "processor_ratio": round(ratio, 2)}


def _put(namespace: NamespaceRow, dim: int, batches: Sequence[RecordBatch]) -> int:
    fresh = Bank(repeating=MADE).open(namespace.key, dim)
    for batch in batches:
        fresh.put(batch)
    return len(fresh)


def _write(file: Path, batches: Sequence[RecordBatch]) -> None:
    body = BytesIO()
    for batch in batches:
        for name in _NAMES:
            np.save(body, getattr(batch, name), allow_pickle=False)
    file.write_bytes(hashlib.blake2b(body.getvalue(), digest_size=_DIGEST).digest() + body.getvalue())


def _read(file: Path) -> list[RecordBatch]:
    whole = memoryview(file.read_bytes())
    if hashlib.blake2b(whole[_DIGEST:], digest_size=_DIGEST).digest() != whole[:_DIGEST]:
        raise ValueError("the snapshot is torn")
    body, found = BytesIO(whole[_DIGEST:]), []
    while body.tell() < len(whole) - _DIGEST:
        found.append(RecordBatch(**{name: np.load(body, allow_pickle=False) for name in _NAMES}))
    return found


if __name__ == "__main__":
    main()
