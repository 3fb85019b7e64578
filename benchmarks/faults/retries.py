"""R-34: a write sent several times under one key, at once and across kills, has one effect and one answer."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

from benchmarks._killable import ServerProcess
from benchmarks.faults.asking import GONE, Answer, Caller, at_once, compare
from benchmarks.faults.row import Findings, Row
from benchmarks.faults.stage import Stage
from gpu.cores import usable_cores

_FEWEST_SERVERS, _CORES_EACH = 2, 4
"""Where there are more cores, more processes take the writes."""
_CLIENTS_EACH = 4
_MOST = 5
_PATIENCE_S = 60.0
_KILL_EVERY_S = 1.5


def run(stage: Stage, n: int) -> Findings:
    """Send so many writes, each one to five times, to processes of which one after the other is killed."""
    findings, chance = Findings(), stage.chance("retries")
    url = stage.postgres.new_database()
    servers = [stage.server("retries", url=url) for _ in range(max(_FEWEST_SERVERS, usable_cores() // _CORES_EACH))]
    acknowledged: dict[str, str] = {}
    sent: Counter[str] = Counter()
    stop = threading.Event()
    killer = threading.Thread(target=_kill, args=(servers, stop, sent, findings), daemon=True)
    killer.start()
    places = iter([(place, random.Random(chance.random())) for place in range(n)])
    guard = threading.Lock()

    def work() -> None:
        while True:
            with guard:
                taken = next(places, None)
            if taken is None:
                return
            _one(servers, *taken, acknowledged, sent, findings)

    at_once([work] * (_CLIENTS_EACH * len(servers)), within_s=None)  # what is told as done below must have ended
    stop.set()
    killer.join(_PATIENCE_S)
    _other_bodies(servers, chance, acknowledged, findings)
    compare(url, acknowledged, findings)
    findings.figures |= {
        "processes": len(servers),
        "requests": sent["requests"],
        "without_answer": sent["doubt"],
        "kills": sent["kills"],
    }
    for server in servers:
        server.kill()
    return findings


def _one(
    servers: list[ServerProcess],
    place: int,
    chance: random.Random,
    acknowledged: dict[str, str],
    sent: Counter[str],
    findings: Findings,
) -> None:
    content, copies = f"retried number {place}", chance.randint(1, _MOST)

    def send(server: ServerProcess) -> Callable[[], Answer]:
        def call() -> Answer:
            with Caller(server.url, timeout_s=30) as caller:
                return caller.add("user/retries", content, idempotency_key=f"retry-{place}")

        return call

    answers: list[Answer] = []
    until = time.monotonic() + _PATIENCE_S
    while not answers and time.monotonic() < until:  # the last word of a client is an answer
        results = at_once([send(chance.choice(servers)) for _ in range(copies)])
        sent["requests"] += copies
        sent["doubt"] += sum(isinstance(r, GONE) for r in results)
        for result in results:
            if isinstance(result, Answer) and result.status == 201:
                answers.append(result)
            elif not isinstance(result, (*GONE, Answer)) or (isinstance(result, Answer) and result.status != 503):
                findings.broke("an unexpected answer", result)
        if not answers:
            time.sleep(0.05)
    findings.check(bool(answers), "a write was never acknowledged", content)
    if len({answer.body["memory"]["id"] for answer in answers}) > 1:
        findings.broke("one key, two answers", content)
    if answers:
        acknowledged[content] = answers[0].body["memory"]["id"]


def _other_bodies(
    servers: list[ServerProcess], chance: random.Random, acknowledged: dict[str, str], findings: Findings
) -> None:
    """A key that was used for something else is refused, by any process."""
    for content in chance.sample(sorted(acknowledged), min(10, len(acknowledged))):
        place = content.rsplit(" ", 1)[1]
        with Caller(chance.choice(servers).url) as caller:
            answer = caller.add("user/retries", f"something else than {place}", idempotency_key=f"retry-{place}")
        findings.check(answer.status == 422, "a key with another body was taken", (answer.status, answer.body))


def _kill(servers: list[ServerProcess], stop: threading.Event, sent: Counter[str], findings: Findings) -> None:
    turn = 0
    while not stop.wait(_KILL_EVERY_S if turn else 0.2):
        server = servers[turn % len(servers)]
        turn += 1
        server.send(signal.SIGKILL)
        server.wait()
        sent["kills"] += 1
        try:
            server.start()
        except RuntimeError as error:
            findings.broke("it did not start again", error)
            return


ROW = Row("R-34", "a repeated write has one effect and one answer", run, 24, 20_000, "writes")
