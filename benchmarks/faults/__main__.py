"""Plays rows of the promise table, or plants faults and looks whether they are seen.

    python -m benchmarks.faults --row R-09 --seed 7 --long
    python -m benchmarks.faults --short
    python -m benchmarks.faults --sabotage

Without `--row`, every row. `--n` says how often in the place of `--short` (the default) and `--long`: pairs, faults,
seconds, as `--list` shows. A long run starts its servers as an operator does; a short one forks them from a process
that has everything imported. The seed is printed; of a run in which a promise was broken, all that was written is kept.
Results of long runs go to `benchmarks/results/fault_<row>.json`.

Process crashes, not power loss: of that, R-07 shows the order of system calls.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._results import save
from benchmarks.faults.row import Findings, Row
from benchmarks.faults.rows import ROWS
from benchmarks.faults.stage import Stage


def play(row: Row, n: int, seed: int, *, is_fresh: bool) -> Findings:
    """One row on a stage of its own; what it wrote is kept if a promise was broken."""
    folder = Path(tempfile.mkdtemp(prefix=f"memsvc-{row.id}-"))
    begun = time.monotonic()
    try:
        with Stage(folder, seed, is_fresh=is_fresh, say=lambda text: print(f"  {text}", flush=True)) as stage:
            findings = row.run(stage, n)
    except BaseException:
        print(f"{row.id}: the run itself failed; what it wrote is in {folder}", flush=True)
        raise
    findings.figures |= {"row": row.id, "promise": row.promise, "seconds": round(time.monotonic() - begun, 1)}
    if findings.broken:
        print(f"{row.id}: a promise was broken; the evidence is in {folder}", flush=True)
    else:
        shutil.rmtree(folder)
    return findings


def main() -> None:
    """Exits with 1 if a promise was broken, or a planted fault was not seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", action="append", choices=sorted(ROWS), help="repeatable; default: all")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--short", action="store_true", help="a look; nothing is saved")
    extent.add_argument("--long", action="store_true", help="a result worth keeping, saved")
    parser.add_argument("--n", type=int, help="how often; saved like a long run with --long")
    parser.add_argument("--list", action="store_true", help="show the rows")
    parser.add_argument("--sabotage", action="store_true", help="plant every fault and look whether it is seen")
    given = parser.parse_args()
    if given.list:
        for row in ROWS.values():
            print(f"{row.id}  {row.promise} (short {row.short}, long {row.long} {row.unit})")
        return
    print(f"seed {given.seed}", flush=True)
    if given.sabotage:
        from benchmarks.faults import sabotage  # the tests are needed for nothing else

        sys.exit(not sabotage.main(given.seed))
    broken = []
    for row in (ROWS[name] for name in given.row or ROWS):
        n = given.n or (row.long if given.long else row.short)
        findings = play(row, n, given.seed, is_fresh=given.long)
        command = f"python -m benchmarks.faults --row {row.id} --seed {given.seed} --n {n}"
        if given.long:
            save(
                f"fault_{row.id.lower().replace('-', '_')}",
                findings.as_json(),
                command=f"{command} --long",
                seed=given.seed,
            )
        print(f"{row.id} {row.promise}\n{json.dumps(findings.as_json(), indent=2)}", flush=True)
        broken += [row.id] if findings.broken else []
    if broken:
        sys.exit(f"broken: {', '.join(broken)}")


if __name__ == "__main__":
    main()
