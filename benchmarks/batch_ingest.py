"""Batch ingest of texts, beside what the embedder alone can do with the same texts and threads.

    python -m benchmarks.batch_ingest [--texts corpus.jsonl.gz]

The texts are `content` of a file of JSON lines, or made up (5 to 60 words) if there is no such file. The two are
measured in turn, each several times, and the medians compared: how much of a batch is anything else than the model.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import orjson

from benchmarks import _results
from benchmarks._http import Client, timed
from benchmarks._server import scratch, serve
from benchmarks._texts import vocabulary
from retrieval.embedders import packaged
from retrieval.embedders.batching import BatchingEmbedder, usable_cores

COMMAND = "python -m benchmarks.batch_ingest"
AIM = 0.8


def main() -> None:
    """Measure and save."""
    options = _options()
    if options.texts.exists():
        texts, source = _read(options.texts, options.number), f"{options.texts.parent.name}/{options.texts.name}"
    else:
        texts, source = _made(options.number, options.seed), "made up"
    parts = [texts[at : at + options.batch] for at in range(0, len(texts), options.batch)]
    alone: list[float] = []
    through: dict[int, list[float]] = {clients: [] for clients in options.clients}
    for turn in range(options.turns):
        alone.append(len(texts) / _embed(parts, options.threads))
        for clients, rates in through.items():
            rates.append(len(texts) / _ingest(parts, options.threads, clients))
        latest = {clients: round(rates[-1], 1) for clients, rates in through.items()}
        print(
            f"turn {turn + 1}: embedder alone {alone[-1]:.1f} rows/s, through the service {latest} rows/s", flush=True
        )
    figures = {
        "texts": source,
        "n": len(texts),
        "mean_words": round(statistics.fmean(len(text.split()) for text in texts), 1),
        "batch": options.batch,
        "embedder_threads": options.threads,
        "embedder_alone_rows_per_s": _rates(alone),
        **{f"ingest_{clients}_rows_per_s": _rates(rates) for clients, rates in through.items()},
        **{
            f"ratio_{clients}": round(statistics.median(rates) / statistics.median(alone), 3)
            for clients, rates in through.items()
        },
        "aim_ratio": AIM,
    }
    print(figures)
    print(f"saved {_results.save(options.name, figures, command=COMMAND, seed=options.seed)}")


def _embed(parts: list[list[str]], threads: int) -> float:
    """Seconds for all texts in an embedder set up as the service sets it up."""
    embedder = BatchingEmbedder(packaged.load(), document_workers=threads, query_workers=1)
    embedder.embed_documents(["warm up"] * threads)
    _, seconds = timed(lambda: [embedder.embed_documents(part) for part in parts])
    embedder.close()
    return seconds


def _ingest(parts: list[list[str]], threads: int, clients: int) -> float:
    """Seconds for all texts through a fresh server."""
    with scratch() as folder, serve(folder / "data", embedder_threads=threads) as server:
        connections = [Client(server.url) for _ in range(clients)]
        for client in connections:
            client.post("/v1/memories", {"namespace": "bench/warm", "content": "warm up"})

        def work(number: int) -> None:
            for part in parts[number::clients]:
                memories = [{"content": text} for text in part]
                answer = connections[number].post(
                    "/v1/memories:batch", {"namespace": "bench/ingest", "memories": memories}
                )
                if any(item["status"] != 201 for item in answer["items"]):
                    raise RuntimeError("a memory was refused")

        with ThreadPoolExecutor(clients) as pool:
            _, seconds = timed(lambda: list(pool.map(work, range(clients))))
    return seconds


def _read(path: Path, number: int) -> list[str]:
    with gzip.open(path, "rb") as lines:
        return [orjson.loads(line)["content"] for line, _ in zip(lines, range(number), strict=False)]


def _made(number: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    words = np.array(vocabulary(), dtype=object)
    chances = 1 / np.arange(1, len(words) + 1)
    chances /= chances.sum()
    return [" ".join(rng.choice(words, rng.integers(5, 61), p=chances)) for _ in range(number)]


def _rates(rates: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(rates), 1),
        "least": round(min(rates), 1),
        "most": round(max(rates), 1),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--texts", type=Path, default=Path("../shared/data/locomo_dev/corpus.jsonl.gz"))
    parser.add_argument("--number", type=int, default=2000, help="texts")
    parser.add_argument("--batch", type=int, default=100, help="memories in one call")
    parser.add_argument("--threads", type=int, default=usable_cores(), help="threads of the embedder, in both")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--name", default="batch_ingest", help="name of the file of figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
