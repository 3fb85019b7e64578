"""Reads development sets and loads them into a bank, for the benchmarks of models and fusion.

A set is a folder with `corpus.jsonl.gz` (id, namespace, kind, content, metadata) and `queries.jsonl.gz` (id,
namespace, text, gold, type, metadata). Questions see only their own namespace, and only rows of earlier sessions where
rows carry a `session_index`.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.records import NEVER_US, UNKNOWN_US, RecordBatch, empty_columns
from retrieval.types import Terms

SETS = ("locomo_dev", "epbench_olmo", "realmem", "covidqa_global", "hotpotqa", "metatool", "gorilla")
"""The sets over which figures are averaged."""


@dataclass(slots=True)
class Episode:
    """Questions that see the same rows of one namespace: rows `added` come on top of those of the episode before."""

    namespace: str
    added: list[int]
    asked: list[int]
    fresh: bool


@dataclass(slots=True)
class DataSet:
    """One set, as it lies on disk."""

    name: str
    corpus: list[dict[str, Any]]
    queries: list[dict[str, Any]]
    episodes: list[Episode] = field(default_factory=list)


def load(folder: Path) -> DataSet:
    """Reads a set and works out which question sees which rows."""
    data = DataSet(folder.name, _rows(folder / "corpus.jsonl.gz"), _rows(folder / "queries.jsonl.gz"))
    rows, asked = defaultdict(list), defaultdict(list)
    for at, row in enumerate(data.corpus):
        rows[row["namespace"]].append(at)
    for at, query in enumerate(data.queries):
        asked[query["namespace"]].append(at)
    for namespace, queries in asked.items():
        data.episodes.extend(_episodes(data, namespace, rows[namespace], queries))
    return data


def _episodes(data: DataSet, namespace: str, rows: list[int], asked: list[int]) -> Iterator[Episode]:
    def session(item: dict[str, Any]) -> int | None:
        index = item.get("metadata", {}).get("session_index")
        return None if index is None else int(index)

    if session(data.queries[asked[0]]) is None:
        yield Episode(namespace, rows, asked, fresh=True)
        return
    seen, fresh = -1, True
    for now in sorted({session(data.queries[at]) or 0 for at in asked}):
        added = [at for at in rows if seen <= (session(data.corpus[at]) or 0) < now]
        yield Episode(namespace, added, [at for at in asked if session(data.queries[at]) == now], fresh)
        seen, fresh = now, False


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path) as stream:
        return [orjson.loads(line) for line in stream]


def records(numbers: list[int], terms: list[Terms], views: list[NDArray[np.float32]]) -> RecordBatch:
    """Rows as the bank takes them; a memory's id is its number in the corpus, plus one."""
    n = len(numbers)
    unknown, never = np.full(n, UNKNOWN_US, np.int64), np.full(n, NEVER_US, np.int64)
    zeros = np.zeros(n, np.float32)
    return RecordBatch(
        memory_ids=ids_of(numbers),
        versions=np.ones(n, np.int32),
        kinds=np.zeros(n, np.uint8),
        states=np.zeros(n, np.uint8),
        occurred_us=unknown,
        valid_from_us=unknown,
        valid_to_us=never,
        recorded_from_us=np.zeros(n, np.int64),
        recorded_to_us=never,
        expires_us=never,
        importances=zeros,
        stabilities=zeros,
        trusts=zeros,
        last_recalled_us=unknown,
        lengths=np.array([t.length for t in terms], np.uint32),
        pairs=np.empty(0, np.uint64),
        pair_offsets=np.zeros(n + 1, np.int64),
        term_ids=np.concatenate([t.ids for t in terms]),
        term_freqs=np.concatenate([t.freqs for t in terms]),
        term_offsets=_offsets([t.ids.size for t in terms]),
        entity_ids=np.empty(0, np.uint64),
        entity_offsets=np.zeros(n + 1, np.int64),
        vectors=np.concatenate(views).astype(np.float16),
        view_offsets=_offsets([len(v) for v in views]),
        **empty_columns(n),
    )


def ids_of(numbers: list[int]) -> NDArray[np.uint8]:
    """Memory ids by corpus numbers, uint8 `[n, 16]`; in the order of the numbers."""
    ids = np.zeros((len(numbers), 16), np.uint8)
    ids[:, 8:] = (np.asarray(numbers, np.uint64) + np.uint64(1)).astype(">u8").view(np.uint8).reshape(-1, 8)
    return ids


def empty_bank(dim: int) -> NamespaceBank:
    """A namespace without memories."""
    return NamespaceBank(PagePool(), dim)


def number_of(memory_id: bytes) -> int:
    """The corpus number behind an id that `records` made."""
    return int.from_bytes(memory_id[8:]) - 1


def _offsets(counts: list[int]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
