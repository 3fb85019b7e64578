"""Fits and checks the constants of `retrieval.confidence`.

    python -m benchmarks.models_confidence --data DATA --cache CACHE

Each question is asked twice: as it is, and with its right memories hidden. The fit has an intercept for each set, since
how sure one may be at all differs between sets; what is compared is questions of one set. Each set is judged by
constants that were fitted on the others. The held-out set never enters a fit that is reported as the result, and its
adversarial questions, which nothing in it answers, are the last check.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import rankdata

from benchmarks import _results
from benchmarks.models_compare import LISTED, analysed_query, vectors
from benchmarks.models_data import SETS, DataSet, empty_bank, ids_of, load, number_of, records
from benchmarks.models_embedders import candidates
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from retrieval.analysis.analyser import TextAnalyser
from retrieval.channels.keyword import KeywordChannel
from retrieval.channels.semantic import SemanticChannel
from retrieval.confidence import evidence
from retrieval.embedders.packaged import DEFAULT_MODEL
from retrieval.fusion import StandardisedScores
from retrieval.types import AnalysedQuery

HELD_OUT = "locomo_dev"
QUESTIONS_PER_SET = 700
SEED = 1
PRESENT, HIDDEN, ADVERSARIAL = 1, 0, 2
Asked = tuple[float, float, int, bool]


def main() -> None:
    """Gathers evidence, fits, checks and saves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    gathered = {name: np.array(gather(load(options.data / name), options.cache)) for name in SETS}
    rows = {}
    for name in SETS:
        others = [other for other in SETS if other not in (name, HELD_OUT)]
        rows[name] = round(auroc(gathered[name], fit([gathered[other] for other in others]), HIDDEN), 3)
    constants = fit([gathered[name] for name in SETS if name != HELD_OUT])
    figures: dict[str, Any] = {
        "constants": dict(zip(("intercept", "rise", "share"), constants.round(2).tolist(), strict=True)),
        "auroc_present_against_hidden": rows,
        "auroc_held_out_against_adversarial": round(auroc(gathered[HELD_OUT], constants, ADVERSARIAL), 3),
    }
    print(figures)
    command = "python -m benchmarks.models_confidence --data DATA --cache CACHE"
    _results.save("models_confidence", figures, command=command, seed=SEED)


def gather(data: DataSet, cache: Path) -> list[Asked]:
    """Rise, share, what was asked, and whether a right memory was among the first ten."""
    candidate, analyser = candidates(None)[DEFAULT_MODEL], TextAnalyser()
    documents, questions = vectors(DEFAULT_MODEL, candidate, candidate.load(), data, cache)
    terms = [analyser.analyse(row["content"]).terms for row in data.corpus]
    number = {row["id"]: at for at, row in enumerate(data.corpus)}
    wanted = set(random.Random(SEED).sample(range(len(data.queries)), min(QUESTIONS_PER_SET, len(data.queries))))
    found: list[Asked] = []
    bank, here = empty_bank(questions.shape[1]), set[int]()
    for episode in data.episodes:
        if episode.fresh:
            bank, here = empty_bank(questions.shape[1]), set()
        if episode.added:
            bank.put(
                records(episode.added, [terms[at] for at in episode.added], [documents[at] for at in episode.added])
            )
            here |= set(episode.added)
        for asked in sorted(wanted.intersection(episode.asked)):
            query = data.queries[asked]
            gold = {number[item] for item in query["gold"]}
            adversarial = query.get("type") == "adversarial"
            text, vector = query["text"], questions[asked]
            open_to_all = analysed_query(analyser, text, vector, ScanFilter())
            found.append(_ask(bank, open_to_all, gold, ADVERSARIAL if adversarial else PRESENT))
            if not adversarial and len(here - gold) > 1:
                rest = ScanFilter(allowed=ids_of(sorted(here - gold)))
                found.append(_ask(bank, analysed_query(analyser, text, vector, rest), set(), HIDDEN))
    return found


def fit(sets: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Intercept (mean over the sets) and two weights of a logistic regression, each set counting the same."""
    kept = [of[of[:, 2] != ADVERSARIAL] for of in sets]
    features, answered = np.concatenate([of[:, :2] for of in kept]), np.concatenate([of[:, 3] for of in kept])
    which = np.repeat(np.arange(len(kept)), [len(of) for of in kept])
    weight = np.concatenate([np.full(len(of), 1 / len(of)) for of in kept])

    def loss(parameters: NDArray[np.float64]) -> float:
        logits = features @ parameters[:2] + parameters[2:][which]
        return float(np.sum(weight * (np.logaddexp(0.0, logits) - answered * logits)))

    best = minimize(loss, np.zeros(2 + len(kept))).x
    return np.array([best[2:].mean(), best[0], best[1]])


def auroc(of: NDArray[np.float64], constants: NDArray[np.float64], against: int) -> float:
    """Chance that a question that has an answer looks surer than one of the other kind."""
    scores = of[:, :2] @ constants[1:]
    yes, no = scores[of[:, 2] == PRESENT], scores[of[:, 2] == against]
    ranks = rankdata(np.concatenate([yes, no]))[: len(yes)]
    return float((ranks.sum() - len(yes) * (len(yes) + 1) / 2) / (len(yes) * len(no)))


def _ask(bank: NamespaceBank, query: AnalysedQuery, gold: set[int], kind: int) -> Asked:
    with bank.view(query.query.scan) as view:
        tried = {channel.name: channel.search(query, view, LISTED) for channel in (KeywordChannel(), SemanticChannel())}
        results = {name: result for name, result in tried.items() if result is not None}
        listed = view.memory_id(StandardisedScores().fuse(results, 10).slots)
    rise, share = evidence(results)
    return rise, share, kind, bool(gold & {number_of(row.tobytes()) for row in listed})


if __name__ == "__main__":
    main()
