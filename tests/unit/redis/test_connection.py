"""A Redis that is lost, hung, full or written to by others never hurts whoever asks."""

from __future__ import annotations

import os
import signal
import time
from uuid import uuid4

import pytest
import redis as library

from deploy.processes import Valkey
from memsvc.core.errors import StartupRefused
from memsvc.core.metrics import Metrics
from memsvc.core.secrets import Secrets
from memsvc.redis.connection import Redis
from memsvc.redis.seal import opened, sealed
from tests.fixtures.redis import SECRETS, connected, soon

TENANT, OTHER = uuid4(), uuid4()


def test_what_is_put_is_there_until_its_time_is_over(redis_url: str) -> None:
    with connected(redis_url) as redis:
        key = redis.key(TENANT, "thing", b"a")
        assert redis.get(key) is None
        redis.put(key, b"\x00payload", ttl_s=0.2)
        assert redis.get(key) == b"\x00payload"
        assert soon(lambda: redis.get(key) is None, 2.0)
        assert not redis.is_lost


def test_keys_of_tenants_and_kinds_differ(redis_url: str) -> None:
    with connected(redis_url) as redis:
        keys = {redis.key(t, kind, part) for t in (TENANT, OTHER) for kind in ("a", "b") for part in (b"x", b"y")}
        assert len(keys) == 8


@pytest.mark.parametrize("planted", ["foreign", "moved", "cut", "changed", "other secret", "list", "empty"])
def test_a_planted_value_is_absent_and_deleted(redis_url: str, planted: str) -> None:
    with connected(redis_url) as redis, library.Redis.from_url(redis_url) as raw:
        key, other = redis.key(TENANT, "thing", b"a"), redis.key(OTHER, "thing", b"a")
        redis.put(other, b"of another tenant", 60)
        good = sealed(SECRETS, key, b"payload")
        values = {
            "foreign": b"hello",
            "moved": raw.get(other),
            "cut": good[:-1],
            "changed": good[:-1] + b"X",
            "other secret": sealed(Secrets(b"x" * 32), key, b"payload"),
            "empty": b"",
        }
        if planted == "list":
            raw.rpush(key, good)
        else:
            raw.set(key, values[planted])
        assert redis.get(key) is None
        assert not raw.exists(key)
        assert not redis.is_lost


def test_a_value_opens_under_its_key_alone() -> None:
    value = sealed(SECRETS, b"ab", b"c")
    assert opened(SECRETS, b"ab", value) == b"c"
    assert opened(SECRETS, b"a", value[:17] + b"bc") is None  # the seam between key and payload does not move


def test_a_hung_server_is_waited_for_once(own_valkey: Valkey) -> None:
    with connected(own_valkey.url, first_s=0.3) as redis:
        key = redis.key(TENANT, "thing", b"a")
        redis.put(key, b"x", 60)
        os.kill(own_valkey.process.pid, signal.SIGSTOP)
        begun = time.monotonic()
        assert redis.get(key) is None
        assert 0.04 <= time.monotonic() - begun < 0.5
        assert redis.is_lost
        begun = time.monotonic()
        assert all(redis.get(key) is None for _ in range(1000))
        assert time.monotonic() - begun < 0.1
        os.kill(own_valkey.process.pid, signal.SIGCONT)
        assert soon(lambda: not redis.is_lost)
        assert redis.get(key) == b"x"


def test_a_dead_server_is_found_again(own_valkey: Valkey) -> None:
    with connected(own_valkey.url) as redis:
        key = redis.key(TENANT, "thing", b"a")
        own_valkey.stop()
        assert redis.get(key) is None
        assert redis.is_lost
        own_valkey.start()
        assert soon(lambda: not redis.is_lost)
        assert redis.run("return redis.call('GET', KEYS[1])", [key], []) is None
        redis.put(key, b"x", 60)
        assert redis.get(key) == b"x"


def test_a_full_server_is_left_alone_until_there_is_room(own_valkey: Valkey) -> None:
    with connected(own_valkey.url) as redis, library.Redis.from_url(own_valkey.url) as raw:
        key = redis.key(TENANT, "thing", b"a")
        raw.config_set("maxmemory-policy", "noeviction")
        raw.config_set("maxmemory", "1")
        redis.put(key, b"x", 60)
        assert redis.is_lost
        time.sleep(0.2)  # it answers pings all the time
        assert redis.is_lost
        raw.config_set("maxmemory", "0")
        assert soon(lambda: not redis.is_lost)


def test_a_script_survives_a_flush(redis_url: str) -> None:
    with connected(redis_url) as redis, library.Redis.from_url(redis_url) as raw:
        for _ in range(2):
            assert redis.run("return ARGV[1]", [redis.key(TENANT, "thing")], [7]) == b"7"
            raw.script_flush()
        assert not redis.is_lost


@pytest.mark.parametrize("url", ["http://:secret@host", "nonsense"])
def test_a_wrong_url_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(StartupRefused) as refused:
        Redis(url, "m", SECRETS, Metrics())
    assert "secret" not in str(refused.value)
