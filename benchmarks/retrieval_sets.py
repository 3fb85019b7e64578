"""Retrieval quality: the data sets, scored over HTTP by the evaluation script that comes with them.

    python -m benchmarks.retrieval_sets --evaluate ../shared/eval/evaluate.py

The script and its data are not part of this repository. The script takes `--url`, `--profile`, `--data`, `--set`,
`--limit` and `--out`, writes each set into fresh namespaces, asks every question, and writes a list with one object for
each set. The data folder is `data` beside the script's folder.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from benchmarks import _results
from benchmarks._server import scratch, serve

COMMAND = "python -m benchmarks.retrieval_sets"
CONFLICTS = "current_above_old"
"""The figure of sets that are about outdated memories; they are judged by it and stay out of the mean."""


def main() -> None:
    """Run the script against a fresh server and save its figures."""
    options = _options()
    data = options.data or options.evaluate.resolve().parent.parent / "data"
    missing = [str(path) for path in (options.evaluate, data) if not path.exists()]
    if missing:
        sys.exit(
            f"not there: {', '.join(missing)}. Give the evaluation script with --evaluate and its sets with --data"
        )
    with scratch() as folder, serve(folder / "data") as server:
        out = folder / "sets.json"
        command = [sys.executable, options.evaluate, "--url", server.url, "--profile", options.profile]
        command += ["--data", data, "--out", out, *(part for name in options.set or () for part in ("--set", name))]
        command += ["--limit", str(options.limit)] if options.limit else []
        subprocess.run(command, check=True)
        sets = orjson.loads(out.read_bytes())
        rss = server.rss_bytes()
    figures = {"profile": options.profile, "limit": options.limit, **summary(sets), "rss_bytes": rss, "sets": sets}
    print({name: value for name, value in figures.items() if name != "sets"})
    print(f"saved {_results.save(options.name, figures, command=COMMAND)}")


def summary(sets: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures over all sets.

    Args:
        sets: what the evaluation script wrote.

    Returns:
        Means of nDCG@10 and recall@10 over the sets without outdated memories, in percent; the areas under the curve of
        abstention and the rates of the current memory first, by set; slowest and fastest ingest and recall.
    """
    plain = [one for one in sets if CONFLICTS not in one]
    return {
        "mean_of": len(plain),
        "mean_ndcg@10": _mean(plain, "ndcg@10"),
        "mean_recall@10": _mean(plain, "recall@10"),
        "abstention_auroc": {one["set"]: one["abstention_auroc"] for one in sets if "abstention_auroc" in one},
        CONFLICTS: {one["set"]: one[CONFLICTS] for one in sets if CONFLICTS in one},
        "ingest_rows_per_s": [min(_all(sets, "ingest_rows_per_s")), max(_all(sets, "ingest_rows_per_s"))],
        "recall_p50_ms": [min(_all(sets, "recall_p50_ms")), max(_all(sets, "recall_p50_ms"))],
        "recall_p95_ms": [min(_all(sets, "recall_p95_ms")), max(_all(sets, "recall_p95_ms"))],
    }


def _all(sets: list[dict[str, Any]], name: str) -> list[float]:
    return [one[name] for one in sets]


def _mean(sets: list[dict[str, Any]], name: str) -> float | None:
    return round(statistics.fmean(_all(sets, name)), 2) if sets else None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--evaluate", type=Path, default=Path("../shared/eval/evaluate.py"))
    parser.add_argument("--data", type=Path, help="folder of the sets; default: `data` beside the script's folder")
    parser.add_argument("--set", action="append", help="one of the sets; default: all")
    parser.add_argument("--profile", default="fast", choices=["fast", "balanced", "thorough"])
    parser.add_argument("--limit", type=int, help="about so many questions of each set")
    parser.add_argument("--name", default="retrieval_sets", help="name of the file of figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
