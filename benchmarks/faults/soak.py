"""R-24: hours of a full mix leave memory, file descriptors and threads where they were.

Writes, edits, erasures, recalls, lists and malformed requests; the memory of the process is sampled every second, and
its slope after the warm-up is that of Theil and Sen, the median of the slopes of all pairs, with the interval of Sen
1968 (doi:10.1080/01621459.1968.10480934). What is kept grows the bank by design: what was written is erased again, so
that as much is there at the end as at the beginning.

The warm-up is recalls until what is kept of them for feedback is full (10,000 of them), and then the same mix without
pauses. At the pace that follows, what has a bound would take a third of an hour to fill, and look like a leak.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from itertools import combinations
from math import sqrt
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import psutil

from benchmarks._killable import ServerProcess
from benchmarks.faults.asking import GONE, Caller, percentile
from benchmarks.faults.row import Findings, Row
from benchmarks.faults.stage import Stage
from memsvc.recall.traces import RECALLS_MAX

WARM_UP = 1 / 6
"""Share of the time that counts for no slope or wait."""
SLOPE_MIB_H = 1.0
GROWTH_OF_P99 = 1.1
WAL_MIB = 64.0
_KEPT = 50
_CLIENTS = 3
_PAUSE_S = 0.02
_EVERY_S = 1.0
_MOST_SAMPLES = 1_000
_JUDGED_FROM_S = 600
_Z = 1.96
_LEAK, _SOME = 1.1, 2
"""How much file descriptors may grow in a run of any length: a tenth, and two."""


def theil_sen(at: Sequence[float], values: Sequence[float]) -> tuple[float, float, float]:
    """The median slope of all pairs with its 95 % interval; (slope, lower, upper), nothing for fewer than 3 samples."""
    if len(at) > _MOST_SAMPLES:
        step = len(at) // _MOST_SAMPLES + 1
        at, values = at[::step], values[::step]
    n = len(at)
    if n < 3:
        return 0.0, float("-inf"), float("inf")
    pairs = combinations(range(n), 2)
    slopes = np.sort([(values[j] - values[i]) / (at[j] - at[i]) for i, j in pairs if at[j] > at[i]])
    half = _Z * sqrt(n * (n - 1) * (2 * n + 5) / 18) / 2
    middle = len(slopes) / 2
    lower, upper = max(0, int(middle - half)), min(len(slopes) - 1, int(middle + half) + 1)
    return float(np.median(slopes)), float(slopes[lower]), float(slopes[upper])


def run(stage: Stage, n: int) -> Findings:
    """Live for so many seconds."""
    findings = Findings()
    server = stage.server("soak")
    stop = threading.Event()
    times: list[tuple[float, float]] = []
    chance = stage.chance("soak")
    warm_at = time.monotonic() + n * WARM_UP
    threads = [
        threading.Thread(
            target=_live,
            args=(server, k, Random(chance.random()), stop, warm_at, times, findings),
            kwargs={"is_long": n >= _JUDGED_FROM_S},
            daemon=True,
        )
        for k in range(_CLIENTS)
    ]
    for thread in threads:
        thread.start()
    samples = _sample(server, n)
    stop.set()
    for thread in threads:
        thread.join(60)
    _judge(samples, times, warm_at, server, findings, seconds=n)
    server.kill()
    return findings


def _sample(server: ServerProcess, seconds: int) -> list[dict[str, float]]:
    process, begun = psutil.Process(server.pid), time.monotonic()
    samples = []
    while (at := time.monotonic() - begun) < seconds:
        samples.append(
            {
                "at": at,
                "rss": process.memory_info().rss / 2**20,
                "fds": process.num_fds(),
                "threads": process.num_threads(),
            }
        )
        time.sleep(min(_EVERY_S, max(0.05, seconds / 60)))
    return samples


def _live(
    server: ServerProcess,
    number: int,
    chance: Random,
    stop: threading.Event,
    warm_at: float,
    times: list[tuple[float, float]],
    findings: Findings,
    *,
    is_long: bool,
) -> None:
    mine: list[str] = []
    made = 0
    with Caller(server.url) as caller:
        if is_long:
            _fill(caller, f"user/u{number}")
        while not stop.wait(0 if time.monotonic() < warm_at else _PAUSE_S):
            made += 1
            try:
                answer, expected = _step(caller, f"user/u{number}", made, chance, mine)
            except GONE as error:
                findings.broke("the server was gone", error)
                return
            times.append((time.monotonic(), answer.seconds))
            findings.check(answer.status in expected, "an unexpected answer", (answer.status, answer.body))


def _fill(caller: Caller, namespace: str) -> None:
    for n in range(_KEPT):  # as many hits for each as later on
        caller.add(namespace, f"lived through fact {n} before all others")
    for n in range(RECALLS_MAX // _CLIENTS + 1):
        caller.recalled(namespace, f"lived through {n}")


def _step(caller: Caller, namespace: str, made: int, chance: Random, mine: list[str]) -> Any:
    dice = chance.random()
    if len(mine) > _KEPT:
        return caller.ask("DELETE", f"/v1/memories/{mine.pop(0)}"), {204}
    if dice < 0.4 or not mine:
        answer = caller.add(namespace, f"lived through {made} with {chance.randrange(1_000)} others")
        if answer.status == 201:
            mine.append(answer.body["memory"]["id"])
        return answer, {201}
    if dice < 0.5:
        return caller.ask("PATCH", f"/v1/memories/{mine[-1]}", {"content": f"edited {made}"}), {200}
    if dice < 0.6:
        return caller.ask("DELETE", f"/v1/memories/{mine.pop(0)}"), {204}
    if dice < 0.85:
        return caller.post("/v1/recall", {"namespace": namespace, "query": f"lived through {made}"}), {200}
    if dice < 0.93:
        return caller.ask("GET", f"/v1/memories?namespace={namespace.replace('/', '%2F')}&limit=20"), {200}
    return caller.post("/v1/memories", {"namespace": namespace, "content": made, "unknown": [[[]]]}), {422}


def _judge(
    samples: list[dict[str, float]],
    times: list[tuple[float, float]],
    warm_at: float,
    server: ServerProcess,
    findings: Findings,
    *,
    seconds: int,
) -> None:
    kept = samples[int(len(samples) * WARM_UP) :]
    hours = [s["at"] / 3_600 for s in kept]
    slope, lower, upper = theil_sen(hours, [s["rss"] for s in kept])
    warm = [took for at, took in sorted(times) if at >= warm_at]
    first, last = (percentile(part, 0.99) for part in (warm[: len(warm) // 4], warm[-len(warm) // 4 :]))
    wal = max((p.stat().st_size for p in Path(server.data_dir).glob("memsvc.db-wal")), default=0) / 2**20
    middle = {
        name: [float(np.median([s[name] for s in part])) for part in (kept[:10], kept[-10:])]
        for name in ("fds", "threads")
    }
    findings.figures |= {
        "seconds": seconds,
        "requests": {"warm_up": len(times) - len(warm), "after_it": len(warm)},
        "rss_mib": {"first": round(kept[0]["rss"], 1), "last": round(kept[-1]["rss"], 1)},
        "rss_mib_by_minute": _by_minute(samples),
        "rss_slope_mib_per_h": {"slope": round(slope, 2), "lower_95": round(lower, 2), "upper_95": round(upper, 2)},
        "fds": middle["fds"],
        "threads": middle["threads"],
        "p99_ms": {"first_quarter": round(first * 1e3, 1), "last_quarter": round(last * 1e3, 1)},
        "wal_mib": round(wal, 1),
    }
    findings.check(wal <= WAL_MIB, "the write-ahead log grows", wal)
    before, after = middle["fds"]
    findings.check(after <= before * _LEAK + _SOME, "file descriptors leak", middle["fds"])
    if seconds < _JUDGED_FROM_S:  # a process that is just warm tells nothing about the hours to come
        return
    findings.check(lower <= SLOPE_MIB_H, "memory grows", (slope, lower, upper))
    for name, (before, after) in middle.items():
        findings.check(after <= before, f"{name} grow", (before, after))
    findings.check(last <= GROWTH_OF_P99 * first, "answers grow slower (p99)", (first, last))


def _by_minute(samples: list[dict[str, float]]) -> list[float]:
    minutes: dict[int, list[float]] = {}
    for sample in samples:
        minutes.setdefault(int(sample["at"] // 60), []).append(sample["rss"])
    return [round(float(np.median(values)), 1) for values in minutes.values()]


ROW = Row("R-24", "flat for hours", run, 3, 3_600, "requests")
