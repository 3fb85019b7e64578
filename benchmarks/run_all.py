"""All benchmarks of the service, one after the other: what `make bench` runs.

    python -m benchmarks.run_all [--quick]

Run it on a machine that does nothing else. Under 25 minutes on two cores; `--quick` takes a few minutes, and
what it saves is not shown by the report.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import report
from benchmarks._server import scratch

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Run each benchmark in a process of its own; one that fails does not stop the others, but the exit code tells."""
    options = _options()
    failed = []
    print(f"load average at the start: {os.getloadavg()[0]:.2f}", flush=True)
    with scratch() as folder:
        for name, arguments in plan(folder, options.evaluate, quick=options.quick).items():
            if options.only and name not in options.only:
                continue
            print(f"\n=== {name} {' '.join(arguments)}", flush=True)
            begun = time.perf_counter()
            code = subprocess.run(
                [sys.executable, "-m", f"benchmarks.{name}", *arguments], cwd=ROOT, check=False
            ).returncode
            print(f"=== {name}: exit code {code} after {time.perf_counter() - begun:.0f} s", flush=True)
            failed += [name] if code else []
    if not options.quick:
        report.write()
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def plan(folder: Path, evaluate: Path, *, quick: bool) -> dict[str, list[str]]:
    """Names of the benchmarks in order, with their arguments.

    Args:
        folder: an existing folder for the data folder that two of them share.
        evaluate: the evaluation script; without it there is no `retrieval_sets`.
        quick: small sizes, saved under names that the report leaves out.
    """
    large = ["--data-dir", str(folder / "large")]
    small = {
        "retrieval_sets": ["--limit", "20", "--set", "metatool", "--set", "locomo_dev"],
        "batch_ingest": ["--number", "100", "--turns", "1"],
        "namespace_100k": ["--memories", "2000", "--calls", "40"],
        "filtered_recall": ["--memories", "2000", "--calls", "10"],
        "namespaces_1000": ["--namespaces", "20", "--calls", "20"],
    }
    arguments = {name: (small[name] + ["--name", f"quick_{name}"] if quick else []) for name in small}
    arguments["retrieval_sets"] += ["--evaluate", str(evaluate)]
    arguments["namespace_100k"] += large
    arguments["filtered_recall"] += large
    if not evaluate.exists():
        print(f"{evaluate} is not there: retrieval_sets is left out (give the script with --evaluate)", flush=True)
        del arguments["retrieval_sets"]
    return arguments


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    parser.add_argument("--only", action="append", help="one of the benchmarks; default: all")
    parser.add_argument("--evaluate", type=Path, default=Path("../shared/eval/evaluate.py"), help="for retrieval_sets")
    return parser.parse_args()


if __name__ == "__main__":
    main()
