"""Does a text's vector depend on its neighbours in a batch, and what would batches save?

    python -m benchmarks.models_batching

Runs the packaged int8 model on texts alone and in one padded batch, and times equal lengths alone and sixteen at once.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from benchmarks import _results
from retrieval.embedders import packaged

SEED = 1
TEXTS = (
    "Ada planted three apple trees behind the house.",
    "When did Ada plant the apple trees?",
    "tea",
    "The ferry to the island was painted bright orange that winter, and nobody on the pier could say why. " * 6,
)
LENGTHS = (24, 64, 128, 256)
BATCH = 16
REPEATS = 8


def main() -> None:
    """Measures and saves."""
    located = packaged.locate()
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(located.model_file), options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(located.tokenizer_file))
    ids = [tokenizer.encode(text).ids for text in TEXTS]
    alone = np.concatenate([run(session, [one]) for one in ids])
    together = run(session, ids)
    cosines = (alone * together).sum(axis=1)
    rng = np.random.default_rng(SEED)
    timings = {}
    for length in LENGTHS:
        text = rng.integers(2000, 20000, length).tolist()
        timings[str(length)] = {
            "alone_ms": best_ms(session, [text]),
            "in_a_batch_ms": round(best_ms(session, [text] * BATCH) / BATCH, 2),
        }
    figures = {"cosine_alone_to_batched": cosines.round(4).tolist(), "ms_per_text_by_tokens": timings}
    print(figures)
    _results.save("models_batching", figures, command="python -m benchmarks.models_batching", seed=SEED)


def run(session: Any, ids: list[list[int]]) -> NDArray[np.float32]:
    """Unit vectors of one padded batch."""
    tokens = np.zeros((len(ids), max(map(len, ids))), np.int64)
    mask = np.zeros_like(tokens)
    for row, one in enumerate(ids):
        tokens[row, : len(one)], mask[row, : len(one)] = one, 1
    inputs = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
    rows: NDArray[np.float32] = session.run(None, inputs)[0][:, 0]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def best_ms(session: Any, ids: list[list[int]]) -> float:
    """Shortest of several runs."""
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        run(session, ids)
        times.append((time.perf_counter() - begun) * 1e3)
    return round(min(times), 2)


if __name__ == "__main__":
    main()
