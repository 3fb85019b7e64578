"""A short run of the mutational fuzz; `make fuzz` runs the long one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from benchmarks.fuzz_mutations import GOOD
from benchmarks.fuzz_requests import fuzz

REQUESTS = 500
"""Enough for every route and every kind of answer."""


@pytest.fixture
def no_logs() -> Iterator[None]:
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.mark.slow
@pytest.mark.usefixtures("no_logs")
def test_requests_that_are_almost_right_get_clean_answers(tmp_path: Path) -> None:
    report = fuzz(tmp_path, REQUESTS, seed=11)

    assert report.faults == []
    assert report.bank_equal
    assert report.requests == REQUESTS
    assert set(report.routes) == {f"{good.method} {good.template}" for good in GOOD}
    assert {"200", "201", "204", "400", "404", "413", "415", "422"} <= set(report.statuses)
