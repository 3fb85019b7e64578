"""One namespace of 100,000 memories: bulk load, recall, single writes, memory, and the next start.

    python -m benchmarks.namespace_100k

Memories of 25 words with given vectors (see `_texts.py`), and 400 facts whose questions have an answer. Client and
server share the machine; the client keeps its connections open. Every question is asked once, so that no cache helps.
"""

from __future__ import annotations

import argparse
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks import _load, _results
from benchmarks._http import Client, side_by_side, spread
from benchmarks._server import Server, scratch, serve
from benchmarks._start_steps import start_steps
from benchmarks._timings import hit_rate, recall_figures

NAMESPACE = "bench/large"
COMMAND = "python -m benchmarks.namespace_100k"
CLIENTS = 8
STARTS = 3


def main() -> None:
    """Measure and save."""
    options = _options()
    memories = _load.make(options.memories, options.seed)
    with ExitStack() as stack:
        folder = options.data_dir or stack.enter_context(scratch()) / "data"
        with serve(folder) as server:
            figures = measure(server, memories, options.calls)
        figures["database_bytes"] = _load.database_bytes(folder)
        figures["starts"] = [_restart(folder, memories, n) for n in range(STARTS)]
        figures["start_steps"] = start_steps(folder)
    path = _results.save(options.name, figures, command=COMMAND, seed=options.seed)
    print(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode())
    print(f"saved {path}")


def measure(server: Server, memories: _load.Memories, calls: int) -> dict[str, Any]:
    """Everything that one run of the server can tell; `calls` scales how often each thing is done."""
    client = Client(server.url)
    figures: dict[str, Any] = {"memories": len(memories.texts), "rss_empty_bytes": server.rss_bytes()}
    spent = _load.fill(client, NAMESPACE, memories)
    figures["bulk_load"] = {
        "batch": _load.BATCH,
        "seconds": round(spent, 1),
        "rows_per_s": round(len(memories.texts) / spent),
    }
    figures["rss_loaded_bytes"] = server.rss_bytes()
    fresh = iter(memories.questions)
    side_by_side(server.url, "/v1/recall", _load.recall_bodies(NAMESPACE, _take(fresh, 20)), 1)  # warm the caches up
    figures["facts"] = _facts(server, memories)
    for clients, number in ((1, calls), (CLIENTS, 2 * calls)):
        bodies = _load.recall_bodies(NAMESPACE, _take(fresh, number))
        figures[f"recall_{clients}"] = recall_figures(
            side_by_side(server.url, "/v1/recall", bodies, clients, keep=True)
        )
    figures |= _writes(server, memories, calls)
    figures["recall_1_while_writing"] = _while_writing(server, _take(fresh, calls))
    figures["bank_bytes"] = client.get(f"/v1/stats?namespace={NAMESPACE}")["bank_bytes"]
    figures["rss_end_bytes"] = server.rss_bytes()
    return figures


def _facts(server: Server, memories: _load.Memories) -> dict[str, Any]:
    """Questions that have an answer: is it among the first ten?"""
    bodies = _load.recall_bodies(NAMESPACE, [fact.question for fact in memories.facts])
    answered = side_by_side(server.url, "/v1/recall", bodies, 2, keep=True)
    wanted = [f"m{place}" for place in memories.fact_places]
    return {"questions": len(wanted), "recall_at_10": hit_rate(answered.answers, wanted)}


def _writes(server: Server, memories: _load.Memories, calls: int) -> dict[str, Any]:
    """Single writes: the text embedded by the service, and with a given vector."""
    figures = {}
    for given, clients in itertools.product((False, True), (1, CLIENTS)):
        number = calls // 2 if clients == 1 else calls
        bodies = [_single(memories, i, given) for i in range(number)]
        written = side_by_side(server.url, "/v1/memories", bodies, clients)
        figures[f"write_{'given_vector' if given else 'text'}_{clients}"] = written.figures("writes_per_s")
    return figures


def _single(memories: _load.Memories, i: int, given: bool) -> dict[str, Any]:
    """A write of a memory that no filter of the benchmarks lets through, and that no other write equals."""
    place = i % len(memories.texts)
    body = {"namespace": NAMESPACE, "content": f"{memories.texts[place]} {i}", "metadata": {"project": "rest"}}
    return {**body, "embedding": np.round(memories.vectors[place], 6).tolist()} if given else body


def _while_writing(server: Server, questions: list[str]) -> dict[str, Any]:
    """One client recalls while another writes texts, each as fast as it gets answers."""
    enough, written = threading.Event(), [0]

    def write() -> None:
        client = Client(server.url)
        while not enough.is_set():
            text = f"note {time.time_ns()} written while others ask"
            client.post("/v1/memories", {"namespace": NAMESPACE, "content": text})
            written[0] += 1
        client.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        bodies = _load.recall_bodies(NAMESPACE, questions)
        timed = side_by_side(server.url, "/v1/recall", bodies, 1, keep=True)
    finally:
        enough.set()
        writer.join()
    return {**recall_figures(timed), "writes_per_s_meanwhile": round(written[0] / timed.wall_s, 1)}


def _restart(folder: Path, memories: _load.Memories, number: int) -> dict[str, Any]:
    """Start over the same folder, and look at the first recalls."""
    with serve(folder) as server:
        bodies = _load.recall_bodies(NAMESPACE, memories.questions[-10 * (number + 1) :][:10])
        first = side_by_side(server.url, "/v1/recall", bodies, 1)
        return {
            "ready_s": round(server.ready_s, 2),
            "first_recall_ms": round(first.ms[0], 1),
            "next_recalls": spread(first.ms[1:]),
            "rss_bytes": server.rss_bytes(),
        }


def _take(questions: Iterator[str], number: int) -> list[str]:
    return list(itertools.islice(questions, number))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=800, help="recalls with one client; the other counts follow it")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--data-dir", type=Path, help="an empty folder to keep, for `filtered_recall`")
    parser.add_argument("--name", default="namespace_100k", help="name of the file of figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
