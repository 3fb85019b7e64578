"""Processes are killed in the middle of a consolidation; every gist is whole. Long runs: benchmarks/."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from benchmarks import kill_consolidation
from benchmarks._consolidating_process import PATH, Slow, consolidation, draft, opened
from benchmarks._consolidation_audit import broken
from benchmarks._scheduler_process import FastClock
from memsvc.db.tenancy import SERVICE
from memsvc.jobs.runner import Runner
from memsvc.jobs.service import Jobs
from memsvc.memories.write import Author
from memsvc.wiring import Container

MEMBERS = 12


@pytest.mark.slow
def test_killed_consolidations_leave_all_or_nothing(database_url: str, tmp_path: Path) -> None:
    """The real thing for a few seconds: processes, SIGKILL, clients."""
    report = kill_consolidation.run(database_url, 3, 5, tmp_path, members=30, kill=0.1, delay_s=0.2, most_s=60.0)
    assert report.broken == {}, report.figures()


# --- the looking itself can fail: each promise is broken on purpose -------------------------------------------------


class KilledError(BaseException):
    """The process ends here: nothing of it runs any more."""


class Scene:
    """One conversation, and nobody who consolidates it yet."""

    def __init__(self, container: Container, author: Author, log: Path) -> None:
        self.container, self.author, self.log = container, author, log
        written = container.remember(author, PATH, [draft(number) for number in range(MEMBERS)], claim=None)
        self.ids = [UUID(item["id"]) for item in written["items"]]
        self.works = consolidation(container, Slow(0.0, random.Random(1)))
        jobs = Jobs(container.database, container.clock, self.works)
        jobs.set_care(author.tenant_id, PATH, kill_consolidation.POLICY, None)
        self.run_id = jobs.ask(author, PATH, "consolidate", is_dry=False).run.id

    def run(self, at: Callable[[str], None]) -> None:
        Runner(self.container.database, self.container.clock, self.works, at, chunk=2).run(
            self.author.tenant_id, self.run_id
        )

    def change(self, point: str) -> None:
        """Corrects one memory and erases another when a part of the gists is worded and not yet written."""
        if point != "prepared" or self.log.stat().st_size:
            return
        changer = self.container.changer
        self.log.write_text("edited 0 7\nerased 1\n")
        changer.edit(self.author, self.ids[0], lambda path: True, draft(0, 7), None, None)
        changer.erase(self.author, self.ids[1], lambda path: True, None, None)

    def broken(self) -> dict[str, int]:
        with self.container.database.read(SERVICE) as connection:
            return broken(connection, self.log, dict.fromkeys(range(MEMBERS), 0))


@pytest.fixture
def scene(sqlite_url: str, tmp_path: Path) -> Iterator[Scene]:
    container, author = opened(sqlite_url, tmp_path, FastClock(datetime.now(UTC), 60.0))
    log = tmp_path / "log"
    log.touch()
    with closing(container):
        yield Scene(container, author, log)


def test_sources_that_change_while_a_gist_is_worded_are_seen(scene: Scene) -> None:
    scene.run(scene.change)
    assert scene.log.stat().st_size
    assert scene.broken() == {}


@pytest.mark.parametrize("point", ["taken", "planned", "prepared", "chunk"])
def test_an_end_at_any_point_leaves_whole_gists(scene: Scene, point: str) -> None:
    def end(at: str) -> None:
        if at == point:
            raise KilledError

    with pytest.raises(KilledError):
        scene.run(end)
    assert scene.broken() == {}


@pytest.mark.parametrize(
    ("broken_part", "instead", "expected"),
    [
        ("memsvc.jobs.consolidation._stands", lambda *given: True, "a gist of something else than its sources were"),
        ("memsvc.memories.ledger.Ledger.link", lambda *given: None, "a gist in part"),
    ],
)
def test_a_broken_promise_is_found(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, broken_part: str, instead: Any, expected: str
) -> None:
    monkeypatch.setattr(broken_part, instead)

    def change(point: str) -> None:
        if point == "prepared" and not scene.log.stat().st_size:
            scene.log.write_text("edited 0 7\n")
            scene.container.changer.edit(scene.author, scene.ids[0], lambda path: True, draft(0, 7), None, None)

    scene.run(change)
    assert scene.broken().get(expected, 0) > 0, scene.broken()
