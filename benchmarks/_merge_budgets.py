"""What is found of what was merged, at equal bytes, by the way of merging; see `benchmarks.lifecycle_merge`."""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from benchmarks._merge_ways import WAYS, Way, as_coded
from benchmarks._reworded import reworded
from benchmarks.quality import measures
from gpu.bank.layouts import Tier
from gpu.bank.records import Kind
from lifecycle.merging import Merge, MergePolicy, Told, merges
from lifecycle.wording import wording
from retrieval.analysis.folding import folded_text
from retrieval.embedders import packaged

SEED, COPIES, TOP_K, ORDERS = 7, 3, 10, 5
BUDGETS = (0.5, 0.35)
CHOSEN_ON = {"conv-26, conv-30": ("locomo_dev", ("conv-26", "conv-30"), 1)}
HELD_OUT = {
    "conv-41": ("locomo_dev", ("conv-41",), 1),
    "conv-42": ("locomo_dev", ("conv-42",), 1),
    "metatool": ("metatool", ("metatool",), 4),
    "factconsolidation": ("factconsolidation", ("fc_6k",), 1),
}
"""By name: the set, namespaces of it, and the step in which its questions are taken."""
AGAINST = "mean"
_CROWD, _AT_A_TIME = 20, 64
_THEN = datetime(2026, 1, 1, tzinfo=UTC)

Seen = NDArray[np.float64]
"""Recall of each order and question, `[orders, questions]`."""


@dataclass(frozen=True, slots=True)
class _Copies:
    """Memories beside their rewordings.

    Attributes:
        says, home, vectors: what each memory says (the place of the row it is a wording of), its namespace, its vector.
        found: what the rules would merge.
        questions, inside, gold: vectors, namespaces, and the rows that answer.
    """

    says: NDArray[np.int64]
    home: NDArray[np.int64]
    vectors: NDArray[np.float64]
    found: list[Merge]
    questions: NDArray[np.float32]
    inside: NDArray[np.int64]
    gold: list[set[int]]


def told(number: int, text: str, kind: str, at: datetime | None, speaker: str | None) -> Told:
    """A text as merging sees it."""
    digest = hashlib.sha256(folded_text(text).encode()).digest()
    says = wording(text, speaker)
    return Told(UUID(int=number), Kind[kind.upper()], says, (speaker,), digest, at, at or _THEN, 0, 1.0, 0.5)


def embedded(texts: Sequence[str]) -> NDArray[np.float32]:
    """First views of texts, float32 `[n, dim]`; kept in the folder for temporary files."""
    name = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / f"memsvc-bench-merge-{name}.npy"
    if kept.exists():
        found: NDArray[np.float32] = np.load(kept, allow_pickle=False)
        return found
    embedder = packaged.load()
    made = [
        views[0]
        for start in range(0, len(texts), _AT_A_TIME)
        for views in embedder.embed_documents(list(texts[start : start + _AT_A_TIME]))
    ]
    vectors = np.stack(made).astype(np.float32)
    partial = kept.with_name(f"partial-{kept.name}")
    np.save(partial, vectors)
    partial.rename(kept)
    return vectors


def budgets(sets: Mapping[str, Any]) -> dict[str, Any]:
    """All ways at all budgets: on what they were chosen with, on what was held out, and on all of that together."""
    figures: dict[str, Any] = {}
    held_out: defaultdict[float, list[dict[str, Seen]]] = defaultdict(list)
    for name, (of, inside, step) in (CHOSEN_ON | HELD_OUT).items():
        copies = _copies(sets[of], inside, step)
        n = len(copies.says)
        nothing = _recall(copies, _Kept(copies.vectors, np.arange(n)))
        figures[name] = {
            "memories": n,
            "questions": len(copies.gold),
            "merges_found": len(copies.found),
            "nothing_done": measures.percent(nothing),
        }
        for budget in BUDGETS:
            seen = {way: _seen(copies, WAYS[way], int(budget * n)) for way in WAYS}
            figures[name][str(budget)] = _compared(seen)
            if name in HELD_OUT:
                held_out[budget].append(seen)
        print(name, figures[name], flush=True)
    figures["held out"] = {
        str(budget): _compared({way: np.concatenate([one[way] for one in seen], axis=1) for way in WAYS})
        for budget, seen in held_out.items()
    }
    return figures


def _compared(seen: Mapping[str, Seen]) -> dict[str, Any]:
    """By way: recall in percent, its deviation between orders, what it is more than the mean, and the 95 % interval."""
    figures: dict[str, Any] = {}
    for way, of in seen.items():
        apart = (of - seen[AGAINST]).mean(axis=0).tolist()  # a question's difference is its mean over the orders
        figures[way] = {
            "recall": measures.percent(of.mean(axis=0).tolist()),
            "deviation": round(100 * float(of.mean(axis=1).std()), 2),
            "less mean": [measures.percent(apart), *measures.interval(apart)],
        }
    return figures


def _copies(of: Any, inside: Sequence[str], step: int) -> _Copies:
    rows = [row for row in of.corpus if row["namespace"] in inside]
    places = {row["id"]: number for number, row in enumerate(rows)}
    asked = [
        query
        for query in of.queries
        if query["namespace"] in inside
        and query["type"] != "adversarial"
        and query["gold"]
        and places.keys() >= set(query["gold"])
    ][::step]
    texts, says, every = list[str](), list[int](), list[Told]()
    for number, row in enumerate(rows):
        at = None if row["occurred_at"] is None else datetime.fromisoformat(row["occurred_at"])
        for text in (row["content"], *reworded(row["content"], SEED, COPIES)):
            every.append(told(len(texts), text, row["kind"], at, (row.get("metadata") or {}).get("speaker")))
            texts.append(text)
            says.append(number)
    embedder = packaged.load()
    return _Copies(
        np.array(says),
        np.array([inside.index(row["namespace"]) for row in rows])[says],
        embedded(texts).astype(np.float64),
        merges(every, MergePolicy()),
        np.stack([embedder.embed_query(query["text"]) for query in asked]),
        np.array([inside.index(query["namespace"]) for query in asked]),
        [{places[one] for one in query["gold"]} for query in asked],
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is left: vectors `[v, dim]`, and the memory that each belongs to."""

    vectors: NDArray[np.floating]
    units: NDArray[np.int64]


def _seen(copies: _Copies, way: Way, keep: int) -> Seen:
    keep = min(len(copies.says), 2 * keep) if way.all_coded else keep
    made: dict[tuple[int, ...], NDArray[np.float64]] = {}
    crowd = _crowd(copies) if way.first_crowded else None
    orders = (np.random.default_rng(SEED + order) for order in range(ORDERS))
    return np.array([_recall(copies, _kept(copies, way, keep, rng, made, crowd)) for rng in orders])


def _kept(
    copies: _Copies,
    way: Way,
    keep: int,
    rng: np.random.Generator,
    made: dict[tuple[int, ...], NDArray[np.float64]],
    crowd: NDArray[np.int64] | None,
) -> _Kept:
    """What a way leaves of all copies: merged until the budget is reached; what the rules do not reach is dropped."""
    left = set(range(len(copies.says)))
    sets: defaultdict[int, list[int]] = defaultdict(list)
    order = rng.permutation(len(copies.found)) if way.merges else np.empty(0, np.int64)
    if crowd is not None:
        order = order[np.argsort(-crowd[[copies.found[place].pivot.id.int for place in order]], kind="stable")]
    for place in order:
        if len(left) > keep:
            one = copies.found[place]
            left.discard(one.member.id.int)
            sets[one.pivot.id.int].append(one.member.id.int)
    for place in rng.permutation(sorted(left))[: max(0, len(left) - keep)]:
        left.discard(int(place))
    vectors, units, is_merged = list[NDArray[np.float64]](), list[int](), list[bool]()
    for place in sorted(left):
        rows = copies.vectors[[place]]
        if place in sets:
            key = (place, *sorted(sets[place]))
            if key not in made:
                made[key] = way.rows(copies.vectors[list(key)])
            rows = made[key]
        vectors.append(rows)
        units += [place] * len(rows)
        is_merged += [place in sets] * len(rows)
    stacked = np.concatenate(vectors).astype(np.float32)
    if way.all_coded:
        stacked = as_coded(stacked, Tier.INT8)
    elif way.tier is not None:
        stacked[is_merged] = as_coded(stacked[is_merged], way.tier)
    return _Kept(stacked, np.array(units))


def _crowd(copies: _Copies) -> NDArray[np.int64]:
    """By pivot, how often it and its members are among the nearest of memories that say something else."""
    n = len(copies.says)
    group = np.arange(n)
    for one in copies.found:
        group[one.member.id.int] = one.pivot.id.int
    near = (copies.vectors @ copies.vectors.T).astype(np.float32)
    near[(copies.home[:, None] != copies.home) | (group[:, None] == group)] = -np.inf
    nearest = np.argpartition(-near, min(_CROWD, n - 1), axis=1)[:, :_CROWD]
    return np.bincount(group[nearest.ravel()], minlength=n)


def _recall(copies: _Copies, kept: _Kept) -> list[float]:
    """By question, the part of its facts that some memory among the nearest says, or stands for one that does."""
    scores = copies.questions @ kept.vectors.astype(np.float32).T
    scores[copies.inside[:, None] != copies.home[kept.units]] = -np.inf
    found = []
    for row, gold in zip(scores, copies.gold, strict=True):
        best: dict[int, None] = {}
        for place in np.argsort(-row)[: TOP_K * (COPIES + 1) * 2]:
            best.setdefault(int(kept.units[place]))
            if len(best) == TOP_K:
                break
        found.append(len(gold & {int(copies.says[unit]) for unit in best}) / len(gold))
    return found
