"""What the order of tellings (`lifecycle.telling_order`) makes of recalls; no job runs.

- `first`, `second`, `third`: pairs of `benchmarks._updates`, the updates of all attributes in one namespace. How often
  the newer text stands above the older one, asked for what it changes. The rule and its bounds were chosen at `first`
  alone; `third` is what is reported.
- `first stays`, `second stays`, `third stays`: pairs in which the older text answers and the newer one tells of
  somebody or something else, of the past, or states nothing, or both answer ("many values"), with eight other texts.
  How often the older one stands above the newer, and how often the rule turned the two round.
- sets (`--data`): the same for the outdated facts that a set marks, and recall and nDCG of all.

Each question is asked with the policy's `later_first` at 0 and at its default.

Run: OMP_NUM_THREADS=1 python -m benchmarks.lifecycle_later_first [--data FOLDER --set NAME ... [--rows N] [--short]]
    [--part NAME ...] [--limit N]
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import _updates
from benchmarks._results import save
from benchmarks._updates import Pair
from benchmarks.lifecycle_updates import NUMBER, SEED
from benchmarks.quality import measures
from benchmarks.quality.local import LocalService, local
from benchmarks.quality.sets import Json, Question, Set, Step, read
from lifecycle.policy import DEFAULT
from lifecycle.telling_order import MOST_WORDS
from lifecycle.told_of import words_of

BATCH, TOP_K, OTHERS = 100, 20, 8
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

Found = list[tuple[str, ...]]


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the sets")
    parser.add_argument("--set", action="append", default=[], help="a set, instead of the pairs")
    parser.add_argument("--part", action="append", default=[], choices=tuple(_updates.parts()), help="default: all")
    parser.add_argument("--profile", default="fast", choices=("fast", "balanced", "thorough"))
    parser.add_argument("--limit", type=int, help="about so many questions of each")
    parser.add_argument("--rows", type=int, help="of a set, only namespaces of at most so many rows")
    parser.add_argument(
        "--short", action="store_true", help="of a set, only texts that the rule reads, and their questions"
    )
    options = parser.parse_args()
    names = options.set or [f"{half}{sort}" for half in options.part or _updates.parts() for sort in ("", " stays")]
    figures: dict[str, Any] = {"profile": options.profile}
    for name in names:
        data = (
            made(name, options.limit)
            if not options.set
            else _small(read(options.data / name, options.limit), options.rows)
        )
        data = _short(data) if options.short else data
        figures[name] = measured(data, options.profile)
        print(name, figures[name], flush=True)
    command = f"python -m benchmarks.lifecycle_later_first --profile {options.profile}"
    sets = "".join(f" --set {name}" for name in options.set)
    command += f" --data FOLDER{sets}" if sets else ""
    command += "".join(f" --part {name}" for name in options.part)
    command += f" --limit {options.limit}" if options.limit else ""
    command += f" --rows {options.rows}" if options.rows else ""
    command += " --short" if options.short else ""
    kind = "".join(f"_{name}" for name in options.set or options.part)
    profile = "" if options.profile == "fast" else f"_{options.profile}"
    print(save(f"lifecycle_later_first{kind}{profile}", figures, command=command, seed=SEED))


def _small(data: Set, rows: int | None) -> Set:
    """The namespaces of a set that have at most so many rows, all of them for None."""
    counts: Counter[str] = Counter()
    for step in data.steps:
        counts[step.namespace] += len(step.rows)
    return replace(data, steps=tuple(step for step in data.steps if rows is None or counts[step.namespace] <= rows))


def _short(data: Set) -> Set:
    """The texts of a set that are short enough for the rule, and the questions that they alone answer."""
    steps = []
    for step in data.steps:
        rows = tuple(row for row in step.rows if len(words_of(row["content"])) <= MOST_WORDS)
        ids = {row["external_id"] for row in rows}
        steps.append(replace(step, rows=rows, questions=tuple(q for q in step.questions if q.gold and q.gold <= ids)))
    return replace(data, steps=tuple(steps))


def made(name: str, limit: int | None) -> Set:
    """Pairs of a half as a set."""
    half, _, stays = name.partition(" ")
    return Set(name, tuple((_stays if stays else _changes)(half, limit or NUMBER)), grows=False)


def _changes(half: str, number: int) -> Iterator[Step]:
    """Namespaces in which each attribute changes once: all older texts, then all newer ones."""
    pairs = _updates.updates(half, number, SEED)
    several = len(_updates.attributes(half))
    for start in range(0, number, several):
        part = pairs[start : start + several]
        rows = [_row(half, f"{at}/older", pair.older, at) for at, pair in enumerate(part)]
        rows += [_row(half, f"{at}/newer", pair.newer, several + at) for at, pair in enumerate(part)]
        namespace = f"{half}/{start}"
        asked = [_question(namespace, at, pair, "newer", "older") for at, pair in enumerate(part)]
        yield Step(namespace, tuple(rows), tuple(asked))


def _stays(half: str, number: int) -> Iterator[Step]:
    """A namespace for each distinct pair with a question, other texts first."""
    pairs = _updates.stays(half, number, SEED)
    of_no_question = {pair.older for pair in pairs if pair.sort in ("many values", "said otherwise")}
    rng = random.Random(f"{SEED}/{half}")
    for at, pair in enumerate({(pair.older, pair.newer): pair for pair in pairs if pair.question}.values()):
        others = sorted(of_no_question - {pair.older, pair.newer})
        texts = [*rng.sample(others, OTHERS), pair.older, pair.newer]
        names = [*(f"other/{place}" for place in range(OTHERS)), f"{at}/older", f"{at}/newer"]
        rows = [_row(half, name, text, day) for day, (name, text) in enumerate(zip(names, texts, strict=True))]
        namespace = f"{half}/stays/{at}"
        yield Step(namespace, tuple(rows), (_question(namespace, at, pair, "older", "newer"),))


def _row(half: str, name: str, text: str, day: int) -> Json:
    at = (_BEGIN + timedelta(days=day)).isoformat()
    speaker = _updates.SPEAKER[half]
    return {"external_id": name, "content": text, "kind": "semantic", "speaker": speaker, "occurred_at": at}


def _question(namespace: str, at: int, pair: Pair, right: str, wrong: str) -> Question:
    gold, outdated = frozenset({f"{at}/{right}"}), frozenset({f"{at}/{wrong}"})
    return Question(f"{namespace}/{at}", pair.sort, namespace, pair.question, None, gold, outdated)


def measured(data: Set, profile: str) -> dict[str, Any]:
    """Figures of a set without and with the order of tellings."""
    asked = [question for step in data.steps for question in step.questions]
    before: Found = []
    after: Found = []
    with tempfile.TemporaryDirectory() as folder, local(Path(folder)) as service:
        for step in data.steps:
            for at in range(0, len(step.rows), BATCH):
                rows = list(step.rows[at : at + BATCH])
                service.post("/v1/memories:batch", {"namespace": step.namespace, "memories": rows})
            _bound(service, step.namespace, 0.0)
            before += _answers(service, step, profile)
            _bound(service, step.namespace, DEFAULT.later_first)
            after += _answers(service, step, profile)
    return {
        "questions": len(asked),
        "before": judged(asked, before),
        "after": judged(asked, after),
        "turned round": _turned(asked, before, after),
        "changed answers": sum(one != other for one, other in zip(before, after, strict=True)),
        "same memories found": all(set(one) == set(other) for one, other in zip(before, after, strict=True)),
    }


def _turned(asked: Sequence[Question], before: Found, after: Found) -> dict[str, Any] | None:
    """In how many percent of the questions, and of each sort, the order of right and wrong is another one."""
    first = [
        (q.type, *(measures.current_first(hits, q.gold, q.outdated) for hits in both))
        for q, *both in zip(asked, before, after, strict=True)
        if q.outdated
    ]
    turned = [(sort, float(one != other)) for sort, one, other in first]
    sorts = dict.fromkeys(sort for sort, _ in turned)
    by_sort = {sort: measures.percent([value for own, value in turned if own == sort]) for sort in sorts}
    return {"all": measures.percent([value for _, value in turned]), "by sort": by_sort} if turned else None


def _bound(service: LocalService, namespace: str, apart: float) -> None:
    body = {"namespace": namespace, "policy": {"later_first": apart}, "schedules": {}}
    service.put("/v1/policy", body)


def _answers(service: LocalService, step: Step, profile: str) -> Found:
    bodies = [question.body(step.namespace, top_k=TOP_K, profile=profile) for question in step.questions]
    answers = [service.post("/v1/recall", body) for body in bodies]
    return [tuple(hit["memory"]["external_id"] for hit in answer["hits"]) for answer in answers]


def judged(questions: Sequence[Question], found: Found) -> dict[str, Any]:
    """Figures of one round of questions, in percent."""
    pairs = list(zip(questions, found, strict=True))
    first = [(q.type, measures.current_first(hits, q.gold, q.outdated)) for q, hits in pairs if q.outdated]
    of = [measures.ranked(hits, q.gold) for q, hits in pairs if q.is_answerable]
    sorts = dict.fromkeys(sort for sort, _ in first)
    return {
        "right above wrong": measures.percent([value for _, value in first]) if first else None,
        "by sort": {sort: measures.percent([value for own, value in first if own == sort]) for sort in sorts},
        **{name: measures.percent([one[name] for one in of]) for name in ("recall@10", "ndcg@10")},
    }


if __name__ == "__main__":
    main()
