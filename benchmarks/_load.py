"""Fills namespaces over HTTP with memories whose vectors are given, and knows what was put in."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks._http import Client
from benchmarks._texts import Corpus, Fact
from retrieval.embedders import packaged

BATCH = 1000
FACTS = 400
QUESTIONS = 6000
SHARES = {"one": 0.01, "ten": 0.10, "half": 0.50}
"""Values of `metadata.project`, and the share of the memories that have each; the others have `rest`."""
SIZES = 100
"""`metadata.size` is uniform over the whole numbers below this."""
FIRST_DAY = datetime(2023, 1, 1, tzinfo=UTC)
DAYS = 1000
"""`occurred_at` is uniform over so many days from `FIRST_DAY`."""


@dataclass(frozen=True, slots=True)
class Memories:
    """What goes into a namespace; memory `i` has the external id `m<i>`.

    Attributes:
        texts, vectors: content, and float32 `[n, dim]` unit rows.
        projects, sizes, occurred: the values that filters ask for.
        facts: sentences with a question each; fact `j` is memory `fact_places[j]`.
        questions: other questions, all different.
    """

    texts: list[str]
    vectors: NDArray[np.float32]
    projects: NDArray[np.str_]
    sizes: NDArray[np.int64]
    occurred: list[datetime]
    facts: list[Fact]
    fact_places: NDArray[np.int64]
    questions: list[str]

    def rows(self, at: int, until: int) -> list[dict[str, Any]]:
        """Some of them as a batch carries them."""
        return [
            {
                "content": self.texts[i],
                "external_id": f"m{i}",
                "kind": "episodic",
                "occurred_at": self.occurred[i].isoformat(),
                "metadata": {"project": str(self.projects[i]), "size": int(self.sizes[i])},
                "embedding": self.vectors[i],
            }
            for i in range(at, min(until, len(self.texts)))
        ]


def make(n: int, seed: int) -> Memories:
    """`n` memories of 25 words, a few hundred of them facts; the same for the same seed."""
    corpus = Corpus(seed, packaged.load())
    n_facts = min(FACTS, n // 10)
    texts, vectors = corpus.texts(n)
    facts, fact_vectors = corpus.facts(n_facts)
    rng = np.random.default_rng(seed)
    places = np.sort(rng.choice(n, n_facts, replace=False))
    for place, fact in zip(places.tolist(), facts, strict=True):
        texts[place] = fact.text
    vectors[places] = fact_vectors
    dice = rng.random(n)
    bounds = np.cumsum(list(SHARES.values()))
    projects = np.array([*SHARES, "rest"])[np.searchsorted(bounds, dice, side="right")]
    occurred = [FIRST_DAY + timedelta(seconds=int(s)) for s in rng.integers(0, DAYS * 86_400, n)]
    vectors = np.round(vectors, 6)  # what a client sends: nine characters a number
    return Memories(
        texts, vectors, projects, rng.integers(0, SIZES, n), occurred, facts, places, corpus.questions(QUESTIONS)
    )


def batches(namespace: str, memories: Memories) -> Iterator[bytes]:
    """Bodies of `/v1/memories:batch`, encoded."""
    for at in range(0, len(memories.texts), BATCH):
        yield encoded({"namespace": namespace, "memories": memories.rows(at, at + BATCH)})


def encoded(body: dict[str, Any]) -> bytes:
    """A body with arrays in it as JSON."""
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def load(client: Client, bodies: Iterator[bytes], say: str) -> float:
    """Post batches one after the other; returns the seconds that the service took. Making the bodies is not timed.

    Raises:
        RuntimeError: an item was refused.
    """
    spent = 0.0
    for number, body in enumerate(bodies, start=1):
        begun = time.perf_counter()
        answer = client.post("/v1/memories:batch", body)
        spent += time.perf_counter() - begun
        refused = [item for item in answer["items"] if item["status"] >= 300]
        if refused:
            raise RuntimeError(f"{len(refused)} memories were refused, the first: {refused[0]}")
        if number % 20 == 0:
            print(f"  {say}: {number} batches in {spent:.1f} s", flush=True)
    return spent


def fill(client: Client, namespace: str, memories: Memories) -> float:
    """Load all memories into a namespace; see `load`."""
    return load(client, batches(namespace, memories), namespace)


def database_bytes(data_dir: Path) -> int:
    """Size of the SQLite file with its log."""
    return sum(path.stat().st_size for path in data_dir.glob("memsvc.db*"))


def recall_bodies(namespace: str, questions: Sequence[str], **more: Any) -> list[dict[str, Any]]:
    """Recalls of one namespace that tell how long each part took."""
    return [{"namespace": namespace, "query": question, "explain": True, **more} for question in questions]
