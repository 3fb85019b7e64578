"""Real embeddings in one file, for `python -m gpu.bench` on a machine that has neither the texts nor the model.

    python -m benchmarks.bank_embeddings --data DATA --out embeddings.npz

The file holds `rows` float16 `[n, dim]`, texts of several sets (the first 500 characters, first view, no context), and
`questions` float16 `[q, dim]`, the sets' own questions, both with the packaged model, distinct texts, unit length.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks._enlarged import embedded

SETS = ("locomo_dev", "epbench_olmo", "realmem", "covidqa_global", "hotpotqa", "gorilla")


def main() -> None:
    """Embeds and writes."""
    parser = argparse.ArgumentParser(description="Embeds texts and questions into one file.")
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder for each set")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=8_000)
    parser.add_argument("--questions", type=int, default=500)
    options = parser.parse_args()
    found = embedded([options.data / name for name in SETS], options.texts, options.questions)
    np.savez(options.out, rows=found.rows.astype(np.float16), questions=found.questions.astype(np.float16))
    print(f"{len(found.rows)} rows and {len(found.questions)} questions in {options.out}")


if __name__ == "__main__":
    main()
