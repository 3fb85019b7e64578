"""Real embeddings, and many more of their like: what an approximate index must be judged on.

Random vectors say nothing about recall: none is near another. Here about 2,000 texts of the development sets are
embedded with the packaged model (the first 500 characters, first view, no context) together with some of their
questions. A further row is a convex mixture of a real one with one of its eight nearest, weights uniform, plus noise
with the covariance of the real rows and about a third of their length, brought back to unit length. How near the
nearest other row is, is among the figures (`nearest_cosine`).
"""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.models_data import load
from retrieval.embedders import packaged

TEXTS, QUESTIONS, CHARACTERS = 2_000, 100, 500
_NEIGHBOURS = 8
_NOISE = 0.35
_CHUNK = 20_000
_AT_A_TIME = 64


@dataclass(frozen=True, slots=True)
class Real:
    """Unit rows: `rows` float32 `[n, dim]` of texts, `questions` float32 `[q, dim]`."""

    rows: NDArray[np.float32]
    questions: NDArray[np.float32]


def real(folders: list[Path]) -> Real:
    """Embeds texts and questions, evenly from the sets; kept in the folder for temporary files."""
    name = hashlib.sha256(repr([str(f) for f in folders] + [TEXTS, QUESTIONS, CHARACTERS]).encode()).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / f"memsvc-bench-embedded-{name}.npz"
    if not kept.exists():
        fresh = embedded(folders, TEXTS, QUESTIONS)
        partial = kept.with_name(f"partial-{kept.name}")
        np.savez(partial, rows=fresh.rows, questions=fresh.questions)
        partial.rename(kept)
    with np.load(kept, allow_pickle=False) as found:
        return Real(found["rows"], found["questions"])


def embedded(folders: list[Path], n_texts: int, n_questions: int) -> Real:
    """The same, embedded anew."""
    sets = [load(folder) for folder in folders]
    texts = _evenly([[row["content"][:CHARACTERS] for row in one.corpus] for one in sets], n_texts)
    questions = _evenly([[query["text"] for query in one.queries] for one in sets], n_questions)
    embedder = packaged.load()
    rows = [
        views[0]
        for at in range(0, len(texts), _AT_A_TIME)
        for views in embedder.embed_documents(texts[at : at + _AT_A_TIME])
    ]
    return Real(np.stack(rows), np.stack([embedder.embed_query(question) for question in questions]))


def _evenly(lists: list[list[str]], count: int) -> list[str]:
    """Distinct texts, as many of each list as there are, up to an equal share; those that are left go to the others."""
    taken: dict[str, None] = {}
    spread = [one[:: max(1, len(one) // count)] for one in lists]
    for text in itertools.chain.from_iterable(itertools.zip_longest(*spread)):
        if text and len(taken) < count:
            taken[text] = None
    return list(taken)


def enlarged(rows: NDArray[np.float32], n: int, seed: int) -> NDArray[np.float16]:
    """`n` rows like these, half precision `[n, dim]`: the real ones first, then mixtures of neighbours."""
    rng = np.random.default_rng(seed)
    likeness = rows @ rows.T
    np.fill_diagonal(likeness, -np.inf)
    near = np.argpartition(likeness, -_NEIGHBOURS, axis=1)[:, -_NEIGHBOURS:]
    spread = (rows - rows.mean(axis=0)) / np.float32(np.sqrt(rows.shape[0]))
    out = np.empty((n, rows.shape[1]), np.float16)
    out[: rows.shape[0]] = rows[:n]
    for at in range(rows.shape[0], n, _CHUNK):
        k = min(_CHUNK, n - at)
        first = rng.integers(0, rows.shape[0], k)
        second = near[first, rng.integers(0, _NEIGHBOURS, k)]
        share = rng.random((k, 1), dtype=np.float32)
        noise = rng.standard_normal((k, rows.shape[0]), dtype=np.float32) @ spread
        noise *= np.float32(_NOISE) / np.linalg.norm(noise, axis=1, keepdims=True)
        mixed = share * rows[first] + (1 - share) * rows[second] + noise
        out[at : at + k] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return out


def nearest_cosine(rows: NDArray[Any], sample: int = 500) -> float:
    """Median over the first rows of the cosine with the nearest other row."""
    some = rows[:: max(1, rows.shape[0] // sample)][:sample].astype(np.float32)
    likeness = np.concatenate(
        [some @ rows[at : at + _CHUNK].astype(np.float32).T for at in range(0, rows.shape[0], _CHUNK)], axis=1
    )
    return float(np.median(np.partition(likeness, -2, axis=1)[:, -2]))
