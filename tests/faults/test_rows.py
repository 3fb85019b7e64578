"""Each row of the promise table in a few seconds: real processes, sockets and databases. Long runs: benchmarks/."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.faults.row import Findings
from benchmarks.faults.rows import ROWS
from benchmarks.faults.soak import theil_sen
from benchmarks.faults.stage import Stage
from benchmarks.faults.synced import BESIDE, judge, judge_failures
from memsvc.db.unsynced import EXIT_CODE

pytestmark = pytest.mark.slow

SEED = 7


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("faults"), SEED) as made:
        yield made


def _not_here(row: str) -> str | None:
    """Why this system cannot play a row."""
    if not sys.platform.startswith("linux"):
        return "it needs Linux"
    if row == "R-07" and shutil.which("strace") is None:
        return "it needs strace"
    if row == "R-08":
        tried = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False)
        return "it needs a mount namespace" if tried.returncode else None
    return None


@pytest.mark.parametrize("name", ROWS)
def test_a_row_holds(stage: Stage, name: str) -> None:
    if reason := _not_here(name):
        pytest.skip(reason)
    findings = ROWS[name].run(stage, ROWS[name].short)
    assert findings.n > 0
    assert not findings.broken, json.dumps(findings.as_json(), indent=1)


def test_a_figure_of_nothing_broken_has_a_bound_and_another_has_none() -> None:
    findings = Findings()
    findings.tried(300)
    assert findings.as_json()["rate_bound_95"] == 0.01
    findings.broke("lost", "this one")
    assert findings.as_json()["rate_bound_95"] is None
    assert findings.as_json()["broken_examples"] == {"lost": ["this one"]}


WAL, SYNC, ACK = (
    ("pwrite64", "5</d/memsvc.db-wal>", True),
    ("fdatasync", "5</d/memsvc.db-wal>", True),
    ("sendto", "HTTP/1.1 201", True),
)
ASIDE = (BESIDE, "5</d/memsvc.db-wal>", True)
FAILED = ("fdatasync", "5</d/memsvc.db-wal>", False)


@pytest.mark.parametrize(
    ("seen", "is_broken"),
    [
        ([WAL, SYNC, ACK], False),
        ([WAL, SYNC, ACK, WAL, WAL, SYNC, ACK], False),
        ([WAL, ACK, SYNC], True),  # acknowledged first
        ([WAL, SYNC, WAL, ACK], True),  # something was written behind the sync
        ([WAL, SYNC, ACK, ACK], True),  # nothing was synced for the second one
        ([WAL, FAILED, ACK], True),
        ([WAL, SYNC, ASIDE, ACK], False),
        ([WAL, ASIDE, ACK], True),
        ([ASIDE, ACK], True),
        ([ASIDE, SYNC, ACK], False),  # the commit was in it
        ([SYNC, ACK], True),
    ],
)
def test_a_trace_is_judged(seen: list[tuple[str, str, bool]], is_broken: bool) -> None:
    findings = Findings()
    judge(seen, "memsvc.db-wal", seen.count(ACK), findings)
    assert bool(findings.broken) is is_broken


@pytest.mark.parametrize(
    ("seen", "code", "is_broken"),
    [
        ([WAL, FAILED], EXIT_CODE, False),
        ([WAL, FAILED], None, True),
        ([WAL, FAILED, SYNC, ACK], EXIT_CODE, True),
        ([WAL, SYNC, FAILED, ACK], None, False),  # there was nothing left to sync
        ([WAL, SYNC, FAILED, WAL, FAILED, ACK], EXIT_CODE, True),
        ([FAILED, WAL, SYNC, ACK], None, False),
    ],
)
def test_a_trace_of_failures_is_judged(seen: list[tuple[str, str, bool]], code: int | None, is_broken: bool) -> None:
    findings = Findings()
    judge_failures(seen, code, findings)
    assert bool(findings.broken) is is_broken


def test_the_slope_is_that_of_the_line_whatever_a_few_samples_say() -> None:
    at = [float(n) for n in range(50)]
    values = [2.0 * one + (100.0 if one % 10 == 0 else 0.0) for one in at]
    slope, lower, upper = theil_sen(at, values)
    assert lower <= 2.0 <= upper
    assert abs(slope - 2.0) < 0.2
