"""How long a program waits for the client to be imported, and somebody at a terminal for the command to start.

    python -m benchmarks.client_import [--runs 15]

Each run is a process of its own; the kinds of runs take turns, so that what else the machine does hits all alike. The
time of an interpreter that imports nothing is a row of its own, and stands in every other row too. `cpu_ms` is what the
process and its threads used, which a busy machine changes less than `wall_ms`.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import _results

CLIENT = Path(__file__).parents[1] / "clients" / "src"
KINDS = {
    "no import": ["-c", "pass"],
    "import httpx, pydantic": ["-c", "import httpx, pydantic"],
    "import memsvc_client": ["-c", "import memsvc_client"],
    "MemoryClient made": ["-c", "from memsvc_client import MemoryClient; MemoryClient('http://127.0.0.1:1').close()"],
    "memsvc --version": ["-m", "memsvc_client", "--version"],
    "memsvc recall --help": ["-m", "memsvc_client", "recall", "--help"],
    "memsvc recall (no service)": ["-m", "memsvc_client", "--url", "http://127.0.0.1:1", "-n", "a", "recall", "tea"],
}


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument(
        "--client", type=Path, default=CLIENT, help="folder with memsvc_client, such as of another release"
    )
    parser.add_argument("--name", default="client_import")
    options = parser.parse_args()
    environment = os.environ | {"PYTHONPATH": str(options.client)}
    for arguments in KINDS.values():  # what is compiled once is not waited for again
        once(arguments, environment)
    taken: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for _ in range(options.runs):
        for kind, arguments in KINDS.items():
            taken[kind].append(once(arguments, environment))
    figures = {kind: medians(runs) for kind, runs in taken.items()}
    for kind, values in figures.items():
        print(f"{kind:28} {values['wall_ms']:7.1f} ms, {values['cpu_ms']:6.1f} ms of processor time")
    command = f"python -m benchmarks.client_import --runs {options.runs}"
    print(_results.save(options.name, {"runs": options.runs, "median": figures}, command=command))


def once(arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall and processor time of one interpreter, in milliseconds."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=False)
    wall_s, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall_s * 1e3, cpu_s * 1e3


def medians(runs: list[tuple[float, float]]) -> dict[str, float]:
    """The medians of both times."""
    wall, cpu = zip(*runs, strict=True)
    return {"wall_ms": round(statistics.median(wall), 1), "cpu_ms": round(statistics.median(cpu), 1)}


if __name__ == "__main__":
    main()
