"""All benchmarks of the service, one after the other: what `make bench` runs.

    python -m benchmarks.run_all [--quick]

Run it on a machine that does nothing else. About 35 minutes on two cores; `--quick` takes a few minutes, and
what it saves is not shown by the report. Of the quality of recall it takes a sample: `make quality` measures all.
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
from benchmarks.quality.sets import VARIABLE

ROOT = Path(__file__).parents[1]
SAMPLE = ["--limit", "100", "--name", "quality_sample"]
SAMPLE += [part for name in ("locomo_dev", "hotpotqa", "metatool") for part in ("--set", name)]


def main() -> None:
    """Run each benchmark in a process of its own; one that fails does not stop the others, but the exit code tells."""
    options = _options()
    failed = []
    print(f"load average at the start: {os.getloadavg()[0]:.2f}", flush=True)
    with scratch() as folder:
        for name, arguments in plan(folder, options.evaluate, quick=options.quick, data=_data(options)).items():
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


def plan(folder: Path, evaluate: Path, *, quick: bool, data: Path | None = None) -> dict[str, list[str]]:
    """Names of the benchmarks in order, with their arguments.

    Args:
        folder: an existing folder for the data folder that two of them share.
        evaluate: the evaluation script; without it there is no `retrieval_sets`.
        quick: small sizes, saved under names that the report leaves out.
        data: folder of the sets; without it there is no sample of `quality.run`.
    """
    large = ["--data-dir", str(folder / "large")]
    small = {
        "retrieval_sets": ["--limit", "20", "--set", "metatool", "--set", "locomo_dev"],
        "batch_ingest": ["--number", "100", "--turns", "1"],
        "namespace_100k": ["--memories", "2000", "--calls", "40"],
        "filtered_recall": ["--memories", "2000", "--calls", "10"],
        "namespaces_1000": ["--namespaces", "20", "--calls", "20"],
        "quality.abilities": ["--size", "3", "--profile", "fast"],
        "quality.run": ["--limit", "10", "--set", "metatool", "--profile", "fast"],
    }
    arguments = {name: (small[name] + ["--name", f"quick_{name.replace('.', '_')}"] if quick else []) for name in small}
    arguments["retrieval_sets"] += ["--evaluate", str(evaluate)]
    arguments["namespace_100k"] += large
    arguments["filtered_recall"] += large
    if data is None:
        print("the sets are not there: quality.run is left out (give their folder with --data)", flush=True)
        del arguments["quality.run"]
    else:
        arguments["quality.run"] += ["--data", str(data), *([] if quick else SAMPLE)]
    if not evaluate.exists():
        print(f"{evaluate} is not there: retrieval_sets is left out (give the script with --evaluate)", flush=True)
        del arguments["retrieval_sets"]
    return arguments


def _data(options: argparse.Namespace) -> Path | None:
    """The folder of the sets: as it is given, or beside the folder of the evaluation script."""
    named = options.data or os.environ.get(VARIABLE) or options.evaluate.resolve().parent.parent / "data"
    return Path(named) if Path(named).is_dir() else None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    parser.add_argument("--only", action="append", help="one of the benchmarks; default: all")
    parser.add_argument("--evaluate", type=Path, default=Path("../shared/eval/evaluate.py"), help="for retrieval_sets")
    parser.add_argument("--data", type=Path, help=f"folder of the sets; default: {VARIABLE}, or beside the script's")
    return parser.parse_args()


if __name__ == "__main__":
    main()
