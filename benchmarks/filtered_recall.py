"""Filtered recall of a namespace of 100,000 memories: latency, and whether the answers are those of brute force.

    python -m benchmarks.filtered_recall

Filters let 1, 10 and 50 percent through: by equality of a metadata field (evaluated in the scan), by a range of times
(in the scan), and by a range of a metadata number (only SQL can tell; its result is kept until the namespace changes,
so the first call is measured apart, after a write each time). Every hit must pass its filter, its rank and cosine in
the semantic channel must be those of a brute-force search over the same memories, up to half precision.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks import _load, _results
from benchmarks._http import Client, Json, Timed, side_by_side, spread
from benchmarks._server import scratch, serve
from benchmarks._timings import recall_figures
from benchmarks.namespace_100k import NAMESPACE
from retrieval.embedders import packaged

COMMAND = "python -m benchmarks.filtered_recall"
TOP_K = 20
COLD_CALLS = 5
TIE = 2e-3
"""Cosines nearer to each other than this are a tie: both sides round the vectors to half precision."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter as a request carries it, and bool `[n]`: which memories it lets through."""

    name: str
    condition: dict[str, Any]
    passes: NDArray[np.bool_]
    by_sql: bool = False


def main() -> None:
    """Measure and save."""
    options = _options()
    memories = _load.make(options.memories, options.seed)
    with ExitStack() as stack:
        folder = options.data_dir or stack.enter_context(scratch()) / "data"
        is_new = not folder.exists()
        server = stack.enter_context(serve(folder))
        client = Client(server.url)
        if is_new:
            _load.fill(client, NAMESPACE, memories)
        questions = memories.questions[-options.calls :]
        vectors = np.stack([packaged.load().embed_query(question) for question in questions])
        side_by_side(server.url, "/v1/recall", _load.recall_bodies(NAMESPACE, memories.questions[:20]), 1)  # warm up
        figures: dict[str, Any] = {"memories": options.memories, "top_k": TOP_K, "filters": {}}
        for one in filters(memories):
            cold = _cold(client, one, questions) if one.by_sql else None
            bodies = _load.recall_bodies(NAMESPACE, questions, filter=one.condition, top_k=TOP_K)
            timed = side_by_side(server.url, "/v1/recall", bodies, 1, keep=True)
            figures["filters"][one.name] = _figures(one, memories, vectors, timed, cold)
            print(one.name, orjson.dumps(figures["filters"][one.name]).decode(), flush=True)
    print(f"saved {_results.save(options.name, figures, command=COMMAND, seed=options.seed)}")


def filters(memories: _load.Memories) -> list[Filter]:
    """A filter that all memories pass but those that were written one by one, and each way at each share."""
    everything = {"occurred_at": {"gte": _stamp(_load.FIRST_DAY)}}
    made = [Filter("time range, 100%", everything, np.ones(len(memories.texts), np.bool_))]
    made += [
        Filter(f"metadata equality, {share:.0%}", {"metadata.project": value}, memories.projects == value)
        for value, share in _load.SHARES.items()
    ]
    occurred = np.array([moment.timestamp() for moment in memories.occurred])
    for share in _load.SHARES.values():
        until = _load.FIRST_DAY + timedelta(days=_load.DAYS * share)
        condition = {"occurred_at": {"gte": _stamp(_load.FIRST_DAY), "lt": _stamp(until)}}
        made.append(Filter(f"time range, {share:.0%}", condition, occurred < until.timestamp()))
    for share in _load.SHARES.values():
        bound = round(_load.SIZES * share)
        condition = {"metadata.size": {"lt": bound}}
        made.append(Filter(f"metadata range by SQL, {share:.0%}", condition, memories.sizes < bound, by_sql=True))
    return made


def judge(answer: Json, passes: NDArray[np.bool_], cosines: NDArray[np.float32]) -> dict[str, int]:
    """Compare one answer with brute force.

    Args:
        answer: of a recall with `TOP_K`.
        passes: bool `[n]`, which memories the filter lets through.
        cosines: float32 `[n]` of every memory with the question.

    Returns:
        Hits; hits that should not pass the filter; hits that are missing up to `TOP_K`; hits that the semantic channel
        listed itself; hits whose cosine, or rank where they have one, is not that of brute force.
    """
    places = [int(hit["memory"]["external_id"][1:]) for hit in answer["hits"]]
    semantic = [hit["channels"]["semantic"] for hit in answer["hits"]]
    eligible = np.sort(cosines[passes])
    wrong = 0
    for place, found in zip(places, semantic, strict=True):
        fewest = eligible.size - np.searchsorted(eligible, cosines[place] + TIE, side="right")
        most = eligible.size - np.searchsorted(eligible, cosines[place] - TIE, side="left")
        is_ranked_right = found["rank"] is None or fewest < found["rank"] <= most
        wrong += int(not is_ranked_right or abs(found["score"] - cosines[place]) > TIE)
    return {
        "hits": len(places),
        "not_passing": int(np.sum(~passes[places])),
        "missing": min(TOP_K, int(passes.sum())) - len(places),
        "with_semantic_rank": sum(found["rank"] is not None for found in semantic),
        "not_as_brute_force": wrong,
    }


def _figures(
    one: Filter, memories: _load.Memories, vectors: NDArray[np.float32], timed: Timed, cold: Sequence[float] | None
) -> dict[str, Any]:
    judged = [
        judge(answer, one.passes, memories.vectors @ vector)
        for answer, vector in zip(timed.answers, vectors, strict=True)
    ]
    latency = recall_figures(timed)
    return {
        "share": round(float(one.passes.mean()), 4),
        **{name: latency[name] for name in ("n", "p50_ms", "p95_ms", "without_embedding", "parts_p50_ms")},
        **({"first_after_a_write": spread(cold)} if cold else {}),
        "exactness": {name: sum(row[name] for row in judged) for name in judged[0]},
        "exact": all(row["not_passing"] == row["missing"] == row["not_as_brute_force"] == 0 for row in judged),
        "mean_best_cosine": round(
            statistics.fmean(float((memories.vectors[one.passes] @ v).max()) for v in vectors[:10]), 3
        ),
    }


def _cold(client: Client, one: Filter, questions: Sequence[str]) -> list[float]:
    """Latencies of recalls that are each the first with their filter after a change; their embedding is left out."""
    spent = []
    for question in questions[:COLD_CALLS]:
        client.post("/v1/memories", {"namespace": NAMESPACE, "content": "a change", "metadata": {"project": "rest"}})
        (body,) = _load.recall_bodies(NAMESPACE, [question], filter=one.condition, top_k=TOP_K)
        told = client.post("/v1/recall", body)["explanation"]["timings_ms"]
        spent.append(told["total"] - told["embed_wait"])
    return spent


def _stamp(moment: datetime) -> str:
    return moment.isoformat()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=100, help="recalls with each filter")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--data-dir", type=Path, help="what `namespace_100k --data-dir` filled with the same seed")
    parser.add_argument("--name", default="filtered_recall", help="name of the file of figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
