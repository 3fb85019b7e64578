"""Redis hung, dead, full or flushed under a running service: nobody fails for it, limits stay on, and it is said."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import redis as library

from deploy.processes import Valkey
from tests.fixtures.redis import soon
from tests.fixtures.service import serving


def _hang(server: Valkey) -> None:
    os.kill(server.process.pid, signal.SIGSTOP)


def _resume(server: Valkey) -> None:
    os.kill(server.process.pid, signal.SIGCONT)


def _fill(server: Valkey) -> None:
    with library.Redis.from_url(server.url) as admin:
        admin.config_set("maxmemory-policy", "noeviction")
        admin.config_set("maxmemory", "1")


def _make_room(server: Valkey) -> None:
    with library.Redis.from_url(server.url) as admin:
        admin.config_set("maxmemory", "0")


Act = Callable[[Valkey], None]


@pytest.mark.parametrize(
    ("fault", "mend"),
    [(_hang, _resume), (Valkey.stop, Valkey.start), (_fill, _make_room)],
    ids=["hung", "dead", "full"],
)
def test_nobody_fails_for_a_lost_redis(tmp_path: Path, own_valkey: Valkey, fault: Act, mend: Act) -> None:
    limits = {"limit_tenant_requests_per_s": 0.01, "limit_tenant_requests_burst": 30}
    with serving(tmp_path, redis_url=own_valkey.url, **limits) as service:
        caller = service.tenant()
        caller.remember("The key is under the mat.")
        assert caller.recall("key")["degraded"] == []
        fault(own_valkey)
        answers = [caller.write(f"Number {i}.").status_code for i in range(10)]
        assert answers == [201] * 10
        recalled = [caller.recall(f"key {i}") for i in range(10)]
        assert all(answer["hits"] for answer in recalled)
        assert recalled[-1]["degraded"] == ["redis"]
        ready = service.ask("GET", "/readyz")
        assert (ready.status_code, ready.json()["degraded"]) == (200, ["redis"])
        statuses = [caller.write("more").status_code for _ in range(10)]
        assert statuses == [201] * 8 + [429] * 2  # 30 in all: its own count went on
        mend(own_valkey)
        redis = service.container.redis
        assert redis is not None
        assert soon(lambda: not redis.is_lost)
        assert service.ask("GET", "/readyz").json()["degraded"] == []


def test_a_flush_is_not_noticed(tmp_path: Path, own_valkey: Valkey) -> None:
    with serving(tmp_path, redis_url=own_valkey.url) as service, library.Redis.from_url(own_valkey.url) as admin:
        caller = service.tenant()
        caller.remember("The key is under the mat.")
        for _ in range(3):
            answer = caller.recall("where is the key?")
            assert (len(answer["hits"]), answer["degraded"]) == (1, [])
            admin.flushall()
            admin.script_flush()
