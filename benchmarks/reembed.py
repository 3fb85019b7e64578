"""What moving a namespace to another embedding model costs, and what recall finds before, meanwhile and afterwards.

    python -m benchmarks.reembed --set DATA/metatool --second sentence-transformers:FOLDER

On SQLite, in one process. Questions of a set are asked all the time while the job works; an answer that differs from
the one before the move means that something was lost, and there are no figures. So it is with the answers after the
way back.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._results import save
from benchmarks.models_data import DataSet, load
from benchmarks.models_metrics import ndcg_at_10, recall_at_10
from memsvc.auth.keys import create_tenant_with_admin_key
from memsvc.core.settings import Settings
from memsvc.memories.draft import Draft
from memsvc.memories.write import Author
from memsvc.models.tenant import Beside
from memsvc.recall.question import Question
from memsvc.wiring import Container
from retrieval.types import Profile

_AT_ONCE = 200
_PATH = "bench"
_TOP_K = 10


def main() -> None:
    """Measures, and saves what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", type=Path, required=True)
    parser.add_argument("--first", default="packaged:bge-small-en-v1.5-int8")
    parser.add_argument("--second", required=True)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--questions", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder), embedder=given.first, embedder_second=given.second, reembed_share=given.share,
            reranker="none", gpu="off", jobs="off",
        )  # fmt: skip
        container = Container(settings)
        try:
            container.start()
            figures = measure(container, load(given.set), given.questions)
        finally:
            container.close()
    figures |= {"set": given.set.name, "share": given.share}
    print(figures)
    command = f"python -m benchmarks.reembed --set DATA/{given.set.name} --second MODEL --questions {given.questions}"
    save("reembed", figures, command=command)


def measure(container: Container, data: DataSet, most: int) -> dict[str, Any]:
    """Moves the first namespace of a set to the other model, and back."""
    bench = _Bench(container, data, most)
    bench.fill()
    changing, author = container.reembedding, bench.author
    before = bench.answers()
    texts = changing.start(author, _PATH, None, switches=False).progress
    meanwhile = _Meanwhile(bench, before)
    meanwhile.start()
    begun = time.perf_counter()
    while changing.standing(author.tenant_id, _PATH).state is Beside.GROWING:
        container.scheduler.round()
    took_s = time.perf_counter() - begun
    meanwhile.end()
    begun = time.perf_counter()
    changing.switch(author, _PATH)
    switch_s = time.perf_counter() - begun
    after = bench.answers()
    changing.back(author, _PATH)
    if meanwhile.differing or bench.answers() != before:
        raise SystemExit("what was found changed before the switch, or after the way back: no figures")
    overlap = [len(set(one) & set(two)) / _TOP_K for one, two in zip(before, after, strict=True)]
    models = changing.standing(author.tenant_id, _PATH).models
    return {
        "models": models,
        "texts": 0 if texts is None else texts.texts,
        "texts_per_s": round((0 if texts is None else texts.texts) / took_s, 1),
        "switch_s": round(switch_s, 3),
        "recalls_meanwhile": meanwhile.asked,
        "recall_ms_meanwhile_p50": meanwhile.median_ms(),
        "recall_ms_before_p50": bench.median_ms,
        "overlap_at_10": round(float(np.mean(overlap)), 3),
        models[0]: bench.quality(before),
        models[1]: bench.quality(after),
    }


class _Bench:
    """A namespace of a set, and its questions."""

    def __init__(self, container: Container, data: DataSet, most: int) -> None:
        record, _ = create_tenant_with_admin_key(container.database, container.secrets, container.clock, "bench")
        self.author = Author(record.tenant_id, "bench")
        self.median_ms = 0.0
        self._container = container
        self._name = data.corpus[0]["namespace"]
        self._rows = [row for row in data.corpus if row["namespace"] == self._name]
        self._number = {row["id"]: i for i, row in enumerate(self._rows)}
        self._queries = [query for query in data.queries if query["namespace"] == self._name][:most]

    def fill(self) -> None:
        for start in range(0, len(self._rows), _AT_ONCE):
            drafts = [Draft(row["content"], external_id=row["id"]) for row in self._rows[start : start + _AT_ONCE]]
            self._container.remember(self.author, _PATH, drafts)

    def answers(self) -> list[list[int]]:
        timed = [self.asked(i) for i in range(len(self._queries))]
        self.median_ms = round(1e3 * float(np.median([seconds for _, seconds in timed])), 2)
        return [found for found, _ in timed]

    def asked(self, index: int) -> tuple[list[int], float]:
        """The rows that a question finds, and the seconds that it takes."""
        text = self._queries[index % len(self._queries)]["text"]
        question = Question(_PATH, text, _TOP_K, frozenset(), None, None, None, None, None, Profile.FAST, None, None)
        begun = time.perf_counter()
        found = self._container.recall(self.author.tenant_id, question).found
        seconds = time.perf_counter() - begun
        return [self._number[one.memory.external_id] for one in found], seconds

    def quality(self, answers: Sequence[Sequence[int]]) -> dict[str, float]:
        gold = [frozenset(self._number[one] for one in query["gold"]) for query in self._queries]
        pairs = list(zip(answers, gold, strict=True))
        return {
            "ndcg_at_10": round(100 * float(np.mean([ndcg_at_10(found, wanted) for found, wanted in pairs])), 1),
            "recall_at_10": round(100 * float(np.mean([recall_at_10(found, wanted) for found, wanted in pairs])), 1),
        }

    def __len__(self) -> int:
        return len(self._queries)


class _Meanwhile:
    """Asks one question after the other in a thread, and compares."""

    def __init__(self, bench: _Bench, before: list[list[int]]) -> None:
        self.asked, self.differing = 0, 0
        self._seconds: list[float] = []
        self._bench, self._before = bench, before
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def median_ms(self) -> float:
        return round(1e3 * float(np.median(self._seconds)), 2)

    def _ask(self) -> None:
        while not self._over.is_set():
            at = self.asked % len(self._bench)
            found, seconds = self._bench.asked(at)
            self.asked += 1
            self.differing += found != self._before[at]
            self._seconds.append(seconds)
            self._over.wait(0.05)


if __name__ == "__main__":
    main()
