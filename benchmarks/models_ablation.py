"""What each choice of the keyword channel and of the fusion is worth, one changed at a time.

python -m benchmarks.models_ablation --data DATA --cache CACHE
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import _results
from benchmarks.models_compare import Vectors, score, vectors
from benchmarks.models_data import SETS, DataSet, load
from benchmarks.models_embedders import candidates
from retrieval.analysis.analyser import TextAnalyser
from retrieval.channels.keyword import KeywordChannel
from retrieval.embedders.packaged import DEFAULT_MODEL
from retrieval.fusion import Fusion, ReciprocalRanks, StandardisedScores

_LUCENE = """
    a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to
    was will with
"""
LUCENE_STOP_WORDS = frozenset(_LUCENE.split())
FUSIONS: dict[str, Fusion] = {
    "standardised": StandardisedScores(),
    "reciprocal ranks": ReciprocalRanks(),
    "standardised, keyword x 0.7": StandardisedScores({"keyword": 0.7}),
    "standardised, semantic x 0.7": StandardisedScores({"semantic": 0.7}),
}


@contextmanager
def stop_words(words: frozenset[str]) -> Iterator[None]:
    """Analyses with another list of stop words inside the context."""
    with patch("retrieval.analysis.terms.ENGLISH", words):
        yield


Change = tuple[Callable[[], AbstractContextManager[Any]], dict[str, float]]
CHANGES: dict[str, Change] = {
    "as it is": (nullcontext, {}),
    "k1 1.2, b 0.75": (nullcontext, {"k1": 1.2, "b": 0.75}),
    "k1 1.5, b 0.75": (nullcontext, {"k1": 1.5, "b": 0.75}),
    "Lucene's 33 stop words": (lambda: stop_words(LUCENE_STOP_WORDS), {}),
    "no stop words": (lambda: stop_words(frozenset()), {}),
    "identifiers whole only": (lambda: patch("retrieval.analysis.terms._is_compound", lambda *_: False), {}),
}


def main() -> None:
    """Runs every change over every set and saves the means."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    candidate = candidates(None)[DEFAULT_MODEL]
    model = candidate.load()
    data = {name: load(options.data / name) for name in SETS}
    embedded = {name: vectors(DEFAULT_MODEL, candidate, model, of, options.cache) for name, of in data.items()}
    figures = {}
    for label, (context, constants) in CHANGES.items():
        with context():
            figures[label] = _means(data, embedded, KeywordChannel(**constants))
        print(label, {way: of["mean"] for way, of in figures[label].items()}, flush=True)
    _results.save("models_ablation", figures, command="python -m benchmarks.models_ablation --data DATA --cache CACHE")


def _means(data: dict[str, DataSet], embedded: dict[str, Vectors], keyword: KeywordChannel) -> dict[str, Any]:
    analyser = TextAnalyser()
    by_set = {}
    for name, of in data.items():
        terms = [analyser.analyse(row["content"]).terms for row in of.corpus]
        by_set[name] = score(of, terms, *embedded[name], keyword, FUSIONS)
    return {
        way: {
            "mean": round(statistics.fmean(by_set[name][way]["ndcg@10"] for name in by_set), 2),
            "mean_recall": round(statistics.fmean(by_set[name][way]["recall@10"] for name in by_set), 2),
            "sets": {name: by_set[name][way]["ndcg@10"] for name in by_set},
        }
        for way in next(iter(by_set.values()))
    }


if __name__ == "__main__":
    main()
