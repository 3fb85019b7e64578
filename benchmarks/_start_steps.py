"""How long each step of a start takes, in one process that does what `memsvc serve` does up to listening.

python -m benchmarks._start_steps --data-dir DIR
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil


def start_steps(data_dir: Path) -> dict[str, float]:
    """Seconds of each step over an existing data folder, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks._start_steps", "--data-dir", data_dir]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    steps: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return steps


def main() -> None:
    """Take the steps and print their times as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    options = parser.parse_args()
    marks = [("", psutil.Process().create_time())]

    # Not at the top: imports are what the first step measures.
    from memsvc.commands.server import Container
    from memsvc.core.settings import load_settings

    marks.append(("imports_s", time.time()))

    def said(text: str) -> None:
        if text.startswith("schema"):
            marks.append(("database_model_and_scans_s", time.time()))

    container = Container(load_settings(data_dir=options.data_dir), say=said)
    marks.append(("assembly_s", time.time()))
    container.start()
    marks.append(("bank_load_s", time.time()))
    container.close()
    steps = {name: round(at - before, 2) for (_, before), (name, at) in itertools.pairwise(marks)}
    print(json.dumps(steps | {"sum_s": round(marks[-1][1] - marks[0][1], 2)}))


if __name__ == "__main__":
    main()
