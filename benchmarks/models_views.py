"""Do further views of a memory pay: what it says with its pronouns resolved, its core, a question that it answers?

    python -m benchmarks.models_views --data DATA --cache CACHE [--set NAME]

Each kind of view is made by rules from the text, embedded, and put beside the memory's own vector; the semantic channel
then takes the best of them. Every question of a set is asked with each, of the semantic channel alone and fused with
the keyword channel.

- resolved: in what somebody says "I" becomes their name and "you" that of whoever spoke before;
- core: the sentence whose terms are rarest in the namespace, without the rest;
- question: "What did NAME say about A, B and C?" over the rarest terms, "What about A, B and C?" where nobody speaks.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _results
from benchmarks.models_compare import WORKERS, Scores, score, vectors
from benchmarks.models_data import SETS, DataSet, load
from benchmarks.models_embedders import candidates
from retrieval.analysis.analyser import TextAnalyser
from retrieval.analysis.terms import stems
from retrieval.embedders.packaged import DEFAULT_MODEL
from retrieval.fusion import ReciprocalRanks, StandardisedScores

COMMAND = "python -m benchmarks.models_views --data DATA --cache CACHE"
SHORT_SETS = ("locomo_dev", "metatool", "hotpotqa")
_SPOKEN = re.compile(r"^(\p{Lu}[^:\n]{0,40}): ".replace(r"\p{Lu}", "[A-Z]"))
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]+")
_FIRST = {
    "i": "{0}",
    "me": "{0}",
    "my": "{0}'s",
    "mine": "{0}'s",
    "i'm": "{0} is",
    "i've": "{0} has",
    "i'll": "{0} will",
}
_SECOND = {"you": "{0}", "your": "{0}'s", "yours": "{0}'s", "you're": "{0} is", "you've": "{0} has"}
_TELLING = 3
Rarity = Callable[[str], float]
View = Callable[[str, str, str, Rarity], str]
"""Text, its speaker and the one before ("" if there is none), and how rare a term is -> a view, or "" for none."""


def resolved(text: str, speaker: str, other: str, rarity: Rarity) -> str:
    """What somebody says, in the third person."""
    if not speaker:
        return ""
    said = _SPOKEN.sub("", text)
    forms = {word: form.format(speaker) for word, form in _FIRST.items()}
    forms |= {word: form.format(other) for word, form in _SECOND.items()} if other else {}
    return _WORD.sub(lambda word: forms.get(word.group().lower().replace("’", "'"), word.group()), said)


def core(text: str, speaker: str, other: str, rarity: Rarity) -> str:
    """The most telling sentence; none where there is but one."""
    sentences = [part for part in _SENTENCE.split(_SPOKEN.sub("", text)) if part.strip()]
    if len(sentences) < 2:
        return ""
    best = max(sentences, key=lambda part: sum(sorted(map(rarity, set(stems(part))), reverse=True)[:8]))
    return f"{speaker}: {best}" if speaker else best


def question(text: str, speaker: str, other: str, rarity: Rarity) -> str:
    """A question that the memory is likely to answer."""
    words = dict.fromkeys(word for word in _WORD.findall(_SPOKEN.sub("", text)) if stems(word))
    told = sorted(words, key=lambda word: -max(map(rarity, stems(word))))[:_TELLING]
    if not told:
        return ""
    listed = " and ".join(filter(None, (", ".join(told[:-1]), told[-1])))
    return f"What did {speaker} say about {listed}?" if speaker else f"What about {listed}?"


VIEWS: dict[str, View] = {"resolved": resolved, "core": core, "question": question}


def main() -> None:
    """Embeds, asks, saves."""
    options = _options()
    candidate = candidates(None)[DEFAULT_MODEL]
    model = candidate.load()
    figures: dict[str, Any] = {}
    for name in options.set or SHORT_SETS:
        data = load(options.data / name)
        documents, questions = vectors(DEFAULT_MODEL, candidate, model, data, options.cache)
        analyser = TextAnalyser()
        terms = [analyser.analyse(row["content"]).terms for row in data.corpus]
        figures[name] = {"as it is": _asked(data, terms, documents, questions)}
        for kind, make in VIEWS.items():
            texts = list(views_of(data, make))
            with ThreadPoolExecutor(WORKERS) as pool:
                more = list(pool.map(lambda text: model.embed_documents([text])[0] if text else None, texts))
            both = [
                own if new is None else np.concatenate([own, new]) for own, new in zip(documents, more, strict=True)
            ]
            figures[name][f"with {kind}"] = _asked(data, terms, both, questions)
            figures[name][f"with {kind}"]["views"] = sum(bool(text) for text in texts)
        for way, of in figures[name].items():
            print(name, way, of, flush=True)
    print(_results.save("models_views", figures, command=COMMAND))


def views_of(data: DataSet, make: View) -> Iterator[str]:
    """A view of each row, in their order."""
    counts = {namespace: Counter[str]() for namespace in {row["namespace"] for row in data.corpus}}
    for row in data.corpus:
        counts[row["namespace"]].update(set(stems(row["content"])))
    last: dict[str, tuple[str, str]] = {}
    for row in data.corpus:
        of = counts[row["namespace"]]
        spoken = _SPOKEN.match(row["content"])
        speaker = spoken.group(1) if spoken and row["kind"] == "episodic" else ""
        before, earlier = last.get(row["namespace"], ("", ""))
        other = before if before != speaker else earlier
        if speaker:
            last[row["namespace"]] = (speaker, other)
        yield make(row["content"], speaker, other, lambda term, of=of: 1.0 / (1 + of[term]))  # type: ignore[misc]


def _asked(data: DataSet, terms: Any, documents: Any, questions: Any) -> dict[str, Any]:
    fusions = {"fused": StandardisedScores(), "reciprocal ranks": ReciprocalRanks()}
    found: Scores = score(data, terms, documents, questions, fusions=fusions)  # type: ignore[arg-type]
    return {way: found[way] for way in ("semantic", "fused")}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder for each set")
    parser.add_argument("--cache", type=Path, required=True, help="folder for vectors, made if missing")
    parser.add_argument("--set", action="append", choices=SETS, help="a set; default: three with short texts")
    return parser.parse_args()


if __name__ == "__main__":
    main()
