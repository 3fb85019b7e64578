"""1,000 namespaces of 100 memories each: recall, and what a small namespace costs in memory.

    python -m benchmarks.namespaces_1000

`bank_bytes` is what the bank has allocated (`GET /v1/stats`); `held_bytes` what that is for: half-precision vectors,
attributes and arenas of the live rows, counted over the same database loaded into a bank of this process.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks import _load, _results
from benchmarks._http import Client, side_by_side, spread
from benchmarks._server import Server, scratch, serve
from benchmarks._timings import recall_figures
from gpu.bank.bank import Bank
from memsvc.db.engine import Database
from memsvc.index.keeper import Keeper

COMMAND = "python -m benchmarks.namespaces_1000"
CLIENTS = 8
AIM = 1.5


def main() -> None:
    """Measure and save."""
    options = _options()
    memories = _load.make(options.namespaces * options.size, options.seed)
    rng = np.random.default_rng(options.seed)
    with scratch() as folder:
        data_dir = folder / "data"
        with serve(data_dir) as server:
            figures = measure(server, memories, options.namespaces, options.size, options.calls, rng)
        figures["held"] = held(data_dir)
        figures["ratio"] = round(figures["bank_bytes"]["sum"] / figures["held"]["held_bytes"], 3)
        figures["aim_ratio"] = AIM
        figures["database_bytes"] = _load.database_bytes(data_dir)
        with serve(data_dir) as server:
            first = side_by_side(
                server.url, "/v1/recall", _bodies(memories.questions[-20:], options.namespaces, rng), 1
            )
            figures["restart"] = {
                "ready_s": round(server.ready_s, 2),
                "rss_bytes": server.rss_bytes(),
                **spread(first.ms),
            }
    print(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode())
    print(f"saved {_results.save(options.name, figures, command=COMMAND, seed=options.seed)}")


def measure(
    server: Server, memories: _load.Memories, namespaces: int, size: int, calls: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Everything that one run of the server can tell."""
    client = Client(server.url)
    figures: dict[str, Any] = {"namespaces": namespaces, "memories_each": size, "rss_empty_bytes": server.rss_bytes()}
    spent = _load.load(client, _batches(memories, namespaces, size), "namespaces")
    figures["load"] = {"batch": size, "seconds": round(spent, 1), "rows_per_s": round(namespaces * size / spent)}
    figures["rss_loaded_bytes"] = server.rss_bytes()
    figures["rss_per_namespace_bytes"] = (figures["rss_loaded_bytes"] - figures["rss_empty_bytes"]) // namespaces
    side_by_side(server.url, "/v1/recall", _bodies(memories.questions[:20], namespaces, rng), 1)  # warm up
    at = 20
    for clients, number in ((1, calls), (CLIENTS, 2 * calls)):
        bodies = _bodies(memories.questions[at : at + number], namespaces, rng)
        at += number
        figures[f"recall_{clients}"] = recall_figures(
            side_by_side(server.url, "/v1/recall", bodies, clients, keep=True)
        )
    allocated = [client.get(f"/v1/stats?namespace={_name(i)}")["bank_bytes"] for i in range(namespaces)]
    figures["bank_bytes"] = {"sum": sum(allocated), "each_least": min(allocated), "each_most": max(allocated)}
    return figures


def held(data_dir: Path) -> dict[str, int]:
    """Bytes of what the namespaces hold, and what a bank loaded whole from the database allocates for it."""
    database = Database(f"sqlite:///{data_dir / 'memsvc.db'}")
    try:
        bank = Bank()
        Keeper(database, bank).load_all()
        keys = bank.keys()
        each = [bank.namespace(key) for key in keys]
        return {
            "held_bytes": sum(one.held_bytes() for one in each),
            "allocated_after_load_bytes": sum(one.memory_bytes() for one in each),
            "with_free_pages_bytes": bank.memory_bytes(),
        }
    finally:
        database.close()


def _batches(memories: _load.Memories, namespaces: int, size: int) -> Iterator[bytes]:
    for i in range(namespaces):
        yield _load.encoded({"namespace": _name(i), "memories": memories.rows(i * size, (i + 1) * size)})


def _bodies(questions: list[str], namespaces: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    return [_load.recall_bodies(_name(int(rng.integers(namespaces))), [question])[0] for question in questions]


def _name(i: int) -> str:
    return f"bench/small/{i:04d}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--namespaces", type=int, default=1000)
    parser.add_argument("--size", type=int, default=100, help="memories of each")
    parser.add_argument("--calls", type=int, default=800, help="recalls with one client; twice as many with eight")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--name", default="namespaces_1000", help="name of the file of figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
