"""What do the precision tiers cost in recall, and what do they save in bytes?

    OMP_NUM_THREADS=1 python -m benchmarks.models_tiers --data DATA --cache CACHE

Truth is the exact search over float32 vectors: recall@10 is how many of its first ten a way finds, in percent.
Questions are the sets' own. Rows are the embedded texts of four sets, evenly thinned out, and rows made from them up to
100,000:

    row = unit(sum_k w_k neighbour_k + residual),   w uniform on the simplex, over a real row's 8 nearest neighbours

The residual is that of a real row near by (the row less such a mixture of *its* neighbours), with its principal
coordinates under random signs. Why this is honest: mixtures alone lie between real rows and nearer to each other than
real ones, which makes the tenth and the eleventh of a search nearly equal; residuals give back the distances between
neighbours, their directions (few of the dimensions hold most of it) and the mean that all vectors of a model share. How
well it went stands in the figures: the cosine of a row with its nearest neighbour, real and made. A store of 100,000 is
denser than one of 5,000 in any case, and that is what is being measured.

Parts: each tier alone, beside plain scalar quantisation (no rotation, the largest coordinate sets the step); a coarse
scan whose best c candidates are scored again; a store whose rows lie in different tiers (real rows only, ranked by
several rules); copies of one memory in two tiers; how far estimates are off in units of their standard error; stepping
down. How long a scan takes is what `bank_tiers` measures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import _results
from benchmarks.models_compare import vectors
from benchmarks.models_data import SETS, load
from benchmarks.models_embedders import candidates
from gpu.bank.layouts import Tier
from gpu.tiers.codecs import Codes, decode, encode, row_bytes, step_down, unit
from gpu.tiers.fisher_rao import squared_distance, with_measured_error
from gpu.tiers.ranking import estimates, exact_first
from gpu.tiers.rotation import rotation
from gpu.tiers.scores import tier_scores
from retrieval.embedders.packaged import DEFAULT_MODEL

COMMAND = "OMP_NUM_THREADS=1 python -m benchmarks.models_tiers --data DATA --cache CACHE"
SEED = 18
TOP = 10
TEXTS_OF_A_SET, QUESTIONS_OF_A_SET = 900, 100
NEIGHBOURS = 8
CANDIDATES = (10, 20, 50, 100, 200, 400)
BESIDE_BYTES = {Tier.FP16: 0, Tier.INT8: 8, Tier.INT4: 8, Tier.BIT1: 8}
"""Scale and error of a row; a half needs neither."""
Floats = NDArray[np.float32]
Ranked = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Store:
    """Rotated rows of one tier, with what was taken off them before.

    Attributes:
        squares: squared lengths of what was encoded.
    """

    codes: Codes
    centre: Floats
    squares: Floats

    @classmethod
    def of(cls, rows: Floats, tier: Tier, centre: Floats | None = None) -> Store:
        """Encodes rows less a centre."""
        taken = np.zeros(rows.shape[1], np.float32) if centre is None else centre
        left = rows - taken
        return cls(encode(left, tier), taken, np.einsum("ij,ij->i", left, left))

    def estimated(self, query: Floats, some: Ranked | slice = slice(None), caution: float = 0.0) -> Floats:
        """Scores of some rows, float32 `[n]`."""
        codes = self.codes[some]
        dots = tier_scores(query, codes)
        found = estimates(dots, codes.errors, codes.tier, codes.dim, squares=self.squares[some])
        return found.scores(caution) + np.float32(query @ self.centre)

    def row_bytes(self) -> int:
        """Bytes of a row."""
        return row_bytes(self.codes.tier, self.codes.dim) + BESIDE_BYTES[self.codes.tier]


def main() -> None:
    """Embeds, enlarges, measures, saves."""
    options = _options()
    real, questions = embedded(
        options.data, options.cache, options.set or ["locomo_dev", "hotpotqa", "realmem", "metatool"]
    )
    rows = enlarged(real, options.rows, np.random.default_rng(SEED))
    turned = rotation(real.shape[1])
    figures: dict[str, Any] = {"real_rows": len(real), "rows": len(rows), "questions": len(questions)}
    figures["enlargement"] = likeness(real, rows, questions)
    real, rows, questions = turned.turn(real), turned.turn(rows), turned.turn(questions)
    centre = real.mean(axis=0)
    figures["squared_length_of_the_mean"] = round(float(centre @ centre), 4)
    figures["plain_scalar"] = plain_scalar(turned.turn_back(rows), turned.turn_back(questions))
    figures["tiers"], figures["rescored"] = alone_and_rescored(rows, questions, centre)
    figures["mixed"] = mixed(real, questions, centre)
    figures["copies"] = copies(real, questions)
    figures["estimates"] = calibration(real, questions)
    figures["stepping_down"] = stepping_down(rows[:20_000], questions)
    print(_results.save("models_tiers", figures, command=COMMAND, seed=SEED))


def embedded(data: Path, cache: Path, names: list[str]) -> tuple[Floats, Floats]:
    """Unit vectors of the texts (all their views) and of the questions of some sets."""
    candidate = candidates(None)[DEFAULT_MODEL]
    model = candidate.load()
    documents, questions = [], []
    for name in names:
        whole = load(data / name)
        corpus, queries = _even(whole.corpus, TEXTS_OF_A_SET), _even(whole.queries, QUESTIONS_OF_A_SET)
        part = replace(whole, name=f"{name}.tiers", corpus=corpus, queries=queries, episodes=[])
        own, asked = vectors(DEFAULT_MODEL, candidate, model, part, cache)
        documents.extend(own)
        questions.append(asked)
    return unit(np.concatenate(documents).astype(np.float32)), unit(np.concatenate(questions).astype(np.float32))


def enlarged(real: Floats, n: int, rng: np.random.Generator) -> Floats:
    """The real rows, and made ones behind them up to `n`; see the module's text."""
    cosines = real @ real.T
    np.fill_diagonal(cosines, -np.inf)
    near = np.argpartition(-cosines, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]

    def mixtures(of: Ranked) -> Floats:
        weights = rng.dirichlet(np.ones(NEIGHBOURS), len(of)).astype(np.float32)
        between: Floats = np.einsum("nk,nkd->nd", weights, real[near[of]])
        return between

    residuals = real - mixtures(np.arange(len(real)))
    _, axes = np.linalg.eigh(residuals.T @ residuals)
    principal = (residuals @ axes).astype(np.float32)
    parts = [real]
    while (missing := n - sum(map(len, parts))) > 0:
        of = rng.integers(0, len(real), min(missing, 4096))
        lent = near[of, rng.integers(0, NEIGHBOURS, len(of))]
        signs = rng.choice(np.array([-1, 1], np.float32), (len(of), real.shape[1]))
        parts.append(unit(mixtures(of) + (principal[lent] * signs) @ axes.T.astype(np.float32)))
    return np.concatenate(parts)


def likeness(real: Floats, rows: Floats, questions: Floats) -> dict[str, Any]:
    """How made rows compare with real ones: nearest neighbours among as many rows, and the questions' best ten."""
    made = rows[len(real) :][:: max(1, (len(rows) - len(real)) // len(real))][: len(real)]

    def nearest(of: Floats) -> list[float]:
        cosines = of @ of.T
        np.fill_diagonal(cosines, -1)
        return _quantiles(cosines.max(axis=1))

    def gaps(of: Floats) -> list[float]:
        best = -np.sort(-(questions @ of.T), axis=1)[:, : TOP + 1]
        return _quantiles(best[:, TOP - 1] - best[:, TOP])

    return {
        "quantiles": [0.1, 0.5, 0.9],
        "nearest_neighbour": {"real": nearest(real), "as many made": nearest(made)},
        "tenth_less_eleventh": {"real": gaps(real), "as many made": gaps(made), "all": gaps(rows)},
    }


def alone_and_rescored(rows: Floats, questions: Floats, centre: Floats) -> tuple[dict[str, Any], dict[str, Any]]:
    """Recall of each tier alone, and of coarse scans with a second look."""
    truth = [_best(query @ rows.T) for query in questions]
    stores = {tier.value: Store.of(rows, tier) for tier in Tier}
    stores |= {f"{tier.value} centred": Store.of(rows, tier, centre) for tier in (Tier.INT8, Tier.INT4, Tier.BIT1)}
    alone: dict[str, Any] = {}
    second: dict[str, Any] = {}
    for name, store in stores.items():
        scored = [store.estimated(query) for query in questions]
        found = recall([_best(scores) for scores in scored], truth)
        alone[name] = {"row_bytes": store.row_bytes(), "recall@10": found}
        cautious = recall([_best(store.estimated(query, caution=1.0)) for query in questions], truth)
        alone[name]["recall@10 with caution 1"] = cautious
        if store.codes.tier is Tier.BIT1:
            rounded = [_best(store.estimated(_sixteen_levels(query))) for query in questions]
            alone[name]["recall@10 with a query of 4 bits"] = recall(rounded, truth)
        print(name, alone[name], flush=True)
        finer = [Tier.FP16] if store.codes.tier in (Tier.INT8, Tier.INT4) else [Tier.INT8, Tier.FP16]
        for other in finer if store.codes.tier is not Tier.FP16 else []:
            by_count: dict[str, float] = {}
            for c in CANDIDATES:
                again = [
                    _again(stores[other.value], query, _best(scores, c))
                    for query, scores in zip(questions, scored, strict=True)
                ]
                by_count[str(c)] = recall(again, truth)
            second[f"{name}, then {other.value}"] = by_count
            print(name, other, by_count, flush=True)
    return alone, second


def plain_scalar(rows: Floats, questions: Floats) -> dict[str, float]:
    """Recall@10 of what the tiers are to be compared with: whole numbers as they come, signs as they come."""
    truth = [_best(query @ rows.T) for query in questions]
    figures = {}
    for bits in (8, 4):
        largest = 2 ** (bits - 1) - 1
        steps = np.abs(rows).max(axis=1, keepdims=True) / np.float32(largest)
        decoded = np.rint(rows / steps) * steps
        figures[f"int{bits}"] = recall([_best(decoded @ query) for query in questions], truth)
    signs = np.where(rows >= 0, np.float32(1), np.float32(-1))
    figures["bit1"] = recall([_best(signs @ query) for query in questions], truth)
    lengths = np.einsum("ij,ij->i", rows, rows) / np.abs(rows).sum(axis=1)
    figures["bit1 with the scale of the tier"] = recall([_best(signs @ query * lengths) for query in questions], truth)
    print(figures, flush=True)
    return figures


def mixed(real: Floats, questions: Floats, centre: Floats, repeats: int = 3) -> dict[str, Any]:
    """Recall@10 of several rules where each row lies in a tier by lot, all four alike likely."""
    collected: dict[str, list[float]] = {}
    truth = [_best(query @ real.T) for query in questions]
    for repeat in range(repeats):
        lots = np.random.default_rng(SEED + repeat).integers(0, len(Tier), len(real))
        for name, rule in _rules(real, lots, centre).items():
            step = 4 if "Fisher" in name else 1  # one arccosh a coordinate takes its time
            found = recall([_best(np.asarray(rule(query))) for query in questions[::step]], truth[::step])
            collected.setdefault(name, []).append(found)
    figures = {name: {"mean": round(float(np.mean(of)), 2), "each": of} for name, of in collected.items()}
    print(figures, flush=True)
    return figures


def _rules(real: Floats, lots: Ranked, centre: Floats) -> dict[str, Callable[[Floats], Any]]:
    """Ways to rank rows of which row i lies in the tier of number `lots[i]`: query -> scores."""
    dim = real.shape[1]
    decoded, errors, bits = np.empty_like(real), np.empty(len(real), np.float32), np.empty(len(real))
    owners = [np.flatnonzero(lots == k) for k in range(len(Tier))]
    stores = [Store.of(real[own], tier) for own, tier in zip(owners, Tier, strict=True)]
    centred = [Store.of(real[own], tier, centre) for own, tier in zip(owners, Tier, strict=True)]
    for own, store in zip(owners, stores, strict=True):
        decoded[own], errors[own] = decode(store.codes), store.codes.errors
        bits[own] = 8 * row_bytes(store.codes.tier, dim) / dim
    lengths = np.linalg.norm(decoded, axis=1)
    # L2 by least squares: decoded rows as near as can be to the exact ones, also at one bit.
    least = decoded * np.where(bits == 1, 1 / (1 + errors), 1)[:, None].astype(np.float32)
    half, half_least = (np.einsum("ij,ij->i", rows, rows) / 2 for rows in (decoded, least))
    # Inflation by bits as in SuperLocalMemory V3.3, sigma (32 / bits)^kappa with kappa 1/2; sigma 0.2.
    inflated = 0.2 * np.sqrt(32 / bits)[:, None]

    def ours(of: list[Store], caution: float) -> Callable[[Floats], Floats]:
        def rule(query: Floats) -> Floats:
            out = np.empty(len(real), np.float32)
            for own, store in zip(owners, of, strict=True):
                out[own] = store.estimated(query, caution=caution)
            return out

        return rule

    return {
        "dot product of decoded": lambda query: decoded @ query,
        "L2 of decoded": lambda query: decoded @ query - half,
        "L2 of decoded, least squares": lambda query: least @ query - half_least,
        "cosine of decoded": lambda query: decoded @ query / lengths,
        **{f"caution {z}": ours(stores, z) for z in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)},
        "caution 1.0, centred": ours(centred, 1.0),
        "Fisher-Rao, measured error": lambda query: -with_measured_error(query, decoded, errors),
        "Fisher-Rao, inflated by bits": lambda query: -squared_distance(query, 0.2, decoded, inflated),
    }


def copies(real: Floats, questions: Floats) -> dict[str, Any]:
    """How often the exact copy of a memory stands before its coarse one, in percent, over each question's ten best."""
    exact = Store.of(real, Tier.FP16)
    figures: dict[str, Any] = {}
    for tier in (Tier.INT8, Tier.INT4, Tier.BIT1):
        coarse = Store.of(real, tier)
        wins: dict[str, list[bool]] = {}
        for query in questions:
            best = _best(query @ real.T)
            rows = np.concatenate([decode(exact.codes[best]), decode(coarse.codes[best])])
            lost = np.concatenate([exact.codes.errors[best], coarse.codes.errors[best]])
            ways = {"L2 of decoded": rows @ query - np.einsum("ij,ij->i", rows, rows) / 2}
            for z in (0.0, 1.0, 2.0):
                ways[f"caution {z}"] = np.concatenate([s.estimated(query, best, z) for s in (exact, coarse)])
            for name, scores in ways.items():
                wins.setdefault(name, []).extend(scores[:TOP] > scores[TOP:])
            order = np.argsort(-ways["caution 1.0"], kind="stable")
            order = order[exact_first(rows[order], lost[order])]
            places = np.argsort(order)
            wins.setdefault("caution 1.0, exact first", []).extend(places[:TOP] < places[TOP:])
        figures[tier.value] = {name: round(100 * float(np.mean(of)), 2) for name, of in wins.items()}
    print(figures, flush=True)
    return figures


def calibration(real: Floats, questions: Floats) -> dict[str, Any]:
    """Mean and spread of (estimate - exact) / standard error, over all questions and real rows."""
    figures = {}
    for tier, centre in [(t, c) for t in (Tier.INT8, Tier.INT4, Tier.BIT1) for c in (None, real.mean(axis=0))]:
        store = Store.of(real, tier, centre)
        off, largest = [], []
        for query in questions:
            left = query @ (real - store.centre).T
            found = estimates(
                tier_scores(query, store.codes), store.codes.errors, tier, real.shape[1], squares=store.squares
            )
            off.append((found.values - left) / np.maximum(found.standard_errors, 1e-9))
            largest.append(found.standard_errors.mean())
        every = np.concatenate(off)
        figures[tier.value + (" centred" if centre is not None else "")] = {
            "mean": round(float(every.mean()), 3),
            "standard_deviation": round(float(every.std()), 3),
            "standard_error": round(float(np.mean(largest)), 5),
        }
    print(figures, flush=True)
    return figures


def stepping_down(rows: Floats, questions: Floats) -> dict[str, Any]:
    """Recall@10 of rows that came to a tier by steps, beside rows that were encoded there at once."""
    truth = [_best(query @ rows.T) for query in questions]
    steps = {"int8": [Tier.INT8], "int4": [Tier.INT4], "bit1": [Tier.BIT1], "fp16, int8": [Tier.FP16, Tier.INT8]}
    steps |= {"int8, int4": [Tier.INT8, Tier.INT4], "int8, bit1": [Tier.INT8, Tier.BIT1]}
    steps |= {"fp16, int8, int4, bit1": list(Tier)}
    figures: dict[str, Any] = {}
    for name, (first, *rest) in steps.items():
        codes = encode(rows, first)
        for tier in rest:
            codes = step_down(codes, tier)
        measured = float(np.square(rows - decode(codes)).sum(axis=1).mean())
        ones = np.ones(len(rows), np.float32)
        store = Store(codes, np.zeros(rows.shape[1], np.float32), ones)
        figures[name] = {
            "recall@10": recall([_best(store.estimated(query)) for query in questions], truth),
            "mean_error": measured,
            "mean_error_as_kept": float(codes.errors.mean()),
        }
    print(figures, flush=True)
    return figures


def recall(found: list[Ranked], truth: list[Ranked]) -> float:
    """Mean share of the true ten that were found, in percent."""
    return round(100 * float(np.mean([len(set(a) & set(b)) / TOP for a, b in zip(found, truth, strict=True)])), 2)


def _again(store: Store, query: Floats, some: Ranked) -> Ranked:
    return some[_best(store.estimated(query, some))]


def _sixteen_levels(query: Floats) -> Floats:
    """A query as counting against four bit planes would see it."""
    low = query.min()
    step = (query.max() - low) / np.float32(15)
    levels: Floats = np.rint((query - low) / step) * step + low
    return levels


def _best(scores: NDArray[Any], count: int = TOP) -> Ranked:
    """Positions of the best, best first; the lower one first where scores are equal."""
    some = np.argpartition(-scores, count - 1)[:count] if count < len(scores) else np.arange(len(scores))
    return some[np.lexsort((some, -scores[some]))]


def _even(rows: list[Any], most: int) -> list[Any]:
    return rows[:: -(-len(rows) // most)]


def _quantiles(values: NDArray[Any]) -> list[float]:
    return [round(float(value), 4) for value in np.quantile(values, [0.1, 0.5, 0.9])]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder for each set")
    parser.add_argument("--cache", type=Path, required=True, help="folder for vectors, made if missing")
    parser.add_argument("--set", action="append", choices=SETS, help="a set; default: four")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the enlarged store")
    return parser.parse_args()


if __name__ == "__main__":
    main()
