"""100,000 mutated requests in parts, each to a service of its own; `make fuzz` runs more from other seeds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from benchmarks.fuzz_mutations import GOOD
from benchmarks.fuzz_requests import fuzz

PARTS, REQUESTS = 8, 12_500


@pytest.fixture
def no_logs() -> Iterator[None]:
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.mark.part
@pytest.mark.usefixtures("no_logs")
@pytest.mark.parametrize("part", range(PARTS))
def test_requests_that_are_almost_right_get_clean_answers(tmp_path: Path, part: int) -> None:
    report = fuzz(tmp_path, REQUESTS, seed=11 + part, reranker="none")  # which is asked for nothing but what is found

    assert report.faults == []
    assert report.bank_equal
    assert report.requests == REQUESTS
    assert "none" not in report.kinds  # each was changed
    assert set(report.routes) == {f"{good.method} {good.template}" for good in GOOD}
    assert {"200", "201", "204", "400", "404", "413", "415", "422"} <= set(report.statuses)
