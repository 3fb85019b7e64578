"""Coarse search beside the exact search of the same rows: how much faster, and how much of the answer it finds.

Rows are real embeddings, enlarged (`gpu.bench.enlarged`), and queries are real questions:

    python -m benchmarks.bank_embeddings --data DATA --out embeddings.npz      # where the texts and the model are
    MEMSVC_BENCH_EMBEDDINGS=embeddings.npz python -m gpu.bench --op coarse_search

recall@10 is the share of the ten exact best that a search finds, over up to 200 questions of the file, one at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import torch

from gpu.bank.layouts import Tier, code_bytes
from gpu.bank.pages import PagePool
from gpu.bank.segment import Segment
from gpu.bench import enlarged
from gpu.bench.namespaces import batch_of
from gpu.bench.results import Measured
from gpu.bench.timing import events_ms, graph_ms, wait_for
from gpu.device.coded import CodedRows
from gpu.device.mirror import DeviceRows
from gpu.device.pool import DevicePool
from gpu.ops.coarse_search.op import Found, Plan, coarse_search, launch, plan
from gpu.ops.paged_search import op as exact

K = 10
_BESIDE_CODES = 8
"""Bytes of a row that a scan reads beside its code: slot and scale."""
_WRITTEN_AT_ONCE = 500_000
_SPARE = 1.05
"""Room in a pool for pages that are not full."""
_LEAST_POOL = 4 << 20
_TOLERANCE = 2e-5
_QUESTIONS = 200
"""Questions that recall is measured on: so many that a tenth of a point is two memories."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows of one namespace in one tier, how many questions are asked at once, and how much faster than exact to be."""

    name: str
    tier: Tier
    n: int
    at_once: int = 1
    in_host_memory: bool = False
    aim: float | None = None


SHAPES = (
    Shape("int8, 1 query, one of 1,000,000", Tier.INT8, 1_000_000, aim=1.7),
    Shape("int8, 64 queries, one of 1,000,000", Tier.INT8, 1_000_000, at_once=64),
    Shape("1 bit + rescoring, 1 query, one of 1,000,000", Tier.BIT1, 1_000_000),
    Shape("1 bit + rescoring, 1 query, one of 10,000,000", Tier.BIT1, 10_000_000, aim=5.0),
    Shape(
        "1 bit + rescoring, exact rows in host memory, 1 query, one of 10,000,000",
        Tier.BIT1,
        10_000_000,
        in_host_memory=True,
    ),
)


class Made:
    """One namespace: its vectors as a plain tensor, and its mirrors, made when they are first asked for.

    Written through a segment of the host's bank, so that its pages lie as they would in use.

    Attributes:
        vectors: half precision `[n, dim]` on the device, one for each memory.
        encoded_rows_per_s: how fast each tier was made.
    """

    def __init__(self, vectors: torch.Tensor) -> None:
        self.vectors = vectors
        self._segment = Segment(PagePool(), vectors.shape[1])
        for start in range(0, len(vectors), _WRITTEN_AT_ONCE):
            self._segment.append(batch_of(vectors[start : start + _WRITTEN_AT_ONCE].cpu().numpy(), start))
        self._seen = self._segment.snapshot(1)
        self._exact: dict[bool, DeviceRows] = {}
        self._coded: dict[Tier, CodedRows] = {}
        self.encoded_rows_per_s: dict[Tier, float] = {}

    def exact(self, *, in_host_memory: bool) -> DeviceRows:
        """Vectors as the host has them."""
        if in_host_memory not in self._exact:
            pool = self._pool(2 * self.vectors.shape[1] + 4, in_host_memory=in_host_memory)
            self._exact[in_host_memory] = DeviceRows(pool, self._segment)
            self._exact[in_host_memory].follow(self._seen)
        return self._exact[in_host_memory]

    def coded(self, tier: Tier) -> CodedRows:
        """Codes of a tier."""
        if tier not in self._coded:
            exact = self.exact(in_host_memory=False)  # encoded from there, as in a bank that has both
            self._coded[tier] = CodedRows(
                self._pool(code_bytes(tier, self.vectors.shape[1]) + 12), self._segment, tier=tier, exact=exact
            )
            wait_for(self.vectors.device)
            begun = time.perf_counter()
            self._coded[tier].follow(self._seen)
            wait_for(self.vectors.device)
            self.encoded_rows_per_s[tier] = len(self.vectors) / (time.perf_counter() - begun)
        return self._coded[tier]

    def plan(self, shape: Shape, at_once: int) -> Plan:
        """Some searches of it."""
        rows = self.exact(in_host_memory=shape.in_host_memory).rows
        return plan([self.coded(shape.tier).coded] * at_once, [rows] * at_once, K)

    def _pool(self, row_bytes: int, *, in_host_memory: bool = False) -> DevicePool:
        size = int(len(self.vectors) * row_bytes * _SPARE) + _LEAST_POOL
        return DevicePool(self.vectors.device, size, in_host_memory=in_host_memory)


def run(bytes_per_ms: float) -> Iterator[Measured]:
    """Every shape: checked, then timed. Nothing where there is no file of real embeddings.

    Raises:
        AssertionError: a score is not the exact one, or what is called complete is not.
    """
    real = enlarged.real(torch.device("cuda"))
    if real is None:
        print(f"coarse_search is left out: {enlarged.VARIABLE} names no file of embeddings")
        return
    questions = real.questions[torch.linspace(0, len(real.questions) - 1, _QUESTIONS).long()]
    for n, shapes in groupby(SHAPES, lambda shape: shape.n):
        made = Made(enlarged.enlarged(real.rows, n))
        for shape in shapes:
            yield measure(shape, made, questions, bytes_per_ms)
        del made
        torch.cuda.empty_cache()


def measure(shape: Shape, made: Made, questions: torch.Tensor, bytes_per_ms: float) -> Measured:
    """One shape: checked, then timed."""
    found = recall(questions, made, shape)
    asked = questions[: shape.at_once].contiguous()
    batch = made.plan(shape, shape.at_once)
    ms = graph_ms(partial(launch, asked, batch, K))
    read = shape.n * (code_bytes(shape.tier, asked.shape[1]) + _BESIDE_CODES)
    more: dict[str, float | None] = {
        "whole_call_ms": events_ms(partial(coarse_search, asked, batch, K)),
        "recall_at_10": found.recall,
        "proved_complete": found.complete,
        "candidates": float(batch.candidates),
        "rows_of_a_candidate": float(batch.part),
        "encoded_rows_per_s": made.encoded_rows_per_s[shape.tier],
        "code_bytes_per_row": made.coded(shape.tier).memory_bytes / shape.n,
    }
    if not shape.in_host_memory:
        exact_batch = exact.plan([made.exact(in_host_memory=False).rows] * shape.at_once)
        exact_ms = graph_ms(partial(exact.launch, asked, exact_batch, K))
        more |= {"exact_ms": exact_ms, "times_faster": exact_ms / ms, "aim_times_faster": shape.aim}
    return Measured("coarse_search", shape.name, ms, read / bytes_per_ms, None, more)


@dataclass(frozen=True, slots=True)
class Recalled:
    """Shares of 1: of the exact best that are found, and of the searches that prove to have found them all."""

    recall: float
    complete: float


def recall(questions: torch.Tensor, made: Made, shape: Shape) -> Recalled:
    """Asks questions one at a time, and compares with a plain search of all rows.

    Raises:
        AssertionError: see `run`.
    """
    best = best_scores(questions, made.vectors)
    batch = made.plan(shape, 1)
    hits, complete = 0, 0
    for i in range(len(questions)):
        found = coarse_search(questions[i : i + 1], batch, K)
        hits += _checked(questions[i], best[i], found, made.vectors)
        complete += int(found.complete)
    return Recalled(hits / best.numel(), complete / len(questions))


def best_scores(questions: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """The `K` best exact scores of each question, float32 `[q, K]`."""
    best = torch.full((len(questions), K), float("-inf"), device=questions.device)
    for start in range(0, len(vectors), _WRITTEN_AT_ONCE):
        part = vectors[start : start + _WRITTEN_AT_ONCE]
        scores = (questions @ part.float().T).topk(min(K, len(part)), dim=1).values
        best = torch.cat([best, scores], dim=1).topk(K, dim=1).values
    return best


def _checked(question: torch.Tensor, best: torch.Tensor, found: Found, vectors: torch.Tensor) -> int:
    """How many of the best were found; the slot of a memory is the number of its vector."""
    scores = found.scores[0]
    torch.testing.assert_close(vectors[found.slots[0].long()].float() @ question, scores, atol=_TOLERANCE, rtol=1e-4)
    hits = int((scores >= best[-1] - _TOLERANCE).sum())
    assert hits == K or not bool(found.complete[0]), "what is called complete is not"
    return hits
