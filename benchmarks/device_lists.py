"""The channels of words and of entities, by scanning on the processor and by lists that a device makes.

    python -m benchmarks.device_lists [--rows 20000 100000 1000000] [--questions 60] [--listed 512 4096]

Made-up memories (`gpu.bench.descriptions`: 25 words each, drawn by Zipf's law, two mentions), in conversations of 20;
each question has four words that are neither in every memory nor in hardly any, and two entities. Every question gets a
view of its own whose filter has been evaluated, and what the ways find is compared. `by_list`: what is left to the
processor once the lists are there (made by its own operations before, untimed), which tells how often a list of that
length is proof. `by_device`: the whole, where there is a device.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch

from benchmarks import _results
from gpu.bank.filters import ScanFilter
from gpu.bank.lists import ListedBest, Lists
from gpu.bank.namespace import NamespaceBank
from gpu.bank.pages import PagePool
from gpu.bank.view import BankView
from gpu.bench.descriptions import ask, describe
from gpu.bench.namespaces import batch_of
from gpu.device.bank import DeviceBank
from gpu.device.host_channels import channels
from gpu.device.lists import DeviceLists
from gpu.device.pool import DevicePool
from gpu.device.rules import DeviceRules
from gpu.device.searches import DeviceSearches
from gpu.ops.channel_pass.questions import Listed, Question
from retrieval.channels import listed
from retrieval.channels.entity import EntityChannel
from retrieval.channels.keyword import KeywordChannel
from retrieval.types import AnalysedQuery, ChannelResult, Query, Terms

NAME = "device_lists"
COMMAND = "python -m benchmarks.device_lists"
DIM = 384
LIMIT = 100
CONVERSATION = 20
_BATCH = 1 << 17


def filled(n: int, seed: int) -> NamespaceBank:
    """A namespace of so many memories."""
    rng = np.random.default_rng(seed)
    bank = NamespaceBank(PagePool(), DIM)
    for at in range(0, n, _BATCH):
        rows = rng.standard_normal((min(_BATCH, n - at), DIM), np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        batch = describe(batch_of(rows.astype(np.float16), at), rng)
        bank.put(replace(batch, sequences=1 + np.arange(at, at + len(rows), dtype=np.uint64) // CONVERSATION))
    return bank


def questions(n: int, seed: int) -> list[AnalysedQuery]:
    """What is asked, without a vector."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        made = ask(rng)
        if made.terms is None or made.entities is None:
            continue
        terms = Terms(made.terms.ids, np.ones(made.terms.ids.size, np.uint16), made.terms.ids.size)
        query = Query("?", datetime(2026, 1, 1, tzinfo=UTC), 10, ScanFilter())
        found.append(AnalysedQuery(query, terms, np.concatenate(made.entities.ids), None))
    return found


@dataclass
class Ready:
    """Lists that were made before they are asked for; see `gpu.bank.lists.Lists`."""

    length: int
    made: dict[bytes, Mapping[Listed, ListedBest]] = field(default_factory=dict)

    def find(self, view: BankView, question: Question, limit: int) -> Mapping[Listed, ListedBest]:
        """See `gpu.bank.lists.Lists`; made the first time that they are asked for."""
        terms, entities = question.terms, question.entities
        key = (b"" if terms is None else terms.ids.tobytes()) + (
            b"" if entities is None else b"".join(group.tobytes() for group in entities.ids)
        )
        if key not in self.made:
            self.made[key] = {
                which: ListedBest(np.sort(slots), float(scores[-1]) if scores.size == self.length else 0.0)
                for which, (slots, scores) in channels(view, question, self.length).items()
            }
        return self.made[key]


Found = tuple[ChannelResult | None, ChannelResult | None]


def searched(query: AnalysedQuery, view: BankView) -> Found:
    """What both channels find."""
    return KeywordChannel().search(query, view, LIMIT), EntityChannel().search(query, view, LIMIT)


def timed(
    bank: NamespaceBank, query: AnalysedQuery, prepare: Callable[[AnalysedQuery, BankView], AnalysedQuery]
) -> Any:
    """Milliseconds, and what was found in a view whose filter has been evaluated and whose order is known."""
    with bank.view(ScanFilter()) as view:
        view.mask()
        view.sequence_order()
        begun = time.perf_counter()
        found = searched(prepare(query, view), view)
        return (time.perf_counter() - begun) * 1e3, found


def same(a: Found, b: Found) -> bool:
    """Whether two ways found the same memories with the same scores."""
    for one, other in zip(a, b, strict=True):
        if (one is None) != (other is None):
            return False
        if (
            one is not None
            and other is not None
            and not (np.array_equal(one.slots, other.slots) and np.array_equal(one.scores, other.scores))
        ):
            return False
    return True


def measured(bank: NamespaceBank, asked: list[AnalysedQuery], lists: Lists) -> dict[str, Any]:
    """How the channels do with lists, beside scanning."""
    both = (KeywordChannel(), EntityChannel())

    def by_lists(query: AnalysedQuery, view: BankView) -> AnalysedQuery:
        return replace(query, listing=listed.Listing(both, query, view, lists))

    first_ms, _ = timed(bank, asked[0], by_lists)
    for query in asked:
        timed(bank, query, by_lists)
    scans = [timed(bank, query, lambda query, _: query) for query in asked]
    listings = [timed(bank, query, by_lists) for query in asked]
    words = [found for _, (found, _) in listings if found is not None]
    return {
        "scan_ms": _spread([ms for ms, _ in scans]),
        "lists_ms": _spread([ms for ms, _ in listings]),
        "first_ms": first_ms,
        "words_proved": sum(bool(np.isnan(found.mean)) for found in words) / max(len(words), 1),
        "the_same": sum(same(a, b) for (_, a), (_, b) in zip(scans, listings, strict=True)) / len(asked),
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"p50": float(np.median(values)), "p95": float(np.percentile(values, 95))}


def main() -> None:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 100_000, 1_000_000])
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--listed", type=int, nargs="+", default=[512, 4_096])
    parser.add_argument("--pool-gib", type=float, default=8.0)
    given = parser.parse_args()
    has_device = torch.cuda.is_available()
    figures = []
    for n in given.rows:
        bank, asked = filled(n, 1), questions(given.questions, 2)
        for length in given.listed:
            listed.LISTED = length
            run = {"rows": n, "listed": length, "by_list": measured(bank, asked, Ready(length))}
            if has_device:
                pool = DevicePool(torch.device("cuda"), int(given.pool_gib * 2**30))
                searches = DeviceSearches(DeviceBank(pool))
                run["by_device"] = measured(bank, asked, DeviceLists(bank, searches, DeviceRules(lists_from=1)))
                searches.close()
            figures.append(run)
            print(run, flush=True)
    device = torch.cuda.get_device_name() if has_device else None
    _results.save(NAME, {"device": device, "runs": figures}, command=" ".join([COMMAND, *sys.argv[1:]]), seed=1)


if __name__ == "__main__":
    main()
