"""Requests that are almost right, 100,000 of them in parts; `make fuzz` sends other ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from benchmarks.fuzz_mutations import GOOD
from benchmarks.fuzz_requests import fuzz

REQUESTS, PARTS = 12_500, 8
MUCH = 0.85
"""Share of the requests that are changed so much that they are refused early: the others cost six times as much."""


@pytest.fixture
def no_logs() -> Iterator[None]:
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.mark.slow
@pytest.mark.usefixtures("no_logs")
@pytest.mark.parametrize("seed", range(11, 11 + PARTS))
def test_requests_that_are_almost_right_get_clean_answers(tmp_path: Path, seed: int) -> None:
    report = fuzz(tmp_path, REQUESTS, seed, much_share=MUCH)

    assert report.faults == []
    assert report.bank_equal
    assert report.requests == REQUESTS
    assert set(report.routes) == {f"{good.method} {good.template}" for good in GOOD}
    assert {"200", "201", "204", "400", "404", "413", "415", "422"} <= set(report.statuses)
