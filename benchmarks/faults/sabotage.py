"""Plants each fault in turn and looks whether the row or the test that is there for it fails.

What would be caught must pass without a fault: that is looked at, too, once for each row and test.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks._results import save
from benchmarks.faults.forked import become, forked
from benchmarks.faults.plants import PLANTS, plant
from benchmarks.faults.rows import ROWS
from benchmarks.faults.stage import Stage

ROOT = Path(__file__).parents[2]
_LONGEST_S = 300.0
_PASSED, _FAILED, _NOT_RUN = 0, 10, 11
"""Exit codes of a test's process. A test that fails before its first line has not seen the fault."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether something failed, and where to read how."""

    has_failed: bool
    told: str


def main(seed: int) -> bool:
    """Every fault; saves how many were caught, and returns whether all were."""
    caught: list[str] = []
    missed: dict[str, str] = {}
    broken_before: list[str] = []
    begun = time.monotonic()
    for detector in sorted({one.caught_by for one in PLANTS.values()}):
        if detect(detector, (), seed).has_failed:
            broken_before.append(detector)
            print(f"fails without any fault: {detector}", flush=True)
    for one in PLANTS.values():
        outcome = detect(one.caught_by, (one.name,), seed)
        is_caught = outcome.has_failed and one.caught_by not in broken_before
        print(f"{'caught' if is_caught else 'MISSED'}: {one.name} ({one.caught_by})", flush=True)
        if is_caught:
            caught.append(one.name)
        else:
            missed[one.name] = one.caught_by
    print(f"caught {len(caught)} of {len(PLANTS)}", flush=True)
    figures = {
        "planted": len(PLANTS),
        "caught": len(caught),
        "missed": missed,
        "fail_without_a_fault": broken_before,
        "caught_names": caught,
        "seconds": round(time.monotonic() - begun, 1),
    }
    save("fault_sabotage", figures, command=f"python -m benchmarks.faults --sabotage --seed {seed}", seed=seed)
    return not missed and not broken_before


def detect(detector: str, planted: Sequence[str], seed: int) -> Outcome:
    """Play a row or run a test with faults planted in the processes that it looks at.

    Raises:
        RuntimeError: the test itself could not be run.
    """
    folder = Path(tempfile.mkdtemp(prefix="memsvc-sabotage-"))
    try:
        if detector in ROWS:
            return _row(detector, planted, seed, folder)
        return _test(detector, planted, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _row(name: str, planted: Sequence[str], seed: int, folder: Path) -> Outcome:
    with Stage(folder, seed, planted=planted) as stage:
        findings = ROWS[name].run(stage, ROWS[name].short)
    return Outcome(bool(findings.broken), str(dict(findings.broken)))


def _test(node: str, planted: Sequence[str], folder: Path) -> Outcome:
    log = folder / "log"
    environment = dict(os.environ)
    process = forked(_run_test, node, tuple(planted), environment, str(log))
    try:
        code = process.wait(_LONGEST_S)
    except TimeoutError:
        process.send_signal(9)
        process.wait(10)
        return Outcome(has_failed=True, told=f"{node} did not end")
    told = log.read_text(errors="replace")[-3_000:] if log.exists() else ""
    if code not in {_PASSED, _FAILED}:
        raise RuntimeError(f"{node} could not be run ({code}):\n{told}")
    return Outcome(code == _FAILED, told)


def _run_test(node: str, planted: tuple[str, ...], environment: dict[str, str], log: str) -> None:
    import pytest  # the copy alone needs it

    become(environment, log)
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT), str(ROOT / "clients" / "src")]
    random.seed(0)
    for name in planted:
        plant(name)
    seen: set[tuple[str, str]] = set()

    class Reports:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            seen.add((report.when or "", report.outcome))

    # Assertions of plugins that are imported here already cannot be explained any more; nobody reads them.
    quiet = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    code = pytest.main([*quiet, node], plugins=[Reports()])
    if code == pytest.ExitCode.OK and ("call", "passed") in seen:
        sys.exit(_PASSED)
    sys.exit(_FAILED if ("call", "failed") in seen else _NOT_RUN)
