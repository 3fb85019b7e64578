"""Edits of one memory race with each other and with jobs. All orders: benchmarks/interleavings.py."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from benchmarks._interleaver import Every, at_random, points, run
from benchmarks.interleavings import Race, pairs, threes
from benchmarks.interleavings import run as play
from lifecycle.policy import Policy
from memsvc.db.engine import Database
from memsvc.db.tenancy import SERVICE
from memsvc.erasures.eraser import Eraser
from memsvc.jobs.fading import Fade
from memsvc.memories.ledger import Ledger
from memsvc.models.tables import VERSION

SEED = 14


def test_what_races_leaves_what_some_order_leaves(database_url: str, tmp_path: Path) -> None:
    """Some orders of two races and of one of three, by chance; the seed is fixed."""
    chance = random.Random(SEED)
    some: list[Race] = [*chance.sample(pairs(), 2), next(threes(chance))]
    report = play(database_url, tmp_path, [(race, [at_random(chance)] * 6) for race in some])
    assert report.schedules.total() == 18
    assert report.broken == {}, f"seed {SEED}"


class Steps:
    """A call that reads and writes a few times, and says when it did."""

    def __init__(self, database: Database, name: str, said: list[str], count: int) -> None:
        self._database, self._name, self._said, self._count = database, name, said, count

    def __call__(self) -> None:
        for number in range(self._count):
            self._database.write(SERVICE, lambda connection: None)
            self._said.append(f"{self._name}{number}")


@pytest.fixture
def database(sqlite_url: str) -> Any:
    made = Database(sqlite_url)
    yield made
    made.close()


def test_every_order_is_tried_once(database: Database) -> None:
    """Two calls of three and of two steps have ten orders."""
    orders = []
    with points():
        for choose in Every():
            said: list[str] = []
            run([Steps(database, "a", said, 3), Steps(database, "b", said, 2)], choose)
            orders.append(tuple(said))
    assert len(orders) == len(set(orders)) == 10
    assert all([one for one in order if one[0] == "a"] == ["a0", "a1", "a2"] for order in orders)


# --- the looking itself can fail: each promise is broken on purpose -------------------------------------------------


def without_looking_again(patch: pytest.MonkeyPatch) -> None:
    """A gist is written as it was planned, whatever became of its sources."""
    patch.setattr("memsvc.jobs.consolidation._stands", lambda *given: True)


def with_a_snapshot(patch: pytest.MonkeyPatch) -> None:
    """The sweep writes back what it read when it planned."""
    whole, seen = Fade.plan, dict[Any, Any]()

    def plan(self: Fade, connection: Any, namespace: Any, policy: Policy, now: Any) -> Any:
        rows = connection.execute(VERSION.select().where(VERSION.c.namespace_id == namespace.id)).all()
        seen.update({(row.memory_id, row.version): row.content for row in rows})
        return list(whole(self, connection, namespace, policy, now))

    def apply(self: Fade, ledger: Ledger, steps: Sequence[Any], policy: Policy, now: Any) -> Any:
        known = {memory_id for memory_id, _ in seen}
        versions = VERSION.c.namespace_id == ledger.namespace.id, VERSION.c.memory_id.in_(known)
        for row in ledger.connection.execute(VERSION.select().where(*versions)).all():
            if (row.memory_id, row.version) not in seen:
                said = update(VERSION).where(VERSION.c.memory_id == row.memory_id, VERSION.c.version == row.version)
                ledger.connection.execute(said.values(content=seen[row.memory_id, 1]))
        return steps

    patch.setattr(Fade, "plan", plan)
    patch.setattr(Fade, "apply", apply)


def without_what_was_derived(patch: pytest.MonkeyPatch) -> None:
    """An erasure leaves what was made of a memory."""
    patch.setattr(Eraser, "going", lambda self, connection, tenant_id, memory_ids: frozenset(memory_ids))


@pytest.mark.parametrize(
    ("break_", "race", "expected"),
    [
        (without_looking_again, ("fresh", ("erase", "consolidate")), "a job that failed"),
        (with_a_snapshot, ("fresh", ("patch", "fade")), "a state that no order leads to"),
        (without_what_was_derived, ("gisted", ("erase", "reinforce")), "words of an erased memory"),
    ],
)
def test_a_broken_promise_is_found(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, break_: Any, race: Race, expected: str
) -> None:
    break_(monkeypatch)
    report = play(sqlite_url, tmp_path, [(race, [at_random(random.Random(SEED))] * 16)])
    assert any(expected in name for name in report.broken), report.broken
