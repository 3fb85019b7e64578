"""Trying again: when, how often, how long between, and always as the same request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import tenacity

from memsvc_client import ConnectionFailed, NotFound, RateLimited, RetryPolicy, ServiceUnavailable, TimedOut
from memsvc_client.wire import retry_after_s
from tests.unit.client.conftest import Connect
from tests.unit.client.recorder import ID, Answer, Recorder, memory, plausible, problem

BUSY = Answer(503, problem(503, "unavailable"))
DROP = Answer(drop=True)
WRITTEN = Answer(201, {"memory": memory(), "seq": 1})


class NotingPolicy(RetryPolicy):
    """Notes the waits instead of waiting."""

    waits: list[float] = []  # noqa: RUF012 - replaced by each test

    def wait_s(self, state: tenacity.RetryCallState) -> float:
        self.waits.append(super().wait_s(state))
        return 0.0


@pytest.fixture
def noting() -> NotingPolicy:
    NotingPolicy.waits = []
    return NotingPolicy(attempts=4, backoff_s=0.5, backoff_max_s=1.0)


@pytest.mark.parametrize("first", [BUSY, Answer(502, b"bad gateway"), Answer(504), Answer(429), DROP])
def test_a_passing_fault_is_not_seen_by_the_caller(connect: Connect, service: Recorder, first: Answer) -> None:
    service.will(first, first, WRITTEN)
    assert connect(service.url).remember("x").seq == 1
    assert len(service.seen) == 3


def test_all_tries_of_a_call_carry_one_key_and_one_body(connect: Connect, service: Recorder) -> None:
    service.will(BUSY, DROP, BUSY, WRITTEN, WRITTEN)
    client = connect(service.url)
    client.remember("x")
    assert len({seen.headers["idempotency-key"] for seen in service.seen}) == 1
    assert len({seen.raw for seen in service.seen}) == 1
    client.remember("x")
    assert service.seen[-1].headers["idempotency-key"] != service.seen[0].headers["idempotency-key"]


def test_retry_after_is_waited_for(connect: Connect, service: Recorder, noting: NotingPolicy) -> None:
    service.will(Answer(429, problem(429, "too_many_requests"), {"Retry-After": "7"}), WRITTEN)
    connect(service.url, retry=noting).remember("x")
    assert len(noting.waits) == 1
    assert 7.0 <= noting.waits[0] <= 7.5


def test_waits_grow_and_stay_bounded(connect: Connect, service: Recorder, noting: NotingPolicy) -> None:
    service.will(BUSY, BUSY, BUSY, WRITTEN)
    connect(service.url, retry=noting).remember("x")
    assert len(noting.waits) == 3
    assert all(0.0 <= wait <= most for wait, most in zip(noting.waits, (0.5, 1.0, 1.0), strict=True))


def test_a_very_long_retry_after_is_the_callers_to_wait(connect: Connect, service: Recorder) -> None:
    service.will(Answer(429, problem(429, "too_many_requests"), {"Retry-After": "3600"}))
    with pytest.raises(RateLimited) as caught:
        connect(service.url).remember("x")
    assert caught.value.retry_after_s == 3600
    assert len(service.seen) == 1


def test_it_gives_up_after_the_last_try(connect: Connect, service: Recorder) -> None:
    service.default = lambda _: BUSY
    with pytest.raises(ServiceUnavailable):
        connect(service.url).recall("x")
    assert len(service.seen) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 409, 412, 413, 422, 500, 507])
def test_a_refusal_is_final(connect: Connect, service: Recorder, status: int) -> None:
    service.will(Answer(status, problem(status, "x")))
    with pytest.raises(Exception, match="x"):
        connect(service.url).remember("x")
    assert len(service.seen) == 1


def test_no_answer_in_time(connect: Connect, service: Recorder) -> None:
    service.will(Answer(delay_s=5))
    with pytest.raises(TimedOut) as caught:
        connect(service.url, timeout_s=0.05).remember("x")
    assert caught.value.idempotency_key == service.last.headers["idempotency-key"]
    assert len(service.seen) == 1


def test_nothing_listens(connect: Connect) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        connect("http://127.0.0.1:1").remember("x")
    assert caught.value.idempotency_key


def test_retries_can_be_switched_off(connect: Connect, service: Recorder) -> None:
    service.will(BUSY, WRITTEN)
    with pytest.raises(ServiceUnavailable):
        connect(service.url, retry=RetryPolicy(attempts=1)).remember("x")


def test_an_erase_whose_answer_was_lost_is_done(connect: Connect, service: Recorder) -> None:
    service.will(DROP, Answer(404, problem(404, "not_found")))
    connect(service.url).erase(ID)
    assert len(service.seen) == 2


def test_an_erase_of_nothing_is_not_found(connect: Connect, service: Recorder) -> None:
    service.will(Answer(404, problem(404, "not_found")))
    with pytest.raises(NotFound):
        connect(service.url).erase(ID)


def test_a_lost_answer_does_not_excuse_other_calls(connect: Connect, service: Recorder) -> None:
    service.will(DROP, Answer(404, problem(404, "not_found")))
    with pytest.raises(NotFound):
        connect(service.url).get(ID)


def test_redirects_do_not_carry_the_key_away(connect: Connect, service: Recorder) -> None:
    service.will(Answer(307, b"", {"Location": "http://127.0.0.1:1/elsewhere"}))
    service.default = plausible
    with pytest.raises(Exception, match="307"):
        connect(service.url, "msk_x").version()
    assert len(service.seen) == 1


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        (" 12 ", 12.0),
        ("-3", None),
        ("soon", None),
        ("1.5", None),
        ("Sun, 01 Feb 2026 00:00:30 GMT", 30.0),
        ("Sun, 01 Feb 2020 00:00:30 GMT", 0.0),
    ],
)
def test_reading_of_retry_after(header: str | None, expected: float | None) -> None:
    assert retry_after_s(header, now=datetime(2026, 2, 1, tzinfo=UTC)) == expected


def test_retry_after_as_a_date_uses_the_clock() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    found = retry_after_s(later)
    assert found is not None
    assert 90 < found <= 100
