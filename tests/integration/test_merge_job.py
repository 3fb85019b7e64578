"""The job that makes one of memories that say the same: what it merges and refuses, and taking it back to the byte."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import func, select

from gpu.bank.records import Kind, State
from lifecycle.merging import merged_vector
from lifecycle.steps import Step
from memsvc.core.errors import Conflict, NotFound
from memsvc.jobs.merging import Merging
from memsvc.jobs.repository import Run
from memsvc.jobs.runner import Runner
from memsvc.memories.draft import Draft
from memsvc.models.embedding import MERGED_VIEW
from memsvc.models.tables import EMBEDDING, JOB_EFFECT, MEMORY, VERSION
from tests.fixtures.storage_service import PATH, HeldClock, Service, anywhere, service_on

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SAME = ["I'm allergic to nuts.", "I am allergic to nuts", "Well, I am really allergic to nuts!"]


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def service(database_url: str, tmp_path: Path, clock: HeldClock) -> Iterator[Service]:
    with service_on(database_url, tmp_path, clock=clock, jobs="off") as made:
        yield made


def told(service: Service, text: str, **fields: Any) -> UUID:
    return service.add(text, **{"kind": int(Kind.SEMANTIC), "speaker": "Ada", **fields})


def merge(service: Service, *, share: float = 1.0, is_dry: bool = False, floor: float = 0.3) -> Run:
    """A run; the floor is that of the model of tests, which knows words alone."""
    policy = {"share_per_run": share, "merge": {"floor": floor}}
    service.container.jobs.set_care(service.tenant_id, PATH, policy, {})
    run_id = service.container.jobs.ask(service.author, PATH, "merge", is_dry=is_dry).run.id
    service.container.scheduler.round()
    return seen(service, run_id)


def undo(service: Service, run: Run) -> Run:
    run_id = service.container.jobs.undo(service.author, run.id, anywhere).run.id
    service.container.scheduler.round()
    return seen(service, run_id)


def unmerge(service: Service, memory_id: UUID) -> None:
    service.container.changer.unmerge(service.author, memory_id, anywhere, None, None)


def seen(service: Service, run_id: UUID) -> Run:
    return service.container.jobs.one(service.tenant_id, run_id, anywhere).run


def effects(service: Service, run: Run) -> dict[UUID, Step]:
    found = service.container.jobs.effects(service.tenant_id, run.id, anywhere, None, 1_000)
    return {step.memory_id: step for step in found}


def rows(service: Service) -> dict[UUID, Any]:
    with service.look() as connection:
        return {row.id: row for row in connection.execute(select(MEMORY))}


def bytes_of(service: Service) -> tuple[dict[UUID, Any], list[Any]]:
    """Everything of memories but that they were changed, and all vectors."""
    with service.look() as connection:
        memories = [dict(row._mapping) for row in connection.execute(select(MEMORY))]
        vectors = connection.execute(select(EMBEDDING).order_by(EMBEDDING.c.memory_id, EMBEDDING.c.view)).all()
    kept = {m.pop("id"): {n: v for n, v in m.items() if n not in ("version", "updated_at")} for m in memories}
    return kept, [tuple(row) for row in vectors]


def used(service: Service, clock: HeldClock, memory: UUID, times: int) -> None:
    for _ in range(times):
        clock.move(86_400.0)
        service.container.recalls.used(service.tenant_id, [memory])
        service.container.recalls.flush()


def hidden(service: Service) -> dict[UUID, UUID]:
    """Members and their pivots."""
    return {row.id: row.merged_into for row in rows(service).values() if row.state == State.MERGED}


def test_what_says_the_same_becomes_one_that_has_all_of_it(service: Service, clock: HeldClock) -> None:
    first = told(service, SAME[0], tags=["health", "food"], importance=0.4)
    second = told(service, SAME[1], tags=["food", "nuts"], importance=0.8)
    third = told(service, SAME[2])
    used(service, clock, first, 1)
    used(service, clock, second, 3)
    used(service, clock, third, 1)
    before = rows(service)
    run = merge(service)
    assert run.counts == {"merge": 2}
    assert hidden(service) == {first: second, third: second}
    pivot = rows(service)[second]
    assert (pivot.recall_count, pivot.importance, pivot.tags) == (5, 0.8, ["food", "nuts", "health"])
    assert pivot.stability_s == max(row.stability_s for row in before.values())
    assert pivot.last_recalled_at == before[third].last_recalled_at
    assert service.found("allergic to nuts") == {second}
    why = effects(service, run)[first].why
    assert why["by"] == str(second)
    assert "allergic" not in str(effects(service, run))
    assert service.differences() == 0
    assert merge(service).counts == {}


def test_a_member_can_be_read_and_says_where_it_went(service: Service) -> None:
    first, second = told(service, SAME[0]), told(service, SAME[1])
    merge(service)
    reading = service.container.reading
    member = reading.one(service.tenant_id, second, anywhere).stored
    assert (member.content, member.row["merged_into"]) == (SAME[1], first)
    reasons = [row.reason for row in reading.history(service.tenant_id, second, anywhere)]
    assert reasons == ["created", "merged"]
    assert reading.links(service.tenant_id, second, anywhere) == [("same_as", first, True)]
    assert reading.links(service.tenant_id, first, anywhere) == [("same_as", second, False)]


def test_the_vector_is_made_of_all_and_own_vectors_stay(service: Service) -> None:
    memories = [told(service, text) for text in SAME]
    _, own = bytes_of(service)
    merge(service)
    with service.look() as connection:
        found = connection.execute(select(EMBEDDING).where(EMBEDDING.c.view == MERGED_VIEW)).all()
        rest = connection.execute(select(func.count()).where(EMBEDDING.c.view >= 0)).scalar_one()
    assert [row.memory_id for row in found] == [memories[0]]
    assert rest == len(own)
    vectors = {row[1]: np.frombuffer(row[5], "<f2") for row in own}
    expected = merged_vector(np.stack([vectors[memory] for memory in memories]))
    assert found[0].vector == expected.astype("<f2").tobytes()


def test_an_undo_leaves_every_byte_as_it_was_and_no_new_merge(service: Service, clock: HeldClock) -> None:
    memories = [told(service, text, tags=[f"t{n}"], importance=0.1 * n) for n, text in enumerate(SAME)]
    for memory in memories:
        used(service, clock, memory, 1)
    before = bytes_of(service)
    run = merge(service)
    assert bytes_of(service) != before
    assert undo(service, run).counts == {"undo": 2}
    assert bytes_of(service) == before
    assert service.differences() == 0
    assert service.found("allergic to nuts") == set(memories)
    assert merge(service).counts == {}
    service.edit(memories[1], "I am allergic to nuts.")
    assert merge(service).counts == {}, "those that were not edited stay apart"
    service.edit(memories[0], "I am allergic to nuts!")
    assert merge(service).counts == {"merge": 1}


def test_one_can_be_taken_out_in_any_order(service: Service, clock: HeldClock) -> None:
    memories = [told(service, text, tags=[f"t{n}", "all"]) for n, text in enumerate([*SAME, "I am allergic to nuts."])]
    for number, memory in enumerate(memories):
        used(service, clock, memory, 1 + (number == 0))
    before = bytes_of(service)
    merge(service)
    assert set(hidden(service).values()) == {memories[0]}
    unmerge(service, memories[2])
    row = rows(service)[memories[0]]
    assert (row.recall_count, set(row.tags)) == (4, {"t0", "t1", "t3", "all"})
    assert merge(service).counts == {}
    unmerge(service, memories[0])
    assert bytes_of(service) == before
    assert service.differences() == 0
    with pytest.raises(Conflict):
        unmerge(service, memories[0])


def test_what_happened_to_a_pivot_meanwhile_stays(service: Service, clock: HeldClock) -> None:
    first, second = told(service, SAME[0], tags=["a"]), told(service, SAME[1], tags=["b"])
    run = merge(service)
    used(service, clock, first, 2)
    service.edit(first, tags=["a", "b", "mine"], importance=0.7)
    undo(service, run)
    row = rows(service)[first]
    assert (row.recall_count, row.tags, row.importance) == (2, ["a", "mine"], 0.7)
    assert row.last_recalled_at == clock.now()
    assert rows(service)[second].tags == ["b"]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("I have 3 cats.", "I have 4 cats."),
        ("I am allergic to nuts.", "I am not allergic to nuts."),
        ("I met Ada in Oslo.", "I met Ben in Oslo."),
        ("My favourite colour is blue.", "My favourite colour is green."),
        ("I always lock the door.", "I never lock the door."),
        ("Ada told Ben.", "Ben told Ada."),
        ("I work at Fjord Labs.", "I worked at Fjord Labs."),
        ("The shop is open on Mondays.", "Is the shop open on Mondays?"),
        ("It is not just a game.", "It is not a game."),
        ("The flight is on 3 May.", "The flight is on 5 May."),
        ("I live in Oslo.", "I live in Bergen."),
        ("He likes tea.", "She likes tea."),
    ],
)
def test_what_differs_in_one_word_is_never_merged(service: Service, text: str, other: str) -> None:
    told(service, text)
    told(service, other)
    assert merge(service, floor=0.0).counts == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"speaker": "Ben"}, {"user_id": "ben"}, {"agent_id": "x"}, {"place": "Oslo"}, {"metadata": {"project": "y"}},
        {"valid_from": BEGIN}, {"kind": int(Kind.EPISODIC)}, {"trust": 0.2}, {"outcome": "success"},
        {"occurred_at": BEGIN}, {"expires_at": datetime(2027, 1, 1, tzinfo=UTC)},
    ],
    ids=lambda fields: next(iter(fields)),
)  # fmt: skip
def test_other_circumstances_are_another_memory(service: Service, fields: dict[str, Any]) -> None:
    told(service, SAME[0])
    told(service, SAME[0], **fields)
    assert merge(service).counts == {}


def test_what_happened_twice_stays_twice(service: Service) -> None:
    def ran(text: str, hours: float) -> UUID:
        return told(service, text, kind=int(Kind.EPISODIC), occurred_at=BEGIN + timedelta(hours=hours))

    ran("I ran five km.", 0.0)
    again = ran("I ran five km.", 0.5)
    ran("I ran five km.", 24.0)
    ran("I ran 5 km!", 24.1)
    assert merge(service).counts == {"merge": 1}
    assert set(hidden(service)) == {again}


def test_what_is_only_true_at_a_time_is_told_of_two_times(service: Service, clock: HeldClock) -> None:
    told(service, "The meeting is tomorrow.")
    clock.move(7 * 86_400.0)
    told(service, "The meeting is tomorrow.")
    assert merge(service).counts == {}


def test_a_claim_that_was_contradicted_between_is_no_repetition(service: Service, clock: HeldClock) -> None:
    for text in ("I live in Oslo.", "I moved to Bergen.", "I live in Oslo."):
        told(service, text)
        clock.move(86_400.0)
    assert merge(service).counts == {}


def test_of_claims_the_newest_stays(service: Service, clock: HeldClock) -> None:
    old = told(service, "I live in Oslo.")
    used(service, clock, old, 5)
    new = told(service, "I live in Oslo.")
    merge(service)
    assert hidden(service) == {old: new}


def test_far_apart_vectors_refuse(service: Service) -> None:
    one, other = np.eye(2, 64, dtype=np.float32)
    for vector in (one, other):
        service.remember(
            [Draft("Yes, on Friday it is.", {"speaker": "Ada", "kind": int(Kind.SEMANTIC)}, vector=vector)]
        )
    assert merge(service).counts == {}
    assert merge(service, floor=0.0).counts == {"merge": 1}


def test_pinned_memories_and_holds_are_not_hidden(service: Service) -> None:
    first = told(service, SAME[0])
    pinned, other = told(service, SAME[1], pinned=True), told(service, SAME[2], pinned=True)
    merge(service)
    assert hidden(service) in ({first: pinned}, {first: other})


def test_a_run_changes_a_share_and_a_dry_run_nothing(service: Service) -> None:
    for number in range(10):
        told(service, f"Room {number} is blue.")
        told(service, f"Room {number} is blue!")
    before = bytes_of(service)
    dry = merge(service, share=0.2, is_dry=True)
    assert bytes_of(service) == before
    real = merge(service, share=0.2)
    assert real.counts == {"merge": 4}
    assert {m: s.why for m, s in effects(service, dry).items()} == {m: s.why for m, s in effects(service, real).items()}


def test_an_erased_member_takes_with_it_what_it_gave(service: Service) -> None:
    first, second, third = (told(service, text, tags=[f"t{n}"]) for n, text in enumerate(SAME))
    merge(service)
    service.erase(second)
    row = rows(service)[first]
    assert row.tags == ["t0", "t2"]
    with service.look() as connection:
        rest = {r.memory_id: r.vector for r in connection.execute(select(EMBEDDING).where(EMBEDDING.c.view == 0))}
        found = connection.execute(select(EMBEDDING.c.vector).where(EMBEDDING.c.view == MERGED_VIEW)).scalar_one()
        versions = connection.execute(select(VERSION.c.tags).where(VERSION.c.recorded_to.is_(None))).scalars().all()
    both = np.stack([np.frombuffer(rest[memory], "<f2") for memory in (first, third)])
    assert found == merged_vector(both).astype("<f2").tobytes()
    assert "t1" not in str(versions)
    assert service.differences() == 0
    service.erase(third)
    assert rows(service)[first].before_merge is None
    assert service.differences() == 0


def test_the_end_of_a_pivot_brings_its_members_back(service: Service) -> None:
    first, second, third = (told(service, text) for text in SAME)
    run = merge(service)
    service.erase(first)
    assert {memory: row.state for memory, row in rows(service).items()} == {second: State.ACTIVE, third: State.ACTIVE}
    assert service.found("allergic to nuts") == {second, third}
    with service.look() as connection:
        left = connection.execute(select(func.count()).where(JOB_EFFECT.c.run_id == run.id)).scalar_one()
    assert left == 0
    assert service.differences() == 0
    assert merge(service).counts == {"merge": 1}


def test_what_was_forgotten_does_not_come_back_with_the_end_of_a_pivot(service: Service) -> None:
    first, second = told(service, SAME[0]), told(service, SAME[1])
    merge(service)
    service.forget(first)
    assert service.found("allergic to nuts") == set()
    service.erase(first)
    assert rows(service)[second].state == State.FORGOTTEN
    assert service.found("allergic to nuts") == set()


def test_an_edit_parts_what_does_not_say_the_same_any_more(service: Service) -> None:
    first, second = told(service, SAME[0]), told(service, SAME[1])
    merge(service)
    service.edit(first, tags=["kept together"])
    assert hidden(service) == {second: first}
    service.edit(first, "I am allergic to milk.")
    assert hidden(service) == {}
    assert service.differences() == 0
    third = told(service, SAME[2])
    merge(service)
    assert hidden(service) == {third: second}
    service.edit(third, tags=["mine"])
    assert (hidden(service), rows(service)[third].state) == ({}, State.ACTIVE)
    assert service.differences() == 0


def test_both_sides_can_be_edited_in_one_call(service: Service) -> None:
    fields = {"kind": int(Kind.SEMANTIC), "speaker": "Ada"}
    service.remember([Draft(SAME[n], fields, external_id=f"x{n}") for n in range(3)])
    merge(service)
    assert len(hidden(service)) == 2
    service.remember([Draft(f"{SAME[n]} Very.", fields, external_id=f"x{n}") for n in (1, 0, 2)])
    assert (hidden(service), {row.state for row in rows(service).values()}) == ({}, {State.ACTIVE})
    assert service.differences() == 0


def test_a_member_can_be_forgotten_and_restored(service: Service) -> None:
    first, second = told(service, SAME[0]), told(service, SAME[1])
    merge(service)
    service.forget(second)
    assert rows(service)[first].before_merge is None
    service.restore(second)
    assert service.found("allergic to nuts") == {first, second}
    assert service.differences() == 0


def test_members_of_a_pivot_whose_time_has_ended_come_back(service: Service, clock: HeldClock) -> None:
    first, second = told(service, SAME[0]), told(service, SAME[1])
    merge(service)
    service.edit(first, expires_at=clock.now() + timedelta(seconds=60))
    clock.move(120.0)
    assert merge(service).counts == {"release": 1}
    assert service.found("allergic to nuts") == {second}
    assert service.differences() == 0


def test_what_changed_since_the_plan_is_left(service: Service, clock: HeldClock) -> None:
    names = ["edited", "pinned", "erased", "forgotten", "used"]
    pairs = {
        name: (told(service, f"The {name} door is red."), told(service, f"The {name} door is red!")) for name in names
    }
    service.container.jobs.set_care(service.tenant_id, PATH, {"share_per_run": 1.0, "merge": {"floor": 0.3}}, {})

    def meanwhile(point: str) -> None:
        if point == "planned":
            service.edit(pairs["edited"][1], "The edited door is blue.")
            service.edit(pairs["pinned"][1], pinned=True)
            service.erase(pairs["erased"][0])
            service.forget(pairs["forgotten"][0])
            used(service, clock, pairs["used"][1], 1)

    run_id = service.container.jobs.ask(service.author, PATH, "merge", is_dry=False).run.id
    Runner(service.container.database, clock, {"merge": Merging()}, meanwhile).run(service.tenant_id, run_id)
    assert seen(service, run_id).counts == {"merge": 1, "skipped": 4}
    assert hidden(service) == {pairs["used"][1]: pairs["used"][0]}
    assert rows(service)[pairs["used"][0]].recall_count == 1
    assert service.differences() == 0


def test_new_memories_join_a_pivot_and_a_pivot_is_no_member(service: Service, clock: HeldClock) -> None:
    first, second = told(service, SAME[0]), told(service, SAME[1])
    merge(service)
    third = told(service, SAME[2])
    used(service, clock, third, 5)
    merge(service)
    assert hidden(service) == {second: first, third: first}
    assert rows(service)[first].recall_count == 5


def test_nobody_elses_memories_are_merged(service: Service) -> None:
    mine = told(service, SAME[0])
    service.add(SAME[0], "user/ben", kind=int(Kind.SEMANTIC), speaker="Ada")
    assert merge(service).counts == {}
    other = UUID(int=7)
    with pytest.raises(NotFound):
        unmerge(service, other)
    with pytest.raises(NotFound):
        service.container.changer.unmerge(service.author, mine, lambda path: False, None, None)
