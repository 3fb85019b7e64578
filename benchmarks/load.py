"""What a deployment holds: PostgreSQL, Valkey, several API processes and a worker, with many namespaces.

    python -m benchmarks.load [--processes 4] [--namespaces 200] [--memories 5000] [--embedder stub|real] [--seconds 30]

First the database is filled: one namespace over the API, the others as copies of its rows (`benchmarks._copied`). Then
requests arrive by the clock (`benchmarks._open_loop`), recalls, writes, and nine recalls to a write, at rates that rise
until the 99th percentile of all waits is above `--p99-ms`; a refusal counts as a wait without end, and they arrive at
four times what was done at the rate that was held. Then they rise until no more is answered within `--in-time-ms`: the
peak. Last they arrive at that rate and at four times what was done, in turn and several times; saved is the pair with
the median share. What is asked for goes to the process that has the namespace in its bank, as behind a
proxy that goes by the key; with `--spread` to any of them. Client, database and service share the cores.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from sqlalchemy import create_engine, make_url

from benchmarks import _results, _stubbed
from benchmarks._capacity import Trial, highest, overload, peak
from benchmarks._copied import MOST, copy_namespace
from benchmarks._http import Client
from benchmarks._open_loop import Request, offer
from benchmarks._server import scratch
from benchmarks._texts import Corpus
from deploy.local import running
from deploy.processes import MODULE, Api, postgres
from retrieval.embedders import packaged

KINDS = {"recalls": 0.0, "writes": 1.0, "mixed": 0.1}
"""Kinds of load, and the share of writes in each."""
OVERLOAD, OVERLOAD_S = 4.0, 15.0
_PEAK_S = 10.0
_PAIRS = 3
"""Of a peak and its overload. One peak that a rate was chosen by is a lucky one."""
_BATCH = 500
_ROOM = 1.25
"""Bank that each process may have, over what its namespaces take."""
_STRANGERS_LEAVE_S = 11.0
"""A start fills the bank with any namespaces; those that nobody asks for may leave it after 10 s."""
_FIRST_PER_S = 20.0
_TRIES = 2
"""A rate that does not hold is tried again: one bad moment must not end the search. All trials are saved."""
_FEWEST = 100
"""Requests of a trial at least: a hundredth of fewer is nobody."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is built, and how it is judged."""

    processes: int
    namespaces: int
    memories: int
    threads: int
    seconds: float
    p99_ms: float
    in_time_ms: float
    profile: str
    is_spread: bool
    seed: int


class Load:
    """Requests to a deployment that stands.

    Args:
        urls: of the API processes.
        corpus: of what is written and asked; nothing comes twice but by chance, so that no cache answers.
    """

    def __init__(self, urls: Sequence[str], sizes: Sizes, corpus: Corpus) -> None:
        self._urls, self._sizes, self._corpus = urls, sizes, corpus
        self._rng = np.random.default_rng(sizes.seed)

    def warm(self) -> float:
        """Have every namespace in the bank where it is asked for; returns how many seconds that took."""
        begun = time.perf_counter()
        clients = [Client(url) for url in self._urls]
        questions = self._corpus.questions(self._sizes.namespaces)
        for number, question in enumerate(questions):
            for place in range(len(clients)) if self._sizes.is_spread else [number % len(clients)]:
                clients[place].post("/v1/recall", self._question(number, question))
        for client in clients:
            client.close()
        return time.perf_counter() - begun

    def trial(self, share_of_writes: float, per_s: float, seconds: float) -> Trial:
        """Offer a rate for a while.

        Raises:
            RuntimeError: the service called a request wrong: nothing was measured then.
        """
        n = max(_FEWEST, round(per_s * seconds))
        writes = (self._rng.random(n) < share_of_writes).tolist()
        texts, _ = self._corpus.texts(max(1, sum(writes)))
        said, asked = iter(texts), iter(self._corpus.questions(n - sum(writes)))
        requests = [self._write(next(said)) if is_write else self._recall(next(asked)) for is_write in writes]
        trial = offer(requests, per_s, int(self._rng.integers(2**32)))
        if wrong := [status for status in trial.statuses if 400 <= status < 500 and status != 429]:
            raise RuntimeError(f"requests were answered with {wrong}")
        return trial

    def _write(self, content: str) -> Request:
        number = int(self._rng.integers(self._sizes.namespaces))
        return Request(
            self._home(number), "/v1/memories", orjson.dumps({"namespace": name(number), "content": content})
        )

    def _recall(self, question: str) -> Request:
        number = int(self._rng.integers(self._sizes.namespaces))
        return Request(self._home(number), "/v1/recall", orjson.dumps(self._question(number, question)))

    def _question(self, number: int, question: str) -> dict[str, Any]:
        return {"namespace": name(number), "query": question, "profile": self._sizes.profile}

    def _home(self, number: int) -> str:
        places = len(self._urls)
        return self._urls[int(self._rng.integers(places)) if self._sizes.is_spread else number % places]


def measure(load: Load, sizes: Sizes, kind: str) -> dict[str, Any]:
    """The highest rate that is held, the most that is done at any rate, and overloads of both.

    Raises:
        RuntimeError: nothing was done in time.
    """
    long: dict[float, Trial] = {}
    short: dict[float, Trial] = {}
    trials: list[Trial] = []

    def tried(per_s: float, seconds: float) -> Trial:
        trial = load.trial(KINDS[kind], per_s, seconds)
        print(f"  {kind}: {trial.figures()}", flush=True)
        trials.append(trial)
        return trial

    def holds(per_s: float) -> bool:
        for _ in range(_TRIES):
            long[per_s] = tried(per_s, sizes.seconds)
            if long[per_s].wait_ms(0.99) <= sizes.p99_ms:
                return True
        return False

    def done(per_s: float) -> float:
        short[per_s] = tried(per_s, _PEAK_S)
        return short[per_s].goodput(sizes.in_time_ms)

    def over(before: Trial) -> dict[str, Any]:
        after = tried(OVERLOAD * before.goodput(sizes.in_time_ms), OVERLOAD_S)  # what was done, not what was offered
        within_p99 = overload(before, after, sizes.p99_ms)["goodput_share"]
        return overload(before, after, sizes.in_time_ms) | {"goodput_share_within_p99_ms": within_p99}

    rate = highest(holds, _FIRST_PER_S)
    held = None if rate is None else long[rate]
    over_held = held and over(held)
    at = peak(done, rate or _FIRST_PER_S)
    pairs = []
    for _ in range(_PAIRS):
        if not done(at):
            raise RuntimeError(f"nothing was done within {sizes.in_time_ms:g} ms at {at:g} requests a second")
        pairs.append((short[at], over(short[at])))
    pairs.sort(key=lambda pair: pair[1]["goodput_share"])
    most, over_most = pairs[len(pairs) // 2]
    return {
        "held": held and held.figures(),
        "overload": over_held,
        "peak": most.figures() | {"goodput_per_s": round(most.goodput(sizes.in_time_ms), 1)},
        "overload_of_peak": over_most | {"goodput_shares": [one["goodput_share"] for _, one in pairs]},
        "trials": [one.figures() for one in trials],
    }


def fill(folder: Path, sizes: Sizes, module: str, corpus: Corpus) -> dict[str, Any]:
    """Make the database under `folder`; what that took, and what a namespace takes in the bank."""
    begun = time.perf_counter()
    texts, _ = corpus.texts(sizes.memories)
    with running(folder, [0], module) as processes:
        client = Client(next(one.url for one in processes if isinstance(one, Api)))
        for at in range(0, len(texts), _BATCH):
            rows = [{"content": content} for content in texts[at : at + _BATCH]]
            answer = client.post("/v1/memories:batch", {"namespace": name(0), "memories": rows})
            if refused := [item for item in answer["items"] if item["status"] >= 300]:
                raise RuntimeError(f"{len(refused)} memories were refused, the first: {refused[0]}")
        bank_bytes = client.get(f"/v1/stats?namespace={name(0)}")["bank_bytes"]
        client.close()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # stopping them left it ignored
    written = time.perf_counter()
    with postgres(folder / "postgres") as owner:
        engine = create_engine(make_url(owner).set(drivername="postgresql+psycopg"))
        copy_namespace(engine, name(0), [name(number) for number in range(1, sizes.namespaces)])
        with engine.connect() as connection:
            size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
        engine.dispose()
    return {
        "memories": sizes.namespaces * sizes.memories,
        "first_namespace_s": round(written - begun, 1),
        "copies_s": round(time.perf_counter() - written, 1),
        "bank_bytes_each": bank_bytes,
        "database_bytes": size,
    }


def name(number: int) -> str:
    """Path of a namespace."""
    return f"bench/load/{number:04d}"


@contextmanager
def _settings(**given: object) -> Iterator[None]:
    """Settings of the processes that are started meanwhile; no others of this environment reach them."""
    before = dict(os.environ)
    for one in before:
        if one.startswith("MEMSVC_"):
            del os.environ[one]
    os.environ.update({f"MEMSVC_{one.upper()}": str(value) for one, value in given.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def main() -> None:
    """Measure and save."""
    options = _options()
    sizes = Sizes(
        options.processes, options.namespaces, options.memories, options.threads, options.seconds, options.p99_ms,
        options.in_time_ms, options.profile, options.spread, options.seed,
    )  # fmt: skip
    is_stub = options.embedder == "stub"
    module = _stubbed.__name__ if is_stub else MODULE
    settings = {
        "embedder": _stubbed.SETTING if is_stub else f"packaged:{packaged.DEFAULT_MODEL}",
        "request_threads": sizes.threads,
        "log_level": "error",
        **({"reranker": "none"} if sizes.profile == "fast" else {}),
    }
    corpus = Corpus(sizes.seed, packaged.load())
    with scratch() as folder:
        with _settings(**settings):
            filled = fill(folder, sizes, module, corpus)
        print(f"filled: {filled}", flush=True)
        each = sizes.namespaces if sizes.is_spread else -(-sizes.namespaces // sizes.processes)
        settings["bank_bytes"] = round(_ROOM * each * filled["bank_bytes_each"])
        with _settings(**settings), running(folder, [0] * sizes.processes, module) as processes:
            time.sleep(_STRANGERS_LEAVE_S)
            load = Load([one.url for one in processes if isinstance(one, Api)], sizes, corpus)
            figures: dict[str, Any] = {
                **{one: getattr(sizes, one) for one in ("processes", "namespaces", "memories", "p99_ms", "profile")},
                "routing": "any process" if sizes.is_spread else "a process for each namespace",
                "embedder": f"{_stubbed.COST_S * 1e3:.0f} ms a text, no core" if is_stub else settings["embedder"],
                "settings": settings,
                "fill": filled,
                "warm_s": round(load.warm(), 1),
            }
            for kind in KINDS:
                load.trial(KINDS[kind], _FIRST_PER_S, 5.0)  # what is compiled and opened at first
                figures[kind] = measure(load, sizes, kind)
    command = shlex.join(["python", "-m", "benchmarks.load", *sys.argv[1:]])
    saved = _results.save(options.name or f"load_{options.embedder}", figures, command=command, seed=sizes.seed)
    print(f"saved {saved}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--processes", type=int, default=4, help="API processes")
    parser.add_argument("--namespaces", type=int, default=200, help=f"at most {MOST + 1}")
    parser.add_argument("--memories", type=int, default=5000, help="of each namespace")
    parser.add_argument("--embedder", choices=("stub", "real"), default="stub", help="of a fixed cost, or the default")
    parser.add_argument("--seconds", type=float, default=30.0, help="for which a rate is offered")
    parser.add_argument("--p99-ms", type=float, default=100.0, help="the 99th percentile of the waits at most")
    parser.add_argument("--in-time-ms", type=float, default=2000.0, help="until when an answer counts in an overload")
    parser.add_argument("--profile", choices=("fast", "balanced", "thorough"), default="fast", help="of the recalls")
    parser.add_argument("--threads", type=int, default=2, help="MEMSVC_REQUEST_THREADS of each process")
    parser.add_argument("--spread", action="store_true", help="ask any process; each needs a bank of everything")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--name", help="name of the file of figures; default: load_stub or load_real")
    given = parser.parse_args()
    if given.namespaces > MOST + 1:
        parser.error(f"at most {MOST + 1} namespaces")
    return given


if __name__ == "__main__":
    main()
