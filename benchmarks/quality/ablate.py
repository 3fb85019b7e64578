"""What each channel is worth: its recorded list is left out, and the very fusion of the service ranks the rest.

    python -m benchmarks.quality ablate --data DATA [--set NAME] [--limit N] [--no-abilities]

The service runs in this process, with its own model, bank, channels and fusion. Every question is asked once, with
profile `fast`; all that its channels said is recorded and fused again: with all channels (which must give the
service's own ranking) and without each one; and each channel's own list is scored. Losses are paired, question by
question, with a bootstrap interval. Besides the real sets, the made-up abilities are played, for the channels that the
sets do not use.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks import _results
from benchmarks._server import scratch
from benchmarks.quality import measures
from benchmarks.quality.ability import ASKED_AT, Ability, tell
from benchmarks.quality.generated import MAKERS
from benchmarks.quality.local import LocalService, local
from benchmarks.quality.recording import Recorded, Recorder, recording
from benchmarks.quality.run import ask, write_rows
from benchmarks.quality.sets import AVERAGED, Json, Set, add_options, folders, read
from retrieval.fusion import Fusion, ReciprocalRanks, StandardisedScores

COMMAND = "python -m benchmarks.quality ablate --data DATA"
NAME = "quality_ablation"
SEED = 1
ALL = "all"
OTHER_FUSIONS: Mapping[str, Fusion] = {
    "standardised scores": StandardisedScores(),
    "reciprocal ranks": ReciprocalRanks(),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded question.

    Attributes:
        served: what the service answered, external ids, best first.
        names: external ids by memory id.
        score: of a ranking of external ids, by measure, each 0 to 1.
    """

    type: str
    recorded: Recorded
    served: tuple[str, ...]
    names: Mapping[str, str]
    score: Callable[[Sequence[str]], Mapping[str, float]]

    def fused(self, fusion: Fusion, without: Sequence[str] = ()) -> list[str]:
        """External ids, best first."""
        return [self.names[str(one)] for one in self.recorded.fused(fusion, without)]

    def listed(self, channel: str) -> list[str]:
        """The list of one channel, best first."""
        return [self.names[str(self.recorded.ids[place])] for place in self.recorded.lines[channel].listed]


@dataclass(slots=True)
class Losses:
    """Figures of questions, such as what the removal of a channel cost, by type."""

    by_type: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, loss: float) -> None:
        """One question's figure counts for its type and for all."""
        for of in (name, ALL):
            self.by_type.setdefault(of, []).append(loss)

    def figures(self) -> dict[str, Json]:
        """Mean loss in points with its interval, by type."""
        return {
            name: {"questions": len(of), "loss": measures.percent(of), "interval": measures.interval(of, SEED)}
            for name, of in sorted(self.by_type.items())
        }


def main(argv: Sequence[str] | None = None) -> None:
    """Record, replay, save and print."""
    options = _options(argv)
    figures: Json = {"limit": options.limit, "measure": "ndcg@10", "sets": {}, "abilities": {}}
    for folder in folders(options):
        with scratch() as place, local(place / "data") as service, recording(service) as recorder:
            cases = list(record_set(service, recorder, read(folder, options.limit)))
            figures["sets"][folder.name] = replayed(cases, recorder.fusion, "ndcg@10")
        _print(folder.name, figures["sets"][folder.name])
        _save(options.name, figures)
    for name, make in {} if options.no_abilities else MAKERS.items():
        with scratch() as place, local(place / "data") as service, recording(service) as recorder:
            cases = list(record_ability(service, recorder, make(options.size, SEED)))
            figures["abilities"][name] = replayed(cases, recorder.fusion, "score")
        _print(name, figures["abilities"][name])
        _save(options.name, figures)


def record_set(service: LocalService, recorder: Recorder, data: Set) -> Iterator[Case]:
    """Plays a set and records every answerable question."""
    names: dict[str, str] = {}
    for step in data.steps:
        namespace = f"quality/{data.name}/{step.namespace}"
        names |= write_rows(service.post, namespace, step.rows)
        for question in step.questions:
            if question.is_answerable:
                answered = ask(service.post, question, namespace, "fast")
                score = partial(_ranked, question.gold)
                yield Case(question.type, _taken(recorder), answered.found, names, score)


def record_ability(service: LocalService, recorder: Recorder, ability: Ability) -> Iterator[Case]:
    """Plays an ability and records every question."""
    namespace = "quality/ability"
    names = {identity: name for name, identity in tell(service, ability, namespace).items()}
    for asked in ability.asks:
        top_k = max(10, len(asked.gold))
        body = {"namespace": namespace, "query": asked.text, "top_k": top_k, "profile": "fast"}
        answer = service.post("/v1/recall", {**body, "asked_at": ASKED_AT.isoformat()})
        served = tuple(hit["memory"]["external_id"] for hit in answer["hits"])
        yield Case(asked.type, _taken(recorder), served, names, partial(_scored, asked.score, top_k))


def replayed(cases: Sequence[Case], fusion: Fusion, measure: str) -> Json:
    """Figures of one set or ability.

    Args:
        fusion: the service's own.
        measure: by which channels are judged.

    Returns:
        Means with all channels and by type, as served and as replayed; with other fusions; and for each channel in how
        many percent of the questions it took part, what it reaches alone, and what its removal costs.
    """
    full = [case.fused(fusion) for case in cases]
    base = [case.score(found)[measure] for case, found in zip(cases, full, strict=True)]
    channels = sorted({name for case in cases for name in case.recorded.lines})
    return {
        "questions": len(cases),
        "served": _means(cases, [case.served for case in cases]),
        "replayed": _means(cases, full),
        "replay_equals_served": measures.percent(
            [float(tuple(found[:10]) == case.served[:10]) for case, found in zip(cases, full, strict=True)]
        ),
        "other_fusions": {
            name: _means(cases, [case.fused(other) for case in cases])[ALL] for name, other in OTHER_FUSIONS.items()
        },
        "channels": {name: _channel(name, cases, fusion, base, measure) for name in channels},
    }


def _channel(name: str, cases: Sequence[Case], fusion: Fusion, base: Sequence[float], measure: str) -> Json:
    losses, alone = Losses(), Losses()
    there = []
    for case, whole in zip(cases, base, strict=True):
        took_part = name in case.recorded.lines
        there.append(float(took_part))
        alone.add(case.type, case.score(case.listed(name))[measure] if took_part else 0.0)
        without = case.score(case.fused(fusion, without=[name]))[measure] if took_part else whole
        losses.add(case.type, whole - without)
    return {
        "took_part": measures.percent(there),
        "alone": {of: measures.percent(scores) for of, scores in sorted(alone.by_type.items())},
        "removal": losses.figures(),
    }


def _means(cases: Sequence[Case], rankings: Sequence[Sequence[str]]) -> dict[str, dict[str, float]]:
    """Means of every measure in percent, over all and by type."""
    scores: dict[str, list[Mapping[str, float]]] = {}
    for case, found in zip(cases, rankings, strict=True):
        score = case.score(found)
        for name in (ALL, case.type):
            scores.setdefault(name, []).append(score)
    return {
        name: {measure: round(100 * statistics.fmean(one[measure] for one in of), 2) for measure in of[0]}
        for name, of in sorted(scores.items())
    }


def worth(figures: Json) -> dict[str, Json]:
    """For each channel, where its removal costs and where it helps, over all sets and abilities.

    A type counts if the interval of the loss leaves out zero. `mean_loss` is over the averaged sets, in points.
    """
    found: dict[str, Json] = {}
    for kind in ("sets", "abilities"):
        for of, replay in figures[kind].items():
            for name, channel in replay["channels"].items():
                one = found.setdefault(name, {"costs_on": {}, "helps_on": {}, "losses": []})
                if of in AVERAGED:
                    one["losses"].append(channel["removal"][ALL]["loss"])
                for type_, loss in channel["removal"].items():
                    low, high = loss["interval"]
                    where = f"{of}: {type_}"
                    if low > 0:
                        one["costs_on"][where] = loss["loss"]
                    elif high < 0:
                        one["helps_on"][where] = -loss["loss"]
    for one in found.values():
        losses = one.pop("losses")
        one["mean_loss"] = round(sum(losses) / len(losses), 2) if losses else None
    return dict(sorted(found.items()))


def _taken(recorder: Recorder) -> Recorded:
    if recorder.last is None:
        raise RuntimeError("the recall went past the recorder")
    return recorder.last


def _ranked(gold: frozenset[str], found: Sequence[str]) -> dict[str, float]:
    return {name: of for name, of in measures.ranked(found[:20], gold).items() if name in ("ndcg@10", "recall@10")}


def _scored(score: Callable[[Sequence[str]], float], top_k: int, found: Sequence[str]) -> dict[str, float]:
    return {"score": score(found[:top_k])}


def _save(name: str, figures: Json) -> None:
    _results.save(name, {**figures, "worth": worth(figures)}, command=COMMAND, seed=SEED)


def _print(name: str, figures: Json) -> None:
    agree = figures["replay_equals_served"]
    print(f"{name}: {figures['replayed'][ALL]} ({figures['questions']} questions, replay as served {agree} %)")
    for channel, of in figures["channels"].items():
        removal = ", ".join(f"{type_} {loss['loss']:+.2f}" for type_, loss in of["removal"].items())
        print(
            f"  {channel:16s} in {of['took_part']:6.2f} %  alone {of['alone'][ALL]:6.2f}  removal costs {removal}",
            flush=True,
        )


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality ablate", description=(__doc__ or "").split("\n")[0]
    )
    add_options(parser)
    parser.add_argument("--no-abilities", action="store_true", help="the real sets alone")
    parser.add_argument("--size", type=int, default=15, help="of the abilities: about so many cases of each")
    parser.add_argument("--name", default=NAME, help="name of the file of figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
