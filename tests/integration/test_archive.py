"""Archived and forgotten memories leave the bank, are found by whoever asks for them, and come back as they were."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import text

from gpu.bank.bank import Bank
from gpu.bank.filters import ScanFilter
from gpu.bank.layouts import Tier
from gpu.bank.namespace import NamespaceBank
from gpu.bank.records import Kind, State
from memsvc.filters.grammar import parse
from memsvc.index.keeper import Keeper
from memsvc.memories import repository
from memsvc.memories.draft import Draft
from memsvc.models.archive import ARCHIVE
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from memsvc.recall.service import Question
from retrieval.types import Profile
from tests.fixtures.storage_service import PATH, HeldClock, Service, anywhere, service_on

DAY = 86_400.0
FADES = {"share_per_run": 1.0, "below": {"archived": 0.1, "forgotten": 0.001}}
EPISODES = ["a walk in the park with Ben", "the walk along the harbour", "a long walk in the rain", "the walk to work"]
FACT = "Ada likes to walk"
ARCHIVED, FORGOTTEN = {"state": "archived"}, {"state": "forgotten"}
EVERY = {"state": {"exists": True}}


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def service(database_url: str, tmp_path: Path, clock: HeldClock) -> Iterator[Service]:
    with service_on(database_url, tmp_path, clock=clock, jobs="off") as made:
        yield made


def told(service: Service, path: str = PATH) -> tuple[list[UUID], UUID]:
    """Episodes, which fade, and a fact, which does not."""
    drafts = [Draft(one, {"kind": int(Kind.EPISODIC)}, external_id=f"e{i}") for i, one in enumerate(EPISODES)]
    drafts.append(Draft(FACT, {"kind": int(Kind.SEMANTIC)}))
    *episodes, fact = [UUID(item["id"]) for item in service.remember(drafts, path)["items"]]
    service.container.jobs.set_care(service.tenant_id, path, FADES, {})
    return episodes, fact


def fade(service: Service, clock: HeldClock, days: float = 30, path: str = PATH) -> UUID:
    clock.move(days * DAY)
    run = service.container.jobs.ask(service.author, path, "fade", is_dry=False).run.id
    service.container.scheduler.round()
    return run


def ask(service: Service, raw: Any = None, as_of: datetime | None = None, path: str = PATH) -> list[tuple[UUID, int]]:
    condition = None if raw is None else parse(raw)
    question = Question(path, "a walk", 20, frozenset(), condition, raw, as_of, None, None, Profile.FAST, None, None)
    return [(one.id, one.hit.version) for one in service.container.recall(service.tenant_id, question).found]


def memories(found: list[tuple[UUID, int]]) -> set[UUID]:
    assert len({memory for memory, _ in found}) == len(found)
    return {memory for memory, _ in found}


def namespace_of(service: Service, path: str = PATH) -> NamespaceRow:
    with service.look() as connection:
        found = namespaces.find(connection, service.tenant_id, path)
    assert found is not None
    return found


def bank_of(keeper: Keeper, service: Service, path: str = PATH) -> NamespaceBank:
    namespace = namespace_of(service, path)
    return keeper.catch_up(namespace.key, namespace.head_seq)


def held(bank: NamespaceBank) -> set[UUID]:
    return {UUID(bytes=one.memory_id) for one in bank.fingerprints()}


def other_process(service: Service) -> Keeper:
    return Keeper(service.container.database, Bank())


def open_archive(keeper: Keeper, service: Service) -> NamespaceBank:
    bank_of(keeper, service)
    key = namespace_of(service).key
    with keeper.view(key, ScanFilter(states=ARCHIVE)):
        return keeper.archives.namespace(key)


def contents(service: Service, memory: UUID) -> list[bytes]:
    """What the bank holds of a memory's text: vectors, token codes, terms, the text itself."""
    keeper = service.container.keeper
    bank_of(keeper, service)
    with keeper.view(namespace_of(service).key, ScanFilter(states=frozenset())) as view:
        slots = view.slots_of(np.frombuffer(memory.bytes, np.uint8).reshape(1, 16))
        assert slots[0] >= 0
        arenas = [view.ranges(name, slots)[0] for name in ("vectors", "tokens", "terms", "texts", "entities")]
    return [column.tobytes() for columns in arenas for column in columns.values()]


def assert_equal_everywhere(service: Service) -> None:
    """What was fed change by change is what is loaded, in the bank and in the archive."""
    keeper, rebuilt = service.container.keeper, other_process(service)
    assert set(bank_of(keeper, service).fingerprints()) == set(bank_of(rebuilt, service).fingerprints())
    fed, loaded = open_archive(keeper, service), open_archive(rebuilt, service)
    assert set(fed.fingerprints()) == set(loaded.fingerprints())
    assert not held(fed) & held(bank_of(keeper, service))
    assert service.differences() == 0


def test_what_is_archived_takes_nothing_and_is_found_by_whoever_asks(service: Service, clock: HeldClock) -> None:
    episodes, fact = told(service)
    keeper = service.container.keeper
    then = clock.now()
    behind = other_process(service)
    bank_of(behind, service)
    before = bank_of(keeper, service).held_bytes()
    fade(service, clock)
    for one in (keeper, behind, other_process(service)):
        bank = bank_of(one, service)
        assert held(bank) == {fact}
        assert bank.held_bytes() < before / 3
        assert sum(bank.vector_bytes().values()) == bank.vector_bytes()[Tier.FP16] > 0
    assert memories(ask(service)) == {fact}
    assert keeper.archives.keys() == []  # nobody has asked yet
    assert memories(ask(service, ARCHIVED)) == set(episodes)
    assert memories(ask(service, EVERY)) == {*episodes, fact}
    assert memories(ask(service, as_of=then)) == {*episodes, fact}
    assert {version for _, version in ask(service, as_of=then)} == {1}
    assert keeper.archives.keys() == [namespace_of(service).key]
    assert_equal_everywhere(service)


def test_an_archive_is_let_go_and_comes_again(service: Service, clock: HeldClock) -> None:
    episodes, _ = told(service)
    keeper = service.container.keeper
    fade(service, clock)
    found = ask(service, ARCHIVED)
    keeper.let_go()
    assert keeper.archives.keys() != []  # asked for a moment ago
    keeper.let_go(idle_s=0.0)
    assert keeper.archives.keys() == []
    assert keeper.archives.memory_bytes() == keeper.archives._pool.free_bytes
    service.restore(episodes[0])  # nobody keeps up what is not there
    assert ask(service, ARCHIVED) == [one for one in found if one[0] != episodes[0]]
    assert_equal_everywhere(service)


def test_what_comes_back_is_what_it_was(service: Service, clock: HeldClock) -> None:
    episodes, _ = told(service)
    service.edit(episodes[1], tags=["kept"])
    was = {one: contents(service, one) for one in episodes}
    behind = other_process(service)
    bank_of(behind, service)
    run = fade(service, clock)
    open_archive(behind, service)
    service.restore(episodes[0])
    service.edit(episodes[0], tags=["again"])
    service.container.jobs.undo(service.author, run, anywhere)
    service.container.scheduler.round()
    assert ask(service, ARCHIVED) == []
    assert {one: contents(service, one) for one in episodes} == was
    assert set(episodes) <= memories(ask(service))
    assert set(bank_of(behind, service).fingerprints()) == set(
        bank_of(service.container.keeper, service).fingerprints()
    )
    assert len(behind.archives.namespace(namespace_of(service).key)) == 0
    assert_equal_everywhere(service)


def test_one_that_is_told_again_comes_back_with_its_history(service: Service, clock: HeldClock) -> None:
    episodes, fact = told(service)
    then = clock.now()
    fade(service, clock)
    service.remember([Draft("a walk in the park with Cyd", {"kind": int(Kind.EPISODIC)}, external_id="e0")])
    assert memories(ask(service)) == {episodes[0], fact}
    assert (episodes[0], 1) in ask(service, as_of=then)
    assert_equal_everywhere(service)


@pytest.mark.parametrize("is_open", [True, False])
def test_an_erased_one_is_in_neither(service: Service, clock: HeldClock, *, is_open: bool) -> None:
    episodes, _ = told(service)
    fade(service, clock)
    archive = open_archive(service.container.keeper, service) if is_open else None
    service.erase(episodes[2])
    if archive is not None:
        assert episodes[2] not in held(archive)  # at once, before anybody asks again
        for segment in (archive._current, archive._history, *archive._retired):
            for pages in segment.lists:
                assert all(episodes[2].bytes not in page.buffer.tobytes() for page in pages.table.pages)
    assert memories(ask(service, ARCHIVED)) == set(episodes) - {episodes[2]}
    assert_equal_everywhere(service)


def test_what_fades_further_stays_in_the_archive(service: Service, clock: HeldClock) -> None:
    episodes, fact = told(service)
    fade(service, clock)
    fade(service, clock, days=60)
    assert memories(ask(service, ARCHIVED)) == set()
    assert memories(ask(service, FORGOTTEN)) == set(episodes)
    assert held(bank_of(service.container.keeper, service)) == {fact}
    service.forget(fact)
    assert held(bank_of(service.container.keeper, service)) == set()
    service.restore(fact)
    assert memories(ask(service)) == {fact}
    assert_equal_everywhere(service)


def test_changes_that_come_in_pieces_make_the_same_bank(
    service: Service, clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    episodes, _ = told(service)
    behind, late = other_process(service), other_process(service)
    open_archive(behind, service)
    bank_of(late, service)
    fade(service, clock)
    service.restore(episodes[0])
    service.edit(episodes[0], "a walk in the park with Dan")
    service.forget(episodes[0])
    service.restore(episodes[1])
    service.erase(episodes[3])
    monkeypatch.setattr("memsvc.index.keeper._PAGE", 2)
    for one in (behind, late):
        assert set(bank_of(one, service).fingerprints()) == set(
            bank_of(service.container.keeper, service).fingerprints()
        )
        assert set(open_archive(one, service).fingerprints()) == set(
            open_archive(service.container.keeper, service).fingerprints()
        )
    assert_equal_everywhere(service)


def test_another_namespace_has_an_archive_of_its_own(service: Service, clock: HeldClock) -> None:
    episodes, _ = told(service)
    theirs, _ = told(service, "user/ben")
    fade(service, clock)
    assert memories(ask(service, ARCHIVED)) == set(episodes)
    assert memories(ask(service, ARCHIVED, path="user/ben")) == set()
    assert set(theirs) <= memories(ask(service, path="user/ben"))


def test_whoever_asks_for_all_finds_each_once_while_they_move(service: Service, clock: HeldClock) -> None:
    episodes, fact = told(service)
    fade(service, clock)
    ended = threading.Event()

    def moving() -> None:
        try:
            for _ in range(6):
                service.restore(episodes[0])
                service.forget(episodes[0])
        finally:
            ended.set()

    mover = threading.Thread(target=moving)
    mover.start()
    while not ended.is_set():
        found = ask(service, EVERY)
        assert memories(found) >= {*episodes[1:], fact}  # the other may change between the search and the answer
    mover.join()
    assert_equal_everywhere(service)


def test_whether_anything_is_archived_is_answered_from_an_index(service: Service, clock: HeldClock) -> None:
    told(service)
    namespace = namespace_of(service)
    with service.look() as connection:
        assert not repository.has_archived(connection, *namespace.key)
    fade(service, clock)
    with service.look() as connection:
        assert repository.has_archived(connection, *namespace.key)
        if connection.dialect.name == "sqlite":
            query = "SELECT id FROM memory WHERE tenant_id = 'a' AND namespace_id = 'b' AND state IN (1, 4)"
            assert "ix_memory_archive" in str(connection.execute(text(f"EXPLAIN QUERY PLAN {query}")).all())
    assert sorted(map(int, ARCHIVE)) == [1, 4]  # what the index says
    assert State.ARCHIVED in ARCHIVE
