"""Vectors of questions come back as they were, for the same tenant and model alone."""

from __future__ import annotations

from concurrent.futures import Future
from uuid import uuid4

import numpy as np
import pytest
import redis as library

from memsvc.caches.layered import Layered
from memsvc.caches.questions import Questions, packed, unpacked
from memsvc.core.metrics import Metrics
from retrieval.types import EmbeddingSpace, Encoded
from tests.fixtures.redis import SECRETS, connected

SPACE = EmbeddingSpace("a-model", 8)
TENANT, OTHER = uuid4(), uuid4()


class Model:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, text: str) -> Future[Encoded]:
        self.asked.append(text)
        numbers = np.random.default_rng(len(text)).standard_normal((3, 8), dtype=np.float32)
        done: Future[Encoded] = Future()
        done.set_result(Encoded(numbers[:1], numbers[1:]))
        return done


@pytest.mark.parametrize("tokens", [None, 0, 5])
def test_rows_come_back_bit_for_bit(tokens: int | None) -> None:
    numbers = np.random.default_rng(1).standard_normal((7, 8), dtype=np.float32)
    encoded = Encoded(numbers[:2], None if tokens is None else numbers[2 : 2 + tokens])
    again = unpacked(packed(encoded))
    assert again is not None
    assert np.array_equal(again.views, encoded.views)
    assert (again.tokens is None) == (encoded.tokens is None)
    assert encoded.tokens is None or np.array_equal(again.tokens, encoded.tokens)
    assert not again.views.flags.writeable


def test_what_was_not_packed_is_nothing() -> None:
    good = packed(Encoded(np.ones((1, 8), np.float32)))
    for bad in (b"", b"x", good[:-1], good + b"\0", b"\xff" * len(good), b"\xff" * 12):
        assert unpacked(bad) is None


def test_two_processes_share_and_two_tenants_do_not(redis_url: str) -> None:
    with connected(redis_url) as redis, library.Redis.from_url(redis_url) as raw:
        first, second = Model(), Model()
        processes = [
            Questions(model, SPACE, SECRETS, Layered("question", redis, Metrics(), ttl_s=60, most=8))
            for model in (first, second)
        ]
        one = processes[0](TENANT, "where is it?").result()
        other = processes[1](TENANT, "where is it?").result()
        assert second.asked == []
        assert np.array_equal(one.views, other.views)
        processes[1](OTHER, "where is it?").result()
        assert second.asked == ["where is it?"]
        elsewhere = Questions(
            second, EmbeddingSpace("b-model", 8), SECRETS, Layered("question", redis, Metrics(), ttl_s=60, most=8)
        )
        elsewhere(TENANT, "where is it?").result()
        assert len(second.asked) == 2
        for key in raw.scan_iter(match=f"{redis.channel('').decode()}*"):
            assert b"where" not in key
            assert b"where" not in raw.get(key)
            assert 0 < raw.ttl(key) <= 60


def test_what_fails_is_not_kept() -> None:
    def failing(text: str) -> Future[Encoded]:
        failed: Future[Encoded] = Future()
        failed.set_exception(RuntimeError("no"))
        return failed

    questions = Questions(failing, SPACE, SECRETS, Layered("question", None, Metrics(), ttl_s=60, most=8))
    for _ in range(2):
        with pytest.raises(RuntimeError):
            questions(TENANT, "x").result()
