"""Fits the numbers of the fusion and of the final order, and says what they are worth on sets they never saw.

    python -m benchmarks.quality fit --data DATA [--limit N] [--write]

The service runs in this process, with its own model, bank, channels and cross-encoder. Every question is asked with
profile `balanced`; what the channels said of all candidates and what the cross-encoder said of those it read is
recorded. Then linear weights are fitted with a listwise softmax loss (ListNet's top-one form: Cao et al. 2007,
doi:10.1145/1273496.1273513), each set counting the same, with a ridge that holds them near where they began.

Each set is reported with weights fitted on the others alone (leave one set out), beside reciprocal ranks and
standardised scores. With `--write` the files in `retrieval/weights` are written: numbers fitted on all the sets, and
for each set those fitted without it, which is what `run --fitted` reports with.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import _results
from benchmarks._server import scratch
from benchmarks.quality import fitted
from benchmarks.quality.local import LocalService, local
from benchmarks.quality.recording import Recorder, recording
from benchmarks.quality.run import write_rows
from benchmarks.quality.sets import AVERAGED, Json, Set, add_options, folders, read
from retrieval.fusion import (
    Fusion,
    FusionWeights,
    ReciprocalRanks,
    StandardisedScores,
    Weighing,
    share_of_best,
    standardised,
)
from retrieval.rerank.order import FEATURES, OrderWeights

COMMAND = "python -m benchmarks.quality fit --data DATA --write"
NAME = "quality_fit"
WEIGHTS = Path(__file__).resolve().parents[2] / "retrieval" / "weights"
STEPS = 400
RATE = 0.03
FUSION_RIDGE = 0.02
ORDER_RIDGE = 0.005
SCALED_BY = ("late_interaction", 1.6)
"""A ranking does not change when all weights are multiplied; the final order was fitted to scores of this size."""
HELD = ("consolidation", "exact", "procedural")
"""Set by hand: the sets hardly ever use these channels, the made-up abilities do."""
LEAST = 0.2
"""Of a channel that scores everything: a memory without states of tokens is judged by its vector and words alone."""
SCALE = 3.0  # logits of the listwise loss for a fusion whose weights are of the order of 1


@dataclass(frozen=True, slots=True)
class Case:
    """One question: features of its candidates `[m, f]`, which of them are right, and how many right ones there are."""

    rows: NDArray[np.float64]
    right: NDArray[np.bool_]
    n_right: int
    base: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One question as both stages saw it, with the rankings of other fusions as right-or-wrong lists."""

    fusion: Case
    order: Case | None
    others: Mapping[str, NDArray[np.bool_]]


def main(argv: Sequence[str] | None = None) -> None:
    """Record, fit, report, and write if asked."""
    options = _options(argv)
    recorded: dict[str, list[Recorded]] = {}
    for folder in folders(options):
        if folder.name in AVERAGED:
            data = read(folder, options.limit)
            with scratch() as place, local(place) as service:
                recorded[folder.name] = list(_record(service, data))
            print(f"{folder.name}: {len(recorded[folder.name])} questions recorded", flush=True)
    names = channel_names()
    stages = {
        "fusion": _fit_all(recorded, lambda one: one.fusion, np.array([_prior(n) for n in names]), FUSION_RIDGE, SCALE),
        "rerank": _fit_all(recorded, lambda one: one.order, _order_prior(), ORDER_RIDGE, 1.0),
    }
    figures = _figures(recorded, stages)
    if options.write:
        print(_results.save(NAME, {"questions_of_a_set": options.limit, **figures}, command=COMMAND))
        on = sorted(recorded)
        _write("fusion", stages["fusion"], on, lambda w: _fusion_parameters(names, w))
        _write("rerank", stages["rerank"], on, lambda w: {"features": dict(zip(FEATURES, map(_short, w), strict=True))})


def channel_names() -> list[str]:
    """Channels in the order of the fusion's features."""
    shipped = FusionWeights.read()
    return [*sorted(shipped.standardised), *sorted(shipped.bonus)]


def _prior(name: str) -> float:
    shipped = FusionWeights.read()
    return shipped.standardised.get(name, 0.0) or shipped.bonus.get(name, 0.0)


def _order_prior() -> NDArray[np.float64]:
    shipped = OrderWeights.read().features
    return np.array([shipped[name] for name in FEATURES])


def _record(service: LocalService, data: Set) -> Iterator[Recorded]:
    names: dict[str, str] = {}
    with recording(service) as recorder, _reading(service) as shown:
        for step in data.steps:
            namespace = f"fit/{data.name}/{step.namespace}"
            names |= write_rows(service.post, namespace, step.rows)
            for question in step.questions:
                if not question.is_answerable:
                    continue
                shown.clear()
                service.post("/v1/recall", question.body(namespace, top_k=10, profile="balanced"))
                one = _case(recorder, shown, names, question.gold)
                if one is not None:
                    yield one


def _case(
    recorder: Recorder, shown: dict[int, NDArray[np.float64]], names: Mapping[str, str], gold: frozenset[str]
) -> Recorded | None:
    last = recorder.last
    if last is None or not last.lines:
        return None
    right = np.array([names[str(one)] in gold for one in last.ids])
    results = last.results()
    shipped = FusionWeights.read()
    rows = np.zeros((last.slots.size, len(channel_names())))
    for column, name in enumerate(channel_names()):
        if name in results:
            of = standardised if name in shipped.standardised else share_of_best
            rows[:, column] = of(results[name], last.slots)
    others: dict[str, Fusion] = {"reciprocal ranks": ReciprocalRanks(), "standardised scores": StandardisedScores()}
    lists = {}
    for name, fusion in others.items():
        ranking = fusion.fuse(results, 10, Weighing())
        lists[name] = right[np.searchsorted(last.slots, ranking.slots)]
    order = None
    if shown:
        slots = np.array(list(shown))
        matrix = np.stack([shown[slot] for slot in slots.tolist()])
        order = Case(matrix, right[np.searchsorted(last.slots, slots)], len(gold), matrix[:, 0])
    return Recorded(Case(rows, right, len(gold), np.zeros(0)), order, lists)


@contextmanager
def _reading(service: LocalService) -> Iterator[dict[int, NDArray[np.float64]]]:
    """Keeps the features of the candidates that the cross-encoder read, by slot, in the order of the first stage."""
    recaller: Any = service.container.recaller
    learned = recaller._order
    kept: dict[int, NDArray[np.float64]] = {}

    class Keeping:
        def order(self, first: Any, logits: Any, results: Any) -> Any:
            read, rows = learned.features(first, logits, results)
            kept.update(zip(first.slots[read].tolist(), rows, strict=True))
            return learned.order(first, logits, results)

    recaller._order = Keeping()
    try:
        yield kept
    finally:
        recaller._order = learned


def _fit_all(
    recorded: Mapping[str, Sequence[Recorded]],
    stage: Callable[[Recorded], Case | None],
    prior: NDArray[np.float64],
    ridge: float,
    scale: float,
) -> dict[str | None, NDArray[np.float64]]:
    """Weights by the set that was left out; under None those fitted on all."""
    cases = {name: [case for one in of if (case := stage(one)) is not None] for name, of in recorded.items()}
    left_out: list[str | None] = [*cases, None]
    return {out: fit([c for n, c in cases.items() if n != out], prior, ridge, scale) for out in left_out}


def fit(sets: Sequence[Sequence[Case]], prior: NDArray[np.float64], ridge: float, scale: float) -> NDArray[np.float64]:
    """Weights float64 `[f]` with the least listwise loss, each set counting the same, plus `ridge * |w - prior|^2`."""
    weights = prior.copy()
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    padded = [_padded([case for case in of if case.right.any() and not case.right.all()]) for of in sets if of]
    for step in range(1, STEPS + 1):
        gradient = 2.0 * ridge * (weights - prior)
        for rows, wanted, absent in padded:
            scores = np.where(absent, -np.inf, scale * (rows @ weights))
            scores -= scores.max(axis=1, keepdims=True)
            chance = np.exp(scores)
            chance /= chance.sum(axis=1, keepdims=True)
            gradient += scale * np.einsum("qmf,qm->f", rows, chance - wanted) / rows.shape[0] / len(padded)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        weights -= RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights


def _padded(cases: Sequence[Case]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    most = max(case.right.size for case in cases)
    rows = np.zeros((len(cases), most, cases[0].rows.shape[1]))
    wanted = np.zeros((len(cases), most))
    absent = np.ones((len(cases), most), dtype=bool)
    for at, case in enumerate(cases):
        size = case.right.size
        rows[at, :size] = case.rows
        wanted[at, :size] = case.right / case.right.sum()
        absent[at, :size] = False
    return rows, wanted, absent


def _figures(recorded: Mapping[str, Sequence[Recorded]], stages: Mapping[str, Any]) -> Json:
    """nDCG@10 and recall@10 in points, by set, of every way; learned ones with the set left out and fitted on all."""
    found: dict[str, Json] = {}
    for name, of in recorded.items():
        ways: dict[str, list[tuple[float, float]]] = {}
        for one in of:
            for way, flags in one.others.items():
                ways.setdefault(way, []).append(_scores(flags, one.fusion.n_right))
            for kind, out in (("left out", name), ("fitted on all", None)):
                ranked = _ranked(one.fusion, stages["fusion"][out])
                ways.setdefault(f"learned fusion, {kind}", []).append(_scores(ranked, one.fusion.n_right))
                if one.order is not None:
                    ranked = _ranked(one.order, stages["rerank"][out])
                    ways.setdefault(f"learned order, {kind}", []).append(_scores(ranked, one.order.n_right))
        found[name] = {way: [round(100 * float(x), 2) for x in np.mean(values, axis=0)] for way, values in ways.items()}
    means = {
        way: [round(float(x), 2) for x in np.mean([one[way] for one in found.values()], axis=0)]
        for way in next(iter(found.values()))
    }
    for name, one in (*found.items(), ("mean", means)):
        print(f"{name:16s}", "  ".join(f"{way}: {a:.1f}/{b:.1f}" for way, (a, b) in one.items()), flush=True)
    return {"ndcg_recall_at_10": found, "mean": means}


def _ranked(case: Case, weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    return case.right[np.argsort(-(case.rows @ weights), kind="stable")[:10]]


def _scores(flags: NDArray[np.bool_], n_right: int) -> tuple[float, float]:
    gain = sum(1.0 / math.log2(at + 2) for at in np.flatnonzero(flags[:10]).tolist())
    ideal = sum(1.0 / math.log2(at + 2) for at in range(min(10, n_right)))
    return gain / ideal, float(flags[:10].sum()) / n_right


def _fusion_parameters(names: Sequence[str], weights: NDArray[np.float64]) -> Json:
    """Weights on the scale of `SCALED_BY`, none below 0; those of `HELD` as they were."""
    shipped = FusionWeights.read()
    fitted_ones = dict(zip(names, weights.tolist(), strict=True))
    scale = SCALED_BY[1] / fitted_ones[SCALED_BY[0]]
    by_name = {name: _short(max(weight * scale, 0.0)) for name, weight in fitted_ones.items()} | {
        name: shipped.bonus[name] for name in HELD
    }
    return {
        "standardised": {name: max(by_name[name], LEAST) for name in sorted(shipped.standardised)},
        "bonus": {name: by_name[name] for name in sorted(shipped.bonus)},
        "by_type": shipped.by_type,
    }


def _short(weight: float) -> float:
    return round(float(weight), 4)


def _write(
    name: str,
    weights: Mapping[str | None, NDArray[np.float64]],
    on: Sequence[str],
    parameters: Callable[[NDArray[np.float64]], Json],
) -> None:
    without = {out: parameters(of) for out, of in weights.items() if out is not None}
    fitted.write(WEIGHTS / f"{name}.json", parameters(weights[None]), fitted_on=on, command=COMMAND, without=without)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality fit", description=__doc__)
    add_options(parser)
    parser.add_argument("--write", action="store_true", help="write retrieval/weights and the result file")
    return parser.parse_args(argv)
