"""Limits over time as one number each: the moment at which a bucket is full again.

The generic cell rate algorithm (ATM Forum, Traffic Management 4.0, 1996): with capacity C filled in a period P, taking
n moves that moment by n * P / C, from now if it has passed; it may never lie further ahead than P. It is a token
bucket that nobody has to fill.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from uuid import UUID

from memsvc.limits.limits import Bucket
from memsvc.redis.connection import Redis

KEPT = 100_000
_EPSILON_S = 1e-6  # what numbers lose on their way


@dataclass(frozen=True, slots=True)
class Take:
    """Something to take out of somebody's bucket.

    Attributes:
        tenant_id: whose it is.
        name: what is limited, of which key if of one: the bucket's name.
        cost: how much of it.
    """

    tenant_id: UUID
    name: tuple[bytes, ...]
    bucket: Bucket
    cost: float

    @property
    def whose(self) -> Hashable:
        """The key of the bucket."""
        return self.tenant_id, self.name

    @property
    def step_s(self) -> float:
        """How far one unit moves the moment at which the bucket is full."""
        return self.bucket.period_s / self.bucket.capacity


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something was taken, and of the bucket with the least left: which, what is left, when it is full.

    Attributes:
        retry_s: when to try again; None if never, because the bucket does not hold so much.
    """

    is_allowed: bool
    bucket: Bucket
    remaining: float
    reset_s: float
    retry_s: float | None = 0.0


class LocalBuckets:
    """The buckets of one process. Thread-safe; does not wait. One that was not asked for long is full anyway."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic, kept: int = KEPT) -> None:
        self._now_s = now_s
        self._kept = kept
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, takes: Sequence[Take]) -> Verdict:
        """Take everything or nothing."""
        with self._lock:
            now = self._now_s()
            ahead = [max(0.0, self._full_at.get(take.whose, 0.0) - now) for take in takes]
            verdict = judged(takes, ahead)
            if verdict.is_allowed:
                self._move(takes, now, 1.0)
            return verdict

    def give_back(self, takes: Sequence[Take]) -> None:
        """What was taken turned out not to be used."""
        with self._lock:
            self._move(takes, self._now_s(), -1.0)

    def _move(self, takes: Sequence[Take], now: float, by: float) -> None:
        for take in takes:
            self._full_at[take.whose] = max(now, self._full_at.get(take.whose, 0.0)) + by * take.cost * take.step_s
            self._full_at.move_to_end(take.whose)
        while len(self._full_at) > self._kept:
            self._full_at.popitem(last=False)


class SharedBuckets:
    """The same buckets for all processes, in Redis, by its clock."""

    # A key that holds anything but a sensible moment is begun anew.
    _TAKE = """
    local time = redis.call('TIME')
    local now = time[1] + time[2] / 1e6
    local ahead, good = {}, true
    for i, key in ipairs(KEYS) do
      local cost, step, period = tonumber(ARGV[3*i-2]), tonumber(ARGV[3*i-1]), tonumber(ARGV[3*i])
      local held = redis.pcall('GET', key)
      local full = type(held) == 'string' and tonumber(held) or 0
      if full ~= full or full > now + period + 1 then full = 0 end
      ahead[i] = math.max(0, full - now)
      if ahead[i] + cost * step > period + 1e-6 then good = false end
    end
    local shown = {good and '1' or '0'}
    for i, key in ipairs(KEYS) do
      local cost, step = tonumber(ARGV[3*i-2]), tonumber(ARGV[3*i-1])
      shown[i + 1] = string.format('%.6f', ahead[i])
      if good and cost > 0 then
        local full = ahead[i] + cost * step
        redis.call('SET', key, string.format('%.6f', now + full), 'PX', math.ceil(full * 1000) + 1)
      end
    end
    return shown
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @property
    def is_lost(self) -> bool:
        """Whether it cannot say anything now."""
        return self._redis.is_lost

    def take(self, takes: Sequence[Take]) -> Verdict | None:
        """Take everything or nothing; None if Redis is lost."""
        keys = [self._redis.key(take.tenant_id, "limit", *take.name) for take in takes]
        arguments = [number for take in takes for number in (take.cost, take.step_s, take.bucket.period_s)]
        said = self._redis.run(self._TAKE, keys, [repr(float(one)) for one in arguments])
        return None if said is None else judged(takes, [float(one) for one in said[1:]])


def judged(takes: Sequence[Take], ahead: Sequence[float]) -> Verdict:
    """The verdict, from how many seconds ahead each bucket's full moment was before.

    Args:
        takes: at least one.
        ahead: of each.
    """
    over = [a + take.cost * take.step_s - take.bucket.period_s for take, a in zip(takes, ahead, strict=True)]
    is_allowed = all(one <= _EPSILON_S for one in over)
    # The bucket that matters: of a refusal the one that is waited for longest, else the one with the least left.
    at = max(range(len(takes)), key=lambda i: over[i] if not is_allowed else over[i] / takes[i].bucket.period_s)
    take, full = takes[at], ahead[at] + (takes[at].cost * takes[at].step_s if is_allowed else 0.0)
    retry_s: float | None = max(0.0, over[at])
    if any(one.cost > one.bucket.capacity for one in takes):
        retry_s = None
    remaining = max(0.0, (take.bucket.period_s - full + _EPSILON_S) / take.step_s)
    return Verdict(is_allowed, take.bucket, remaining, full, retry_s)
