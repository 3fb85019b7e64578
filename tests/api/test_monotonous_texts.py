"""Texts of one thing over and over, tens of thousands of letters long: nothing that reads them takes long over them.

What one memory costs everybody who asks is an attack that needs one write. A pattern that reads a run of letters once
from each of its letters took 42 s a recall.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.fixtures.service import Service, serving

LONG = 60_000
LIMIT_S = 4.0
"""Ten times what the slowest takes; a recall that read a text once from each of its letters took ten times this."""
UNITS = (
    "x", "é", "\u0301", "a\u0301 ", "字", "\n", " ", "1", "1 ", "Aa", "A ", "'", "a'", ".", "a.", "@a.", "-", "(", "[",
    "?", "Mr. ", "on May 1, ", "I am ", "http://a.b/", "12:30 ", "1,000,", "Ada's ", "my uncle's ", "plans to ",
    "\u200b", "İ",
)  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("monotonous")) as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_a_monotonous_text_holds_nobody_up(service: Service, unit: str) -> None:
    caller = service.tenant(f"all {unit!r}")
    text = (unit * LONG)[:LONG]
    asked = {"namespace": caller.namespace, "query": "note"}

    def within_limit(ask: Callable[[], httpx.Response]) -> None:
        begun = time.perf_counter()
        answer = ask()
        assert answer.status_code in (200, 201), answer.text[:500]
        assert time.perf_counter() - begun < LIMIT_S

    caller.remember("note")
    caller.recall("note")  # what is compiled and read at first
    within_limit(lambda: caller.write(f"note {text}"))
    within_limit(lambda: caller.write(f"note the other {text}"))
    within_limit(lambda: caller.ask("POST", "/v1/recall", json=asked))
    within_limit(lambda: caller.ask("POST", "/v1/context", json=asked))
