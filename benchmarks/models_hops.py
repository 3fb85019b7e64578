"""What following bridges adds to one search: recall, completeness, time, and what stopping early costs.

    python -m benchmarks.models_hops --data DATA --cache CACHE

Keyword and semantic search and their fusion are those of the service, over a bank in memory; no cross-encoder. Sets
with questions that need several memories, and one (LoCoMo) where most need one. All constants are the defaults.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import _results
from benchmarks.models_compare import LISTED, analysed_query, vectors
from benchmarks.models_data import DataSet, empty_bank, load, number_of, records
from benchmarks.models_embedders import candidates
from benchmarks.models_metrics import ndcg_at_10, recall_at_10
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.records import RecordBatch
from gpu.bank.view import BankView
from retrieval.analysis.analyser import TextAnalyser
from retrieval.analysis.folding import folded_text
from retrieval.channels.keyword import KeywordChannel
from retrieval.channels.semantic import SemanticChannel
from retrieval.embedders.packaged import DEFAULT_MODEL
from retrieval.fusion import StandardisedScores, standardised
from retrieval.hops.hopper import Asked, Hopper, Hops, Stop
from retrieval.types import AnalysedQuery, TextAnalysis

SETS = ("hotpotqa", "factconsolidation", "locomo_dev")
CHANNELS = (SemanticChannel(), KeywordChannel())
FUSION = StandardisedScores()


@dataclass(slots=True)
class Tally:
    """What was seen of the questions of one type."""

    one_search: list[tuple[float, float, float]] = field(default_factory=list)
    with_hops: list[tuple[float, float, float]] = field(default_factory=list)


@dataclass(slots=True)
class Measured:
    """One set."""

    types: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    stops: Counter[str] = field(default_factory=Counter)
    hops: list[int] = field(default_factory=list)
    hop_ms: list[float] = field(default_factory=list)
    search_ms: list[float] = field(default_factory=list)
    covered: int = 0
    covered_too_early: int = 0


def main() -> None:
    """Measures each set and saves the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    for name in SETS:
        figures[name] = summary(measure(load(options.data / name), options.cache))
        print(name, figures[name], flush=True)
    _results.save("models_hops", figures, command="python -m benchmarks.models_hops --data DATA --cache CACHE")


def measure(data: DataSet, cache: Path) -> Measured:
    """Asks every question of a set once with one search and once with hops."""
    candidate, analyser = candidates(None)[DEFAULT_MODEL], TextAnalyser()
    documents, questions = vectors(DEFAULT_MODEL, candidate, candidate.load(), data, cache)
    analyses = [analyser.analyse(row["content"]) for row in data.corpus]
    texts = [folded_text(row["content"]).encode() for row in data.corpus]
    number = {row["id"]: at for at, row in enumerate(data.corpus)}
    measured, hopper = Measured(), Hopper()
    for episode in data.episodes:
        bank = empty_bank(questions.shape[1])
        bank.put(
            whole_records(
                episode.added,
                [analyses[at] for at in episode.added],
                [texts[at] for at in episode.added],
                [documents[at] for at in episode.added],
            )
        )
        for asked in episode.asked:
            query = data.queries[asked]
            if query.get("type") != "adversarial" and query["gold"]:
                gold = frozenset(number[item] for item in query["gold"])
                analysed = analysed_query(analyser, query["text"], questions[asked], ScanFilter())
                names = analyser.analyse(query["text"]).mentions
                _ask(bank, analysed, Asked(analysed.terms.ids, names), hopper, gold, query["type"], measured)
    return measured


def summary(measured: Measured) -> dict[str, Any]:
    """Figures of one set."""
    everything = Tally(
        [row for tally in measured.types.values() for row in tally.one_search],
        [row for tally in measured.types.values() for row in tally.with_hops],
    )
    return {
        "types": {name: _figures(tally) for name, tally in sorted({**measured.types, "all": everything}.items())},
        "stops": dict(measured.stops),
        "mean_hops": round(statistics.fmean(measured.hops), 2),
        "hop_ms_p50": round(statistics.median(measured.hop_ms), 1),
        "search_ms_p50": round(statistics.median(measured.search_ms), 1),
        "covered": measured.covered,
        "covered_too_early": measured.covered_too_early,
    }


def whole_records(
    numbers: list[int], analyses: list[TextAnalysis], texts: list[bytes], views: list[NDArray[np.float32]]
) -> RecordBatch:
    """Rows with their mentions and texts, which hops need."""
    return replace(
        records(numbers, [analysis.terms for analysis in analyses], views),
        entity_ids=np.concatenate([analysis.mention_ids for analysis in analyses]),
        entity_offsets=_offsets([analysis.mention_ids.size for analysis in analyses]),
        texts=np.frombuffer(b"".join(texts), np.uint8),
        text_offsets=_offsets([len(text) for text in texts]),
    )


def _ask(
    bank: NamespaceBank,
    query: AnalysedQuery,
    asked: Asked,
    hopper: Hopper,
    gold: frozenset[int],
    kind: str,
    measured: Measured,
) -> None:
    with bank.view(query.query.scan) as view:
        begun = time.perf_counter()
        results = {c.name: found for c in CHANNELS if (found := c.search(query, view, LISTED)) is not None}
        first = FUSION.fuse(results, LISTED)
        measured.search_ms.append((time.perf_counter() - begun) * 1e3)

        def score_of(slots: NDArray[np.int64]) -> NDArray[np.float64]:
            return np.sum([standardised(result, slots) for result in results.values()], axis=0)

        hops = hopper.hop(asked, view, first, score_of)
        tally = measured.types[kind]
        tally.one_search.append(_scores(view, first.slots, gold))
        tally.with_hops.append(_scores(view, hops.ranking.slots, gold))
        _count(measured, hops)
        if hops.stop is Stop.COVERED and tally.with_hops[-1][2] < 1.0:
            on = hopper.hop(Asked(np.append(asked.terms, np.uint32(0)), asked.names), view, first, score_of)
            measured.covered_too_early += _scores(view, on.ranking.slots, gold)[1] > tally.with_hops[-1][1]


def _count(measured: Measured, hops: Hops) -> None:
    measured.stops[hops.stop.name.lower()] += 1
    measured.hops.append(hops.hops)
    measured.hop_ms.append(hops.took_ms)
    measured.covered += hops.stop is Stop.COVERED


def _scores(view: BankView, slots: NDArray[np.int64], gold: frozenset[int]) -> tuple[float, float, float]:
    """nDCG@10, recall@10, and whether all of the gold is among the first ten."""
    found = [number_of(row.tobytes()) for row in view.memory_id(slots[:10])]
    return ndcg_at_10(found, gold), recall_at_10(found, gold), float(gold <= set(found))


def _figures(tally: Tally) -> dict[str, Any]:
    def mean(rows: list[tuple[float, float, float]]) -> dict[str, float]:
        names = ("ndcg@10", "recall@10", "hit_all@10")
        return {name: round(100 * statistics.fmean(row[at] for row in rows), 1) for at, name in enumerate(names)}

    return {"questions": len(tally.one_search), "one_search": mean(tally.one_search), "hops": mean(tally.with_hops)}


def _offsets(counts: list[int]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


if __name__ == "__main__":
    main()
