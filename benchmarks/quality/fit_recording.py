"""What a fit needs of each question: recorded once from the running service, and kept in a file.

Every question is asked with profile `balanced`, by the service's own model, bank, channels and cross-encoder. Kept are
the features of all candidates for the fusion, those of the candidates that were read for the final order, and the
evidence of the confidence. Every second question is asked again with its right memories hidden, and questions that
nothing answers are asked too: of them only the evidence is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.learning import Case
from benchmarks.quality.local import LocalService
from benchmarks.quality.recording import Recorded, Recorder, recording
from benchmarks.quality.run import write_rows
from benchmarks.quality.sets import Json, Set
from retrieval.confidence import READ, SEEN, evidence
from retrieval.fusion import (
    Fusion,
    FusionWeights,
    ReciprocalRanks,
    StandardisedScores,
    Weighing,
    share_of_best,
    standardised,
)
from retrieval.types import QuestionType

ANSWERABLE, HIDDEN, UNANSWERABLE = 0, 1, 2
OTHER_FUSIONS: Mapping[str, Fusion] = {
    "reciprocal ranks": ReciprocalRanks(),
    "standardised scores": StandardisedScores(),
}
_TYPES = tuple(QuestionType)


@dataclass(frozen=True, slots=True)
class Told:
    """What is known for the confidence of one answer: by `SEEN` and by `READ`, and whether a right one was in reach.

    Attributes:
        asked: `ANSWERABLE`, `HIDDEN` or `UNANSWERABLE`.
        found_seen, found_read: whether a right memory was among the first ten of the first stage, and of the answer.
    """

    seen: NDArray[np.float64]
    read: NDArray[np.float64]
    asked: int
    found_seen: bool
    found_read: bool


@dataclass(slots=True)
class Recordings:
    """One set.

    Attributes:
        fusion, order: the questions as each stage saw them; the same place is the same question, None where it is not
            in that stage.
        types: of the questions.
        others: what other fusions put first, right or wrong, by name.
    """

    fusion: list[Case] = field(default_factory=list)
    order: list[Case | None] = field(default_factory=list)
    types: list[QuestionType] = field(default_factory=list)
    others: dict[str, list[NDArray[np.bool_]]] = field(default_factory=lambda: {name: [] for name in OTHER_FUSIONS})
    told: list[Told] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Writes plain arrays (no objects)."""
        orders = [one for one in self.order if one is not None]
        np.savez_compressed(
            path,
            **_flat("fusion", self.fusion),
            **_flat("order", orders),
            read=np.array([one is not None for one in self.order], dtype=np.bool_),
            types=np.array([_TYPES.index(one) for one in self.types], dtype=np.int8),
            **{f"other {name}": _tens(flags) for name, flags in self.others.items()},
            seen=np.array([one.seen for one in self.told]).reshape(-1, len(SEEN)),
            evidence_read=np.array([one.read for one in self.told]).reshape(-1, len(READ)),
            told=np.array([(t.asked, t.found_seen, t.found_read) for t in self.told], dtype=np.int8).reshape(-1, 3),
        )

    @classmethod
    def load(cls, path: Path) -> Recordings:
        """Reads what `save` wrote."""
        with np.load(path, allow_pickle=False) as of:
            orders = iter(_cases("order", of))
            told = zip(of["seen"], of["evidence_read"], of["told"].tolist(), strict=True)
            return cls(
                _cases("fusion", of),
                [next(orders) if read else None for read in of["read"].tolist()],
                [_TYPES[at] for at in of["types"].tolist()],
                {name: list(of[f"other {name}"] == 1) for name in OTHER_FUSIONS},
                [Told(seen, read, asked, bool(a), bool(b)) for seen, read, (asked, a, b) in told],
            )


def record(service: LocalService, data: Set) -> Recordings:
    """Plays a set."""
    found = Recordings()
    names: dict[str, str] = {}
    with recording(service) as recorder, _listening(service) as heard:
        for step in data.steps:
            namespace = f"fit/{data.name}/{step.namespace}"
            names |= write_rows(service.post, namespace, step.rows)
            for number, question in enumerate(step.questions):
                asked = ANSWERABLE if question.is_answerable else UNANSWERABLE
                _ask(service, heard, question.body(namespace, top_k=10, profile="balanced"))
                answered = _answered(recorder)
                if answered is None:
                    continue
                right = np.array([names[str(one)] in question.gold for one in answered.ids], dtype=np.bool_)
                found.told.append(_told(heard, answered, right, asked))
                if asked == UNANSWERABLE:
                    continue
                _keep(found, heard, answered, right, len(question.gold))
                if number % 2 == 0 and len(step.rows) > len(question.gold):
                    hidden = {"external_id": {"nin": sorted(question.gold)}}
                    _ask(service, heard, question.body(namespace, top_k=10, profile="balanced", filter=hidden))
                    if (rest := _answered(recorder)) is not None:
                        found.told.append(_told(heard, rest, np.zeros(len(rest.ids), dtype=np.bool_), HIDDEN))
    return found


def channel_names() -> list[str]:
    """Channels in the order of the fusion's features."""
    shipped = FusionWeights.read()
    return [*sorted(shipped.standardised), *sorted(shipped.bonus)]


@dataclass(slots=True)
class _Heard:
    """What the final order and the confidence were given in the last recall."""

    slots: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    rows: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    final: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    first: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    seen: dict[str, float] = field(default_factory=dict)
    read: dict[str, float] = field(default_factory=dict)


@contextmanager
def _listening(service: LocalService) -> Iterator[_Heard]:
    recaller: Any = service.container.recaller
    learned, sure = recaller._order, recaller._confidence
    heard = _Heard()

    class Order:
        def order(self, first: Any, logits: Any, results: Any, led_to: Any = ()) -> Any:
            places, heard.rows = learned.features(first, logits, results, led_to)
            heard.slots = first.slots[places]
            ranking = learned.order(first, logits, results, led_to)
            heard.final = ranking.slots[:10]
            return ranking

    def confidence(results: Any, first: Any, logits: Any = None) -> float:
        heard.first = first.slots[:10]
        heard.seen = evidence(results, first)
        heard.read = evidence(results, first, logits)
        return float(sure(results, first, logits))

    recaller._order, recaller._confidence = Order(), confidence
    try:
        yield heard
    finally:
        recaller._order, recaller._confidence = learned, sure


def _ask(service: LocalService, heard: _Heard, body: Json) -> None:
    heard.slots = heard.final = np.empty(0, np.int64)
    heard.seen, heard.read = {}, {}
    service.post("/v1/recall", body)


def _answered(recorder: Recorder) -> Recorded | None:
    last = recorder.last
    return last if last is not None and last.lines else None


def _told(heard: _Heard, answered: Recorded, right: NDArray[np.bool_], asked: int) -> Told:
    def found(slots: NDArray[np.int64]) -> bool:
        return bool(right[np.searchsorted(answered.slots, slots)].any())

    read = heard.read if "read" in heard.read else dict.fromkeys(READ, float("nan"))
    return Told(
        np.array([heard.seen[name] for name in SEEN]),
        np.array([read[name] for name in READ]),
        asked,
        found(heard.first),
        found(heard.final if heard.final.size else heard.first),
    )


def _keep(found: Recordings, heard: _Heard, answered: Recorded, right: NDArray[np.bool_], n_right: int) -> None:
    results = answered.results()
    shipped = FusionWeights.read()
    rows = np.zeros((answered.slots.size, len(channel_names())), np.float32)
    for column, name in enumerate(channel_names()):
        if name in results:
            of = standardised if name in shipped.standardised else share_of_best
            rows[:, column] = of(results[name], answered.slots)
    found.fusion.append(Case(rows, right, n_right))
    weighing = next((one for one in (*answered.arguments, *answered.given.values()) if isinstance(one, Weighing)), None)
    found.types.append(QuestionType.WHAT if weighing is None else weighing.type)
    for name, fusion in OTHER_FUSIONS.items():
        ranking = fusion.fuse(results, 10, Weighing())
        found.others[name].append(right[np.searchsorted(answered.slots, ranking.slots)])
    read = right[np.searchsorted(answered.slots, heard.slots)]
    found.order.append(Case(heard.rows.astype(np.float32), read, n_right) if heard.slots.size else None)


def _flat(name: str, cases: list[Case]) -> dict[str, NDArray[Any]]:
    width = cases[0].rows.shape[1] if cases else 0
    return {
        f"{name} rows": np.concatenate([one.rows for one in cases]) if cases else np.empty((0, width), np.float32),
        f"{name} right": np.concatenate([one.right for one in cases]) if cases else np.empty(0, np.bool_),
        f"{name} sizes": np.array([one.right.size for one in cases], dtype=np.int64),
        f"{name} n_right": np.array([one.n_right for one in cases], dtype=np.int64),
    }


def _cases(name: str, of: Any) -> list[Case]:
    ends = np.cumsum(of[f"{name} sizes"])[:-1]
    rows, right = np.split(of[f"{name} rows"], ends), np.split(of[f"{name} right"], ends)
    counts = of[f"{name} n_right"].tolist()
    return [Case(a, b, n) for a, b, n in zip(rows, right, counts, strict=True)] if counts else []


def _tens(flags: list[NDArray[np.bool_]]) -> NDArray[np.int8]:
    """Lists of at most ten, filled up with -1."""
    out = np.full((len(flags), 10), -1, np.int8)
    for row, of in zip(out, flags, strict=True):
        row[: of.size] = of
    return out
