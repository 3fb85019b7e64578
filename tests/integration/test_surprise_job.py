"""The job that says how unlike everything before it a memory was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from memsvc.jobs import surprise
from memsvc.jobs.repository import Run
from memsvc.jobs.runner import Runner
from memsvc.models.tables import MEMORY
from tests.fixtures.storage_service import PATH, HeldClock, Service, anywhere, service_on

TEXTS = [
    "rye bread with caraway seeds",
    "rye bread with sunflower seeds",
    "rye bread with pumpkin seeds",
    "rye bread with caraway seeds",
    "the ferry to Tromsø leaves at noon",
    "rye bread with linseed",
]


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def service(database_url: str, tmp_path: Path, clock: HeldClock) -> Iterator[Service]:
    with service_on(database_url, tmp_path, clock=clock, jobs="off") as made:
        yield made


def told(service: Service, clock: HeldClock, path: str = PATH) -> list[UUID]:
    found = []
    for text in TEXTS:
        found.append(service.add(text, path))
        clock.move(1.0)
    return found


def judge(service: Service, path: str = PATH, *, is_dry: bool = False) -> Run:
    run_id = service.container.jobs.ask(service.author, path, "surprise", is_dry=is_dry).run.id
    service.container.scheduler.round()
    return service.container.jobs.one(service.tenant_id, run_id, anywhere).run


def kept(service: Service) -> dict[UUID, tuple[Any, Any, Any]]:
    with service.look() as connection:
        rows = connection.execute(select(MEMORY.c.id, MEMORY.c.surprise, MEMORY.c.novelty, MEMORY.c.nearest_id))
        return {row.id: (row.surprise, row.novelty, row.nearest_id) for row in rows}


def killed_then_resumed(service: Service, clock: HeldClock, meanwhile: Callable[[], None]) -> Run:
    """A run in which something happens between its plan and its first chunk."""

    def at(point: str) -> None:
        if point == "planned":
            meanwhile()

    run_id = service.container.jobs.ask(service.author, PATH, "surprise", is_dry=False).run.id
    runner = Runner(service.container.database, clock, {"surprise": surprise.Surprise()}, at)
    runner.run(service.tenant_id, run_id)
    return service.container.jobs.one(service.tenant_id, run_id, anywhere).run


def test_the_same_again_surprises_least_and_something_new_most(service: Service, clock: HeldClock) -> None:
    memories = told(service, clock)
    seq = service.remember(["one more"])["seq"]
    assert judge(service).counts == {"judge": 7}
    found = kept(service)
    again, new = found[memories[3]], found[memories[4]]
    assert found[memories[0]] == (0.5, 1.0, None)
    assert again[1:] == (0.0, memories[0])
    assert again[0] < 0.5 < new[0]
    assert new[0] == max(found[one][0] for one in memories)
    assert judge(service).counts == {}
    assert service.remember(["and another"])["seq"] == seq + 1  # no version, no place in the log


def test_a_dry_run_writes_nothing_and_an_undo_takes_it_back(service: Service, clock: HeldClock) -> None:
    memories = told(service, clock)
    assert judge(service, is_dry=True).counts == {"judge": 6}
    assert set(kept(service).values()) == {(None, None, None)}
    run = judge(service)
    before = kept(service)
    service.container.jobs.undo(service.author, run.id, anywhere)
    service.container.scheduler.round()
    assert set(kept(service).values()) == {(None, None, None)}
    judge(service)
    assert kept(service) == before
    assert set(before) == set(memories)


def test_later_memories_change_nothing(service: Service, clock: HeldClock) -> None:
    memories = told(service, clock)
    judge(service)
    before = kept(service)
    for text in TEXTS:
        service.add(f"{text}, once more")
    judge(service)
    after = kept(service)
    assert {one: after[one] for one in memories} == before


def test_what_was_erased_leaves_no_trace(service: Service, clock: HeldClock) -> None:
    secret = service.add("rye bread with walnuts and caraway seeds")
    clock.move(1.0)
    memories = told(service, clock)
    judge(service)
    assert kept(service)[memories[0]][2] == secret
    service.erase(secret)
    assert kept(service)[memories[0]] == (None, None, None)
    judge(service)
    without = [kept(service)[one] for one in memories]
    again = told(service, clock, "user/never")
    judge(service, "user/never")
    as_if_never = [kept(service)[one] for one in again]
    assert [one[:2] for one in without] == [one[:2] for one in as_if_never]
    assert [one and memories.index(one) for *_, one in without] == [one and again.index(one) for *_, one in as_if_never]


def test_a_text_that_is_edited_is_judged_again_and_what_rests_on_it_too(service: Service, clock: HeldClock) -> None:
    memories = told(service, clock)
    judge(service)
    assert kept(service)[memories[3]][2] == memories[0]
    service.edit(memories[0], tags=["kitchen"])  # the text stays
    assert None not in kept(service)[memories[3]]
    service.edit(memories[0], "the dentist called")
    assert kept(service)[memories[0]] == kept(service)[memories[3]] == (None, None, None)
    judge(service)
    assert kept(service)[memories[3]][1] > 0


@pytest.mark.parametrize("what", ["edit", "erase"])
def test_what_changes_between_plan_and_chunk_waits(service: Service, clock: HeldClock, what: str) -> None:
    memories = told(service, clock)

    def meanwhile() -> None:
        if what == "edit":
            service.edit(memories[0], "the dentist called")
        else:
            service.erase(memories[0])

    run = killed_then_resumed(service, clock, meanwhile)
    found = kept(service)
    assert run.counts["skipped"] >= 2
    assert found[memories[3]] == (None, None, None)
    assert all(nearest != memories[0] for *_, nearest in found.values())
    judge(service)
    assert None not in {found for found, *_ in kept(service).values()}


def test_a_run_compares_so_many_at_most_and_the_next_goes_on(
    service: Service, clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    memories = told(service, clock)
    judge(service)
    whole = kept(service)
    service.meddle(lambda c: c.execute(MEMORY.update().values(surprise=None, novelty=None, nearest_id=None)) and None)
    monkeypatch.setattr(surprise, "MOST", 2)
    monkeypatch.setattr(surprise, "_PAGE", 4)
    assert [judge(service).counts.get("judge", 0) for _ in range(4)] == [2, 2, 2, 0]
    assert kept(service) == whole
    assert len(memories) == 6


def test_another_tenant_and_another_namespace_are_not_looked_at(service: Service, clock: HeldClock) -> None:
    told(service, clock, "user/ben")
    memories = told(service, clock)
    judge(service)
    found = kept(service)
    assert found[memories[0]] == (0.5, 1.0, None)
    assert sum(one[0] is not None for one in found.values()) == len(memories)


def test_a_surprising_memory_lasts_longer(service: Service, clock: HeldClock) -> None:
    memories = told(service, clock)
    judge(service)
    clock.move(10 * 86_400.0)
    service.container.jobs.ask(service.author, PATH, "fade", is_dry=True)
    with service.look() as connection:
        rows = {row.id: row for row in connection.execute(select(MEMORY))}
    from lifecycle.policy import Policy
    from memsvc.memories.fading import faded

    again, new = faded(dict(rows[memories[3]]._mapping)), faded(dict(rows[memories[4]]._mapping))
    assert again is not None
    assert new is not None
    assert new.stability(Policy()) > again.stability(Policy())
