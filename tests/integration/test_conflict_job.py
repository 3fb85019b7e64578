"""The job that lets newer claims supersede older ones: what it changes and leaves, and taking it back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from gpu.bank.records import State
from lifecycle.steps import Step
from memsvc.filters.grammar import parse
from memsvc.jobs.conflicts import Conflicts
from memsvc.jobs.repository import Run
from memsvc.jobs.runner import Runner
from memsvc.memories.draft import Draft, LinkDraft
from memsvc.models import Relation
from memsvc.models.tables import JOB_EFFECT, LINK, MEMORY
from memsvc.recall.question import Question
from retrieval.types import Profile
from tests.fixtures.storage_service import PATH, HeldClock, Service, anywhere, service_on

DAY = 86_400.0
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def service(database_url: str, tmp_path: Path, clock: HeldClock) -> Iterator[Service]:
    with service_on(database_url, tmp_path, clock=clock, jobs="off") as made:
        yield made


def told(service: Service, text: str, day: int, **fields: Any) -> UUID:
    return service.add(text, occurred_at=BEGIN + timedelta(days=day), **{"speaker": "Ada", **fields})


def conflict(service: Service, *, share: float = 1.0, is_dry: bool = False) -> Run:
    service.container.jobs.set_care(service.tenant_id, PATH, {"share_per_run": share}, {})
    run_id = service.container.jobs.ask(service.author, PATH, "conflict", is_dry=is_dry).run.id
    service.container.scheduler.round()
    return seen(service, run_id)


def undo(service: Service, run: Run) -> Run:
    run_id = service.container.jobs.undo(service.author, run.id, anywhere).run.id
    service.container.scheduler.round()
    return seen(service, run_id)


def seen(service: Service, run_id: UUID) -> Run:
    return service.container.jobs.one(service.tenant_id, run_id, anywhere).run


def effects(service: Service, run: Run) -> dict[UUID, Step]:
    found = service.container.jobs.effects(service.tenant_id, run.id, anywhere, None, 1_000)
    return {step.memory_id: step for step in found}


def rows(service: Service) -> dict[UUID, Any]:
    with service.look() as connection:
        return {row.id: row for row in connection.execute(select(MEMORY))}


def links(service: Service) -> set[tuple[UUID, UUID]]:
    with service.look() as connection:
        found = connection.execute(select(LINK.c.from_id, LINK.c.to_id).where(LINK.c.relation == "supersedes"))
        return {(row.from_id, row.to_id) for row in found}


def recall(service: Service, text: str, condition: Any = None, **asked: Any) -> list[UUID]:
    given = {"as_of": None, "valid_at": None, **asked}
    parsed = None if condition is None else parse(condition)
    question = Question(
        PATH, text, 10, frozenset(), parsed, condition, given["as_of"], given["valid_at"], None,
        Profile.BALANCED, None, None,
    )  # fmt: skip
    return [one.hit.memory_id for one in service.container.recall(service.tenant_id, question).found]


def test_the_newer_claim_is_true_now_and_the_older_one_was(service: Service, clock: HeldClock) -> None:
    oslo = told(service, "I live in Oslo.", 1)
    bergen = told(service, "I moved to Bergen.", 20)
    before = clock.now()
    clock.move(60.0)
    run = conflict(service)
    assert run.counts == {"supersede": 1, "begin": 1}
    older, newer = rows(service)[oslo], rows(service)[bergen]
    moved = BEGIN + timedelta(days=20)
    assert (older.state, older.valid_to) == (State.SUPERSEDED, moved)
    assert (newer.state, newer.valid_from, newer.valid_to) == (State.ACTIVE, moved, None)
    assert links(service) == {(bergen, oslo)}
    why = effects(service, run)[oslo].why
    assert why["by"] == str(bergen)
    assert [claim["attribute"] for claim in why["claims"]] == ["residence"]
    assert "Oslo" not in str(why)
    assert recall(service, "where do I live Oslo Bergen") == [bergen]
    assert set(recall(service, "where do I live Oslo Bergen", as_of=before)) == {oslo, bergen}
    assert recall(service, "live Oslo Bergen", valid_at=BEGIN + timedelta(days=10)) == [oslo]
    assert recall(service, "live Oslo Bergen", valid_at=moved) == [bergen]
    assert recall(service, "live Oslo Bergen", {"state": "active"}, valid_at=BEGIN + timedelta(days=10)) == []
    assert service.differences() == 0
    assert conflict(service).counts == {}


def test_the_outdated_never_stands_before_the_current_one(service: Service) -> None:
    texts = [
        "The CEO of Fjord Labs is Ada Berg.",
        "The CEO of Fjord Labs is Ben Dahl.",
        "Cyd Lund is the CEO of Fjord Labs.",
    ]
    memories = [told(service, text, day) for day, text in enumerate(texts)]
    conflict(service)
    both = {"state": {"in": ["active", "superseded"]}}
    for query in ("CEO of Fjord Labs Ada Berg", "CEO of Fjord Labs Ben Dahl", "CEO Cyd Lund"):
        assert recall(service, query, both) == memories[::-1]
        assert recall(service, query) == memories[-1:]


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 2, 0)])
def test_when_memories_arrive_makes_no_difference(service: Service, clock: HeldClock, order: tuple[int, ...]) -> None:
    texts = ["I live in Oslo.", "I moved to Bergen.", "I live in Rome now."]
    memories: dict[int, UUID] = {}
    for number in order:
        memories[number] = told(service, texts[number], number * 10)
        clock.move(60.0)
        conflict(service)
    conflict(service)
    stood = rows(service)
    assert [stood[memories[n]].state for n in range(3)] == [State.SUPERSEDED, State.SUPERSEDED, State.ACTIVE]
    assert [stood[memories[n]].valid_to for n in range(2)] == [BEGIN + timedelta(days=d) for d in (10, 20)]
    assert links(service) == {(memories[1], memories[0]), (memories[2], memories[1])}
    assert conflict(service).counts == {}
    assert service.differences() == 0


def test_what_can_be_many_or_says_more_is_never_superseded(service: Service) -> None:
    for day, text in enumerate(
        ["I like chess.", "I like hiking.", "I visited Rome.", "I visited Paris.", "My son is Ben.", "My son is Tom.",
         "I speak French.", "I speak Norwegian.", "My dog is called Rex.", "I bought a car in Oslo."]
    ):  # fmt: skip
        told(service, text, day)
    told(service, "I live in Oslo and my neighbour Tom plays the trombone every evening after nine.", 1)
    told(service, "I moved to Bergen.", 2)
    assert conflict(service).counts == {}


def test_an_undo_takes_a_run_back_for_good(service: Service, clock: HeldClock) -> None:
    oslo, bergen = told(service, "I live in Oslo.", 1), told(service, "I moved to Bergen.", 20)
    before = rows(service)
    run = conflict(service)
    assert undo(service, run).counts == {"undo": 2}
    after = rows(service)
    for memory in (oslo, bergen):
        assert [after[memory][n] for n in _columns("state", "valid_from", "valid_to")] == [
            before[memory][n] for n in _columns("state", "valid_from", "valid_to")
        ]
    assert links(service) == set()
    assert set(recall(service, "live Oslo Bergen")) == {oslo, bergen}
    assert conflict(service).counts == {}
    service.edit(oslo, "I live in Oslo, Norway.")
    assert conflict(service).counts["supersede"] == 1
    assert service.differences() == 0


def _columns(*names: str) -> list[int]:
    return [list(MEMORY.c.keys()).index(name) for name in names]


@pytest.mark.parametrize("how", ["erase", "forget"])
def test_what_was_superseded_comes_back_with_the_end_of_the_newer(service: Service, clock: HeldClock, how: str) -> None:
    oslo, bergen = told(service, "I live in Oslo.", 1), told(service, "I moved to Bergen.", 20)
    first = conflict(service)
    getattr(service, how)(bergen)
    assert conflict(service).counts == {"revive": 1}
    row = rows(service)[oslo]
    assert (row.state, row.valid_to) == (State.ACTIVE, None)
    assert links(service) == set()
    if how == "erase":
        with service.look() as connection:
            query = select(func.count()).select_from(JOB_EFFECT).where(JOB_EFFECT.c.run_id == first.id)
            assert connection.execute(query).scalar_one() == 0
    assert recall(service, "live Oslo") == [oslo]
    assert service.differences() == 0


def test_the_end_of_one_between_others_leads_to_the_next(service: Service) -> None:
    oslo, bergen, rome = (
        told(service, f"I live in {city}.", day) for day, city in enumerate(["Oslo", "Bergen", "Rome"])
    )
    conflict(service)
    service.erase(bergen)
    assert conflict(service).counts == {"supersede": 1}
    assert links(service) == {(rome, oslo)}
    assert rows(service)[oslo].valid_to == BEGIN + timedelta(days=2)


def test_pinned_memories_stay_and_dates_that_were_given_too(service: Service) -> None:
    until = BEGIN + timedelta(days=5)
    pinned = told(service, "I live in Oslo.", 1, pinned=True)
    dated = told(service, "I live in Paris.", 2, valid_to=until)
    told(service, "I moved to Bergen.", 20)
    conflict(service)
    assert rows(service)[pinned].state == State.ACTIVE
    assert (rows(service)[dated].state, rows(service)[dated].valid_to) == (State.SUPERSEDED, until)


def test_a_run_changes_a_share_and_a_dry_run_nothing(service: Service) -> None:
    for day in range(20):
        told(service, f"The capital of Land{day % 10} is Town{day}.", day)
    before = rows(service)
    dry = conflict(service, share=0.1, is_dry=True)
    assert rows(service) == before
    real = conflict(service, share=0.1)
    assert sum(real.counts.values()) == 2
    assert {m: (s.action, s.after) for m, s in effects(service, dry).items()} == {
        m: (s.action, s.after) for m, s in effects(service, real).items()
    }


def test_what_changed_since_the_plan_is_left(service: Service, clock: HeldClock) -> None:
    people = ["Ada", "Ben", "Cyd", "Dan", "Eva", "Finn"]
    older = {who: told(service, "I live in Oslo.", 1, speaker=who) for who in people}
    newer = {who: told(service, "I moved to Bergen.", 20, speaker=who) for who in people}
    service.container.jobs.set_care(service.tenant_id, PATH, {"share_per_run": 1.0}, {})

    def meanwhile(point: str) -> None:
        if point == "planned":
            service.edit(older["Ada"], "I live in Oslo and I like its long light summer evenings by the fjord.")
            service.edit(older["Ben"], pinned=True)
            service.erase(newer["Cyd"])
            service.forget(newer["Dan"])
            service.edit(newer["Eva"], "I moved the sofa.")

    run_id = service.container.jobs.ask(service.author, PATH, "conflict", is_dry=False).run.id
    Runner(service.container.database, clock, {"conflict": Conflicts()}, meanwhile).run(service.tenant_id, run_id)
    assert seen(service, run_id).counts["supersede"] == 1
    stood = rows(service)
    hidden = {who for who in people if stood[older[who]].state == State.SUPERSEDED}
    assert hidden == {"Finn"}
    assert conflict(service).counts == {}
    assert service.differences() == 0


def test_a_link_that_a_user_made_stays(service: Service) -> None:
    oslo = told(service, "I live in Oslo.", 1)
    note = UUID(
        service.remember([Draft("A note of mine.", {"speaker": "Ada"}, links=(LinkDraft(Relation.SUPERSEDES, oslo),))])[
            "items"
        ][0]["id"]
    )
    bergen = told(service, "I moved to Bergen.", 2)
    done = conflict(service)
    assert links(service) == {(note, oslo), (bergen, oslo)}
    assert conflict(service).counts == {}
    undo(service, done)
    assert links(service) == {(note, oslo)}


def test_what_came_from_outside_outdates_nothing_that_a_user_said(service: Service) -> None:
    own = told(service, "I live in Oslo.", 1)
    page = told(service, "I moved to Bergen.", 2, source={"type": "web", "uri": "https://one.example/x"})
    assert conflict(service).counts == {}
    newer = told(service, "I moved to Turku.", 3)
    conflict(service)
    with service.container.database.read(service.tenant_id) as connection:
        query = select(MEMORY.c.id, MEMORY.c.state).where(MEMORY.c.id.in_([own, page, newer]))
        states = {row.id: State(row.state) for row in connection.execute(query)}
    assert states == {own: State.SUPERSEDED, page: State.SUPERSEDED, newer: State.ACTIVE}
