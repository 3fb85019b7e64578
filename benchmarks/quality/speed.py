"""How fast the packaged models run on this machine: what a latency of recall has to be read against."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from benchmarks.quality.sets import Json
from retrieval.embedders import packaged as embedders
from retrieval.rerank import packaged as cross_encoders

RUNS = 30
QUESTION = "When did Caroline go to the support group with her friends from school?"
TEXT = " ".join(["We went to the market in the morning and bought some bread and apples for the trip."] * 3)


def model_ms() -> Json:
    """Median milliseconds of one thread: embedding a question of 13 words, reading it with a text of 51 words."""
    embedder, reader = embedders.load(), cross_encoders.load()
    return {
        "embed_question_of_13_words": _median_ms(lambda: embedder.embed_query(QUESTION)),
        "read_pair_of_64_words": _median_ms(lambda: reader.score(QUESTION, [TEXT])),
    }


def _median_ms(run: Callable[[], object]) -> float:
    run()
    times = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        run()
        times.append((time.perf_counter() - begun) * 1e3)
    return round(statistics.median(times), 2)
