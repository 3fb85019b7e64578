"""Limits over time: exact at their bounds, shared by processes through Redis, and never more than a process's own."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import redis as library
from hypothesis import given, settings
from hypothesis import strategies as st

from memsvc.limits.buckets import LocalBuckets, SharedBuckets, Take
from memsvc.limits.limits import Bucket, Rates
from tests.fixtures.redis import connected

TENANT = uuid4()
TEN = Bucket("requests", 10, 1000.0)


def take(cost: float = 1.0, bucket: Bucket = TEN, *name: bytes) -> Take:
    return Take(TENANT, (b"requests", *name), bucket, cost)


class Now:
    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


def test_a_burst_is_exact() -> None:
    buckets = LocalBuckets(Now())
    verdicts = [buckets.take([take()]) for _ in range(12)]
    assert [v.is_allowed for v in verdicts] == [True] * 10 + [False] * 2
    assert [math.floor(v.remaining) for v in verdicts[:10]] == list(range(9, -1, -1))
    assert verdicts[10].retry_s == pytest.approx(100.0)


def test_it_fills_evenly() -> None:
    now = Now()
    buckets = LocalBuckets(now)
    assert buckets.take([take(10)]).is_allowed
    now.s += 99.9
    assert not buckets.take([take()]).is_allowed
    now.s += 0.2
    assert buckets.take([take()]).is_allowed
    assert not buckets.take([take()]).is_allowed
    now.s += 10_000
    assert [buckets.take([take()]).is_allowed for _ in range(11)] == [True] * 10 + [False]


def test_more_than_there_ever_is_is_never_allowed() -> None:
    verdict = LocalBuckets(Now()).take([take(11)])
    assert not verdict.is_allowed
    assert verdict.retry_s is None


def test_two_buckets_are_taken_from_together_or_not_at_all() -> None:
    buckets = LocalBuckets(Now())
    small = Bucket("requests", 2, 1000.0)
    both = [take(), take(1, small, b"key")]
    assert [buckets.take(both).is_allowed for _ in range(4)] == [True, True, False, False]
    assert buckets.take([take(8)]).is_allowed  # the refused took nothing of the larger
    assert not buckets.take([take()]).is_allowed


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 50), st.integers(1, 12)), max_size=40))
def test_never_more_in_any_stretch_than_capacity_and_refill(asked: list[tuple[float, int]]) -> None:
    now = Now()
    buckets = LocalBuckets(now)
    taken: list[tuple[float, int]] = []
    for wait, cost in asked:
        now.s += wait
        if buckets.take([take(cost)]).is_allowed:
            taken.append((now.s, cost))
    for i, (start, _) in enumerate(taken):
        for j in range(i, len(taken)):
            stretch = taken[j][0] - start
            assert sum(cost for _, cost in taken[i : j + 1]) <= 10 + stretch / 100 + 1e-3


def test_what_was_not_used_comes_back() -> None:
    buckets = LocalBuckets(Now())
    buckets.take([take(10)])
    buckets.give_back([take(3)])
    assert [buckets.take([take()]).is_allowed for _ in range(4)] == [True] * 3 + [False]


def test_processes_share_a_bucket_exactly(redis_url: str) -> None:
    with connected(redis_url, prefix=f"t{uuid4().hex}") as redis:
        several = [SharedBuckets(redis) for _ in range(4)]
        with ThreadPoolExecutor(8) as threads:
            verdicts = list(threads.map(lambda i: several[i % 4].take([take()]), range(40)))
    assert sum(v is not None and v.is_allowed for v in verdicts) == 10


@pytest.mark.parametrize("planted", ["list", "text", "far", "nan", "negative"])
def test_nonsense_under_a_buckets_key_is_begun_anew(redis_url: str, planted: str) -> None:
    with connected(redis_url) as redis, library.Redis.from_url(redis_url) as raw:
        key = redis.key(TENANT, "limit", b"requests")
        if planted == "list":
            raw.rpush(key, "x")
        else:
            raw.set(key, {"text": "hello", "far": "9e99", "nan": "nan", "negative": "-5"}[planted])
        buckets = SharedBuckets(redis)
        verdicts = [buckets.take([take()]) for _ in range(11)]
        assert [v is not None and v.is_allowed for v in verdicts] == [True] * 10 + [False]
        assert 0 < raw.pttl(key) <= 1_001_000


def test_rates_become_buckets() -> None:
    assert Rates().requests is None
    assert Rates(requests_per_s=0.5).requests == Bucket("requests", 1, 2.0)
    assert Rates(requests_per_s=10, requests_burst=50).requests == Bucket("requests", 50, 5.0)
    assert Rates(tokens_per_day=100).tokens == Bucket("tokens", 100, 86_400.0)
