"""Fits the numbers of fusion, final order and confidence, and says what they are worth on sets they never saw.

    python -m benchmarks.quality fit --data DATA [--limit N] [--recordings FOLDER] [--write]

The questions are asked of the service in this process and recorded (`fit_recording`); with `--recordings` they are kept
in a folder, and sets that are there already are not asked again. Then linear weights are fitted (`learning`), each set
counting the same, with a ridge that holds those of a ranking near where they began.

Each set is reported with weights fitted on the others alone (leave one set out), beside reciprocal ranks and
standardised scores. With `--write` the files in `retrieval/weights` are written: numbers fitted on all the sets, and
for each set those fitted without it, which is what `run --fitted` reports with. Factors by the type of question are
fitted too, and written only if they pay on the sets that were left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import _results
from benchmarks._server import scratch
from benchmarks.quality import fitted, measures
from benchmarks.quality.fit_recording import ANSWERABLE, HIDDEN, UNANSWERABLE, Recordings, channel_names, record
from benchmarks.quality.learning import (
    brier,
    calibration_error,
    chances,
    logistic_weights,
    ranking_weights,
    scores,
)
from benchmarks.quality.local import local
from benchmarks.quality.sets import AVERAGED, Json, add_options, folders, read
from retrieval.confidence import INTERCEPT, READ, SEEN
from retrieval.fusion import FusionWeights
from retrieval.rerank.order import FEATURES, OrderWeights
from retrieval.types import QuestionType

COMMAND = "python -m benchmarks.quality fit --data DATA --write"
NAME = "quality_fit"
WEIGHTS = Path(__file__).resolve().parents[2] / "retrieval" / "weights"
FUSION_RIDGE = 0.02
ORDER_RIDGE = 0.005
TYPE_RIDGE = 0.2
"""Holds the weights of one type of question near those of all."""
CONFIDENCE_RIDGE = 3e-3
FEWEST_SETS = 2
PAYS = 0.1
"""Points of nDCG@10 that factors by type must bring, on sets that were left out, to be written."""
FEWEST_OF_A_TYPE = 100
SCALED_BY = ("late_interaction", 1.6)
"""A ranking does not change when all weights are multiplied; the final order was fitted to scores of this size."""
HELD = ("consolidation", "exact", "procedural", "speaker")
"""Set by hand: the sets hardly ever use these channels, the made-up abilities do, and one set alone has speakers."""
ORDER_HELD = [name == "speaker" for name in FEATURES]
SAID = 4.0
"""Set by hand, in log-odds: how much surer it makes that all of the likely answer was said by whom was asked about."""
LEAST = {"keyword": 0.2, "semantic": 0.2}
"""A memory without states of tokens is judged by its vector and words alone."""
SCALE = 3.0  # logits of the listwise loss for a fusion whose weights are of the order of 1

Weights = NDArray[np.float64]
Fits = dict[str | None, Weights]
"""Weights by the set that was left out; under None those fitted on all."""


def main(argv: Sequence[str] | None = None) -> None:
    """Record, fit, report, and write if asked."""
    options = _options(argv)
    recorded: dict[str, Recordings] = {}
    for folder in folders(options):
        if folder.name in AVERAGED:
            recorded[folder.name] = _recorded(folder, options)
            print(f"{folder.name}: {len(recorded[folder.name].fusion)} questions", flush=True)
    if len(recorded) < FEWEST_SETS:
        print(f"a fit leaves one set out: it needs {FEWEST_SETS} sets at least", file=sys.stderr)
        sys.exit(0 if options.recordings else 2)
    names = channel_names()
    fusion = {n: of.fusion for n, of in recorded.items()}
    order = {n: [case for case in of.order if case is not None] for n, of in recorded.items()}
    stages: dict[str, Fits] = {
        "fusion": _left_out(
            fusion,
            lambda sets: ranking_weights(
                sets, _fusion_prior(names), FUSION_RIDGE, SCALE, [name in HELD for name in names]
            ),
        ),
        "rerank": _left_out(order, lambda sets: ranking_weights(sets, _order_prior(), ORDER_RIDGE, 1.0, ORDER_HELD)),
    }
    by_type = {out: _by_type(recorded, out, of) for out, of in stages["fusion"].items()}
    sure = {kind: _confidence(recorded, kind) for kind in ("unread", "read")}
    figures = _figures(recorded, stages, by_type)
    figures["confidence"] = {kind: _confidence_figures(recorded, kind, fits) for kind, fits in sure.items()}
    paid = figures["mean"]["learned fusion by type, left out"][0] - figures["mean"]["learned fusion, left out"][0]
    figures["by_type_pays"] = round(paid, 2)
    if options.write:
        print(_results.save(NAME, {"questions_of_a_set": options.limit, **figures}, command=COMMAND))
        on = sorted(recorded)
        typed = by_type if paid >= PAYS else {}
        seen = np.any([case.rows.any(axis=0) for of in fusion.values() for case in of], axis=0)
        off = [name for name, was_seen in zip(names, seen.tolist(), strict=True) if not was_seen]
        _write("fusion", on, lambda out: _fusion_parameters(names, stages["fusion"][out], typed.get(out, {}), off))
        _write("rerank", on, lambda out: {"features": _numbers(FEATURES, stages["rerank"][out])})
        _write("confidence", on, lambda out: {
            kind: _numbers((INTERCEPT, *_evidence(kind)), fits[out]) for kind, fits in sure.items()
        })  # fmt: skip


def _recorded(folder: Path, options: argparse.Namespace) -> Recordings:
    kept = None if options.recordings is None else options.recordings / f"{folder.name}.npz"
    if kept is not None and kept.exists():
        return Recordings.load(kept)
    with scratch() as place, local(place) as service:
        found = record(service, read(folder, options.limit))
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        found.save(kept)
    return found


def _fusion_prior(names: Sequence[str]) -> Weights:
    shipped = FusionWeights.read()
    return np.array([shipped.standardised.get(name, 0.0) or shipped.bonus.get(name, 0.0) for name in names])


def _order_prior() -> Weights:
    shipped = OrderWeights.read().features
    return np.array([shipped[name] for name in FEATURES])


def _left_out(by_set: Mapping[str, Any], fit: Callable[[list[Any]], Weights]) -> Fits:
    left_out: list[str | None] = [*by_set, None]
    return {out: fit([of for name, of in by_set.items() if name != out]) for out in left_out}


def _by_type(recorded: Mapping[str, Recordings], out: str | None, base: Weights) -> dict[QuestionType, Weights]:
    """Weights by type of question, from all sets but one, held near those of all types."""
    found = {}
    for type_ in QuestionType:
        sets = [
            cases
            for name, of in recorded.items()
            if name != out and (cases := [c for c, t in zip(of.fusion, of.types, strict=True) if t == type_])
        ]
        usable = [cases for cases in sets if any(case.right.any() and not case.right.all() for case in cases)]
        if sum(map(len, usable)) >= FEWEST_OF_A_TYPE:
            held = [name in HELD for name in channel_names()]
            found[type_] = ranking_weights(usable, base, TYPE_RIDGE, SCALE, held)
    return found


def _evidence(kind: str) -> tuple[str, ...]:
    return READ if kind == "read" else SEEN


def _confidence_rows(of: Recordings, kind: str) -> tuple[Weights, NDArray[np.bool_], NDArray[np.int64]]:
    """Evidence `[q, f]`, whether the answer was there `[q]`, and how each was asked `[q]`."""
    told = [one for one in of.told if kind == "unread" or np.isfinite(one.read).all()]
    rows = np.array([one.read if kind == "read" else one.seen for one in told])
    found = np.array([one.found_read if kind == "read" else one.found_seen for one in told], dtype=np.bool_)
    return rows, found, np.array([one.asked for one in told], dtype=np.int64)


def _confidence(recorded: Mapping[str, Recordings], kind: str) -> Fits:
    """Intercept and weights of the confidence; questions that nothing answers take no part."""
    rows = {}
    for name, of in recorded.items():
        evidence, found, asked = _confidence_rows(of, kind)
        kept = asked != UNANSWERABLE
        rows[name] = (evidence[kept], found[kept])
    held = np.array([SAID if name == "said" else np.nan for name in _evidence(kind)])
    return _left_out(rows, lambda sets: logistic_weights(sets, CONFIDENCE_RIDGE, held))


def _confidence_figures(recorded: Mapping[str, Recordings], kind: str, fits: Fits) -> Json:
    """Of each set with weights fitted on the others."""
    found = {}
    for name, of in recorded.items():
        rows, answered, asked = _confidence_rows(of, kind)
        chance, fair = chances(rows, fits[name]), asked != UNANSWERABLE
        here = chance[asked == ANSWERABLE].tolist()
        areas = {
            label: measures.auroc(here, chance[asked == how].tolist())
            for label, how in (("auroc_hidden", HIDDEN), ("auroc_unanswerable", UNANSWERABLE))
        }
        found[name] = {
            "brier": round(brier(chance[fair], answered[fair]), 3),
            "brier_of_the_base_rate": round(float(answered[fair].mean() * (1 - answered[fair].mean())), 3),
            "calibration_error": round(calibration_error(chance[fair], answered[fair]), 3),
            **{label: None if area is None else round(area, 3) for label, area in areas.items()},
        }
        print(f"confidence {kind:7s} {name:16s} {found[name]}", flush=True)
    return found


def _figures(
    recorded: Mapping[str, Recordings], stages: Mapping[str, Fits], by_type: Mapping[str | None, Mapping[Any, Weights]]
) -> Json:
    """nDCG@10 and recall@10 in points, by set, of every way; learned ones with the set left out and fitted on all."""
    found: dict[str, Json] = {}
    for name, of in recorded.items():
        ways: dict[str, list[tuple[float, float]]] = {}
        for at, case in enumerate(of.fusion):
            for way, flags in of.others.items():
                ways.setdefault(way, []).append(scores(flags[at], case.n_right))
            for kind, out in (("left out", name), ("fitted on all", None)):
                fused = case.first_ten(stages["fusion"][out])
                typed = case.first_ten(by_type[out].get(of.types[at], stages["fusion"][out]))
                ways.setdefault(f"learned fusion, {kind}", []).append(scores(fused, case.n_right))
                ways.setdefault(f"learned fusion by type, {kind}", []).append(scores(typed, case.n_right))
                order = of.order[at]
                if order is not None:
                    ranked = order.first_ten(stages["rerank"][out])
                    ways.setdefault(f"learned order, {kind}", []).append(scores(ranked, case.n_right))
        found[name] = {way: [round(100 * float(x), 2) for x in np.mean(values, axis=0)] for way, values in ways.items()}
    means = {
        way: [round(float(x), 2) for x in np.mean([one[way] for one in found.values()], axis=0)]
        for way in next(iter(found.values()))
    }
    for name, one in (*found.items(), ("mean", means)):
        print(f"{name:16s}", "  ".join(f"{way}: {a:.1f}/{b:.1f}" for way, (a, b) in one.items()), flush=True)
    return {"ndcg_recall_at_10": found, "mean": means}


def _fusion_parameters(
    names: Sequence[str], weights: Weights, by_type: Mapping[QuestionType, Weights], off: Sequence[str]
) -> Json:
    """Weights on the scale of `SCALED_BY`, none below 0; those of `HELD` and of channels that are off as they were."""
    shipped = FusionWeights.read()
    scale = SCALED_BY[1] / float(weights[names.index(SCALED_BY[0])])
    scaled = {
        name: max(float(weight) * scale, LEAST.get(name, 0.0)) for name, weight in zip(names, weights, strict=True)
    }
    scaled |= {name: shipped.bonus.get(name) or shipped.standardised[name] for name in (*HELD, *off)}
    factors = {
        type_.value: {
            name: _short(max(float(weight) * scale, 0.0) / scaled[name])
            for name, weight in zip(names, of, strict=True)
            if name not in HELD and name not in off and scaled[name] > 0.0
        }
        for type_, of in by_type.items()
    }
    return {
        "standardised": {name: _short(scaled[name]) for name in sorted(shipped.standardised)},
        "bonus": {name: _short(scaled[name]) for name in sorted(shipped.bonus)},
        "by_type": factors,
    }


def _numbers(names: Sequence[str], weights: Weights) -> dict[str, float]:
    return dict(zip(names, map(_short, weights.tolist()), strict=True))


def _short(weight: float) -> float:
    return round(float(weight), 4)


def _write(name: str, on: Sequence[str], parameters: Callable[[str | None], Json]) -> None:
    without = {out: parameters(out) for out in on}
    fitted.write(WEIGHTS / f"{name}.json", parameters(None), fitted_on=on, command=COMMAND, without=without)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality fit", description=__doc__)
    add_options(parser)
    parser.add_argument("--recordings", type=Path, help="folder in which what was asked is kept between fits")
    parser.add_argument("--write", action="store_true", help="write retrieval/weights and the result file")
    return parser.parse_args(argv)
