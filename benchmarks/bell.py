"""What another process's write costs the next recall, with and without a bell: `python -m benchmarks.bell`.

Two servers over one PostgreSQL: a batch is written through one, and a little later the other is asked. Without a bell
it applies the batch before it answers; with one it has done so already. A recall sees the write in either case.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks._results import save
from benchmarks._server import Server
from deploy.processes import postgres, valkey


def measure(urls: list[str], pairs: int, batch: int, pause_s: float) -> dict[str, Any]:
    """Latency of the recall after each write elsewhere, and how many did not see it."""
    took, missed = [], 0
    with httpx.Client(base_url=urls[0], timeout=30) as writer, httpx.Client(base_url=urls[1], timeout=30) as asker:
        for number in range(-3, pairs):
            namespace = {"namespace": "bench/bell"}
            memories = [{"content": f"Parcel {number * batch + i} of round {number} is blue."} for i in range(batch)]
            answer = writer.post("/v1/memories:batch", json={**namespace, "memories": memories})
            answer.raise_for_status()
            time.sleep(pause_s)
            begun = time.perf_counter()
            found = asker.post("/v1/recall", json={**namespace, "query": f"round {number}", "profile": "fast"})
            seconds = time.perf_counter() - begun
            found.raise_for_status()
            if number >= 0:
                took.append(seconds * 1e3)
                missed += found.json()["seq"] < answer.json()["seq"]
    return {
        "pairs": pairs,
        "missed": missed,
        "p50_ms": round(float(np.percentile(took, 50)), 2),
        "p99_ms": round(float(np.percentile(took, 99)), 2),
    }


def main() -> None:
    """Measure each way to ring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--batch", type=int, default=50, help="memories of each write")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds between a write and the recall")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, postgres(Path(folder) / "pg") as url, valkey() as vk:
        common = {"embedder": "hashing:384", "reranker": "none", "database_url": url, "secret": "s" * 40,
                  "log_level": "error", "jobs": "off", "recall_cache_s": "0"}  # fmt: skip
        # A Redis that is not there rings nothing: what a process then does is what it did before there was a bell.
        ways = {"none": {"redis_url": "unix:///nowhere"}, "postgresql": {}, "redis": {"redis_url": vk.url}}
        for name, way in ways.items():
            with ExitStack() as closing:
                servers = []
                for place in "ab":
                    servers.append(Server(Path(folder) / f"{name}-{place}", common | way))
                    closing.callback(servers[-1].stop)
                figures[name] = measure([one.url for one in servers], given.pairs, given.batch, given.pause)
            print(name, figures[name], flush=True)
    command = f"python -m benchmarks.bell --pairs {given.pairs} --batch {given.batch} --pause {given.pause:g}"
    save("bell", figures, command=command)


if __name__ == "__main__":
    main()
