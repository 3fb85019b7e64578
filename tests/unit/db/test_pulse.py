"""A server that answers may take its time; one that does not is given up, and nobody waits for it anew."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from psycopg.abc import PQGen
from psycopg.waiting import Ready, Wait

from memsvc.db.pulse import Pulse, ServerSilentError, _watched

SILENCE_S = 0.3


def test_a_slow_answer_is_waited_for_while_the_server_answers_others() -> None:
    asked = threading.Event()
    pulse = Pulse(asked.set, SILENCE_S)
    until = time.monotonic() + 2 * SILENCE_S
    begun = time.monotonic()
    while time.monotonic() < until:
        pulse.check(time.monotonic() - begun)
        time.sleep(0.02)
    assert asked.is_set()
    assert not pulse.is_lost


def test_a_refusal_is_an_answer() -> None:
    def refuse() -> None:
        raise psycopg.OperationalError("too many clients already")

    pulse = Pulse(refuse, SILENCE_S)
    pulse.check(SILENCE_S)
    time.sleep(SILENCE_S)
    pulse.check(SILENCE_S)


def test_a_silent_server_is_given_up_and_found_again() -> None:
    awake = threading.Event()
    pulse = Pulse(lambda: awake.wait(10), SILENCE_S)
    pulse.check(0.0)
    begun = time.monotonic()
    while not pulse.is_lost and time.monotonic() < begun + 5:
        pulse.check(time.monotonic() - begun)
        time.sleep(0.01)
    assert time.monotonic() - begun < 2 * SILENCE_S
    with pytest.raises(ServerSilentError):
        pulse.check()  # who comes new does not wait at all
    awake.set()
    until = time.monotonic() + 2
    while pulse.is_lost:
        assert time.monotonic() < until
        time.sleep(0.01)
    pulse.check()


def test_a_question_that_cannot_be_asked_is_not_one_without_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    asked = threading.Event()
    pulse = Pulse(asked.set, SILENCE_S)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        pulse.check(SILENCE_S)
    time.sleep(SILENCE_S)
    pulse.check(SILENCE_S)
    assert asked.wait(2)


def test_who_hears_something_starts_to_wait_anew() -> None:
    silences: list[float] = []

    def driven() -> PQGen[str]:
        for _ in range(4):
            yield Wait.R
        return "all of it"

    watched = _watched(driven(), silences.append)
    next(watched)
    watched.send(Ready.NONE)
    time.sleep(0.05)
    watched.send(Ready.R)
    watched.send(Ready.NONE)
    with pytest.raises(StopIteration) as ended:
        watched.send(Ready.R)
    assert ended.value.value == "all of it"
    assert len(silences) == 2
    assert silences[1] < 0.05
