"""A namespace moves to another embedding model while it is in use, and back; nothing is lost on the way."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import func, select

from memsvc.core.errors import Conflict, InvalidInput
from memsvc.jobs import repository as runs
from memsvc.jobs.kinds import every_kind
from memsvc.jobs.reembedding import Reembed
from memsvc.jobs.runner import Runner
from memsvc.memories.draft import Draft
from memsvc.models.embedding import MERGED_VIEW
from memsvc.models.tables import (
    CHANGE,
    EMBEDDING,
    EMBEDDING_SPACE,
    JOB_EFFECT,
    JOB_RUN,
    MEMORY,
    TOKEN_EMBEDDING,
    VERSION,
)
from memsvc.models.tenant import Beside
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from memsvc.reembedding import repository
from memsvc.reembedding.repository import Progress
from memsvc.reembedding.service import Standing
from retrieval.embedders.batching import BatchingEmbedder
from retrieval.embedders.hashing import HashingEmbedder
from tests.fixtures.storage_service import PATH, HeldClock, Service, anywhere, at_once, service_on

WORDS = ("apple", "boat", "cedar", "delta", "ember", "fjord", "grove", "harbour", "island", "juniper")
QUESTIONS = ("apple boat cedar", "delta", "harbour island juniper ember", "nothing of the kind")
FIRST, SECOND = "hashing-64", "hashing-48"
SETTINGS = {"embedder_second": "hashing:48", "jobs": "off"}


class KilledError(BaseException):
    """The process ends here: nothing of it runs any more."""


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def service(database_url: str, tmp_path: Path, clock: HeldClock) -> Iterator[Service]:
    with service_on(database_url, tmp_path, clock=clock, **SETTINGS) as made:
        yield made


def fill(service: Service, clock: HeldClock, many: int = 12, path: str = PATH, *, dim: int = 64) -> list[UUID]:
    """Memories alone and in a conversation, one with an earlier text, one forgotten, one that brought its vector."""
    made = []
    for i in range(many):
        clock.move(1)
        text = " ".join(WORDS[(i * 3 + j * (1 + i % 4)) % len(WORDS)] for j in range(3 + i % 4))
        fields = {"session_id": "s1"} if i % 2 else {}
        made.append(service.add(f"{text} {i}", path, **fields))
    clock.move(1)
    service.edit(made[1], "the boat left the harbour of the island")
    clock.move(1)
    service.forget(made[2])
    vector = np.zeros(64, np.float32)
    vector[3] = 1.0
    service.remember([Draft("ember of a vector", vector=vector if dim == 64 else None)], path)
    clock.move(1)
    return made


def namespace_of(service: Service, path: str = PATH) -> NamespaceRow:
    with service.look() as connection:
        found = namespaces.find(connection, service.tenant_id, path)
    assert found is not None
    return found


def start(service: Service, path: str = PATH, *, switches: bool = True) -> Standing:
    return service.container.reembedding.start(service.author, path, None, switches=switches)


def work(service: Service) -> None:
    """Carries out what waits, and what that asks for."""
    while service.container.scheduler.round():
        pass


def moved(service: Service, path: str = PATH) -> None:
    start(service, path)
    work(service)
    assert model(service, path) == SECOND


def model(service: Service, path: str = PATH) -> str:
    return service.container.reembedding.standing(service.tenant_id, path).active.model


def rows(service: Service, name: str) -> dict[tuple[UUID, int, int], bytes]:
    """Vectors in the space of a model, by memory, version and view."""
    query = (
        select(EMBEDDING.c.memory_id, EMBEDDING.c.version, EMBEDDING.c.view, EMBEDDING.c.vector)
        .join(EMBEDDING_SPACE, EMBEDDING_SPACE.c.id == EMBEDDING.c.space_id)
        .where(EMBEDDING_SPACE.c.model == name)
    )
    with service.look() as connection:
        return {tuple(row[:3]): row.vector for row in connection.execute(query)}


def tokens(service: Service, name: str) -> dict[tuple[UUID, int], tuple[UUID | None, bytes]]:
    """Token codes in the space of a model, with what each text was read after."""
    query = select(TOKEN_EMBEDDING).join(EMBEDDING_SPACE, EMBEDDING_SPACE.c.id == TOKEN_EMBEDDING.c.space_id)
    with service.look() as connection:
        found = connection.execute(query.where(EMBEDDING_SPACE.c.model == name))
        return {(row.memory_id, row.version): (row.context_id, row.codes) for row in found}


def texts(service: Service) -> set[tuple[UUID, int]]:
    with service.look() as connection:
        query = select(VERSION.c.memory_id, VERSION.c.version).where(VERSION.c.content.is_not(None))
        return {(row.memory_id, row.version) for row in connection.execute(query)}


def answers(service: Service, path: str = PATH) -> list[list[tuple[UUID, int, float]]]:
    return [service.recall(question, path) for question in QUESTIONS]


def said(service: Service) -> list[list[tuple[str, float]]]:
    """The answers by what they say: another service has other ids."""
    with service.look() as connection:
        query = select(VERSION.c.memory_id, VERSION.c.version, VERSION.c.content)
        words = {(row.memory_id, row.version): row.content for row in connection.execute(query)}
    return [[(words[hit[:2]], round(hit[2], 9)) for hit in found] for found in answers(service)]


def assert_whole(service: Service) -> None:
    """Every text has vectors in both spaces, nothing else has, and the bank is what the database says."""
    wanted = texts(service)
    for name in (FIRST, SECOND):
        assert {key[:2] for key in rows(service, name)} == wanted, name
    assert service.differences() == 0


# --- there and back -----------------------------------------------------------------------------------------------


def test_a_namespace_moves_and_comes_back(service: Service, clock: HeldClock, tmp_path: Path) -> None:
    fill(service, clock)
    before, history = answers(service), clock.now()
    first = rows(service, FIRST), tokens(service, FIRST)
    begun = start(service)
    assert begun.state is Beside.GROWING
    assert begun.progress == Progress(14, 0)
    assert answers(service) == before
    work(service)
    found = service.container.reembedding.standing(service.tenant_id, PATH)
    assert (found.active.model, found.active.dim, found.state) == (SECOND, 48, Beside.FORMER)
    assert found.progress == Progress(14, 14)
    assert_whole(service)
    there = answers(service)
    assert there != before
    assert service.recall(QUESTIONS[0], as_of=history)

    embedder = BatchingEmbedder(HashingEmbedder(48))
    url, held = f"sqlite:///{tmp_path / 'native' / 'memsvc.db'}", HeldClock()
    with service_on(url, tmp_path / "native", clock=held, jobs="off", embedder=embedder) as native:
        fill(native, held, dim=48)
        native_said = [[text for text, _ in found] for found in said(native)]
    ours = [[text for text, _ in found] for found in said(service)]
    assert ours == native_said, "moved is not what the model makes of it from the beginning"

    service.container.reembedding.back(service.author, PATH)
    assert (rows(service, FIRST), tokens(service, FIRST)) == first
    assert answers(service) == before
    assert model(service) == FIRST
    service.container.reembedding.switch(service.author, PATH)
    assert answers(service) == there
    service.container.reembedding.drop(service.author, PATH)
    assert answers(service) == there
    work(service)
    assert rows(service, FIRST) == {}
    assert tokens(service, FIRST) == {}
    assert service.container.reembedding.standing(service.tenant_id, PATH).beside is None
    assert answers(service) == there
    service.add("a fjord of its own")
    assert {key[:2] for key in rows(service, SECOND)} == texts(service)


@pytest.mark.parametrize("action", ["edit", "write", "erase", "restore", "rewind"])
def test_what_happens_meanwhile_is_in_both(service: Service, clock: HeldClock, action: str) -> None:
    made = fill(service, clock)
    clock.move(1)
    start(service)
    killed_at(service, "chunk", 2)  # a part is there, the rest is not
    clock.move(300)  # its lease ends
    assert 0 < len({key[0] for key in rows(service, SECOND)}) < len(made)
    match action:
        case "edit":  # one that is there and one that is not; both are read after, by others
            for memory_id in (made[1], made[9]):
                service.edit(memory_id, "juniper of another island")
        case "write":
            written = service.remember([Draft("delta ember fjord", {"session_id": "s1"}), "an apple"])["items"]
            assert {UUID(one["id"]) for one in written} <= {key[0] for key in rows(service, SECOND)}
        case "erase":
            for memory_id in (made[1], made[9]):
                service.erase(memory_id)
        case "restore":
            service.restore(made[2])
            service.edit(made[4], None, speaker="Bo")
        case "rewind":
            moment = clock.now()
            clock.move(10)
            service.edit(made[9], "what nobody said")
            clock.move(10)
            service.container.jobs.ask(service.author, PATH, "rewind", is_dry=False, as_of=moment)
    during = answers(service)
    work(service)
    assert model(service) == SECOND
    assert_whole(service)
    if action == "erase":
        assert not {made[1], made[9]} & {key[0] for key in (*rows(service, FIRST), *rows(service, SECOND))}
        contexts = {one for name in (FIRST, SECOND) for one, _ in tokens(service, name).values()}
        assert not {made[1], made[9]} & contexts
    if action != "rewind":
        service.container.reembedding.back(service.author, PATH)
        assert answers(service) == during


def killed_at(service: Service, point: str, times: int = 1) -> None:
    """A worker takes the run up and ends at a point, once it has come there so often."""
    left = [times]

    def at(here: str) -> None:
        left[0] -= here == point
        if not left[0]:
            raise KilledError

    container = service.container
    works = every_kind(lambda: pytest.fail("nothing to word"), lambda: container.changer._eraser)
    works["reembed"] = Reembed(lambda: container.preparer)
    with service.look() as connection:
        waiting = [one for one in runs.waiting(connection, 10)]
    with pytest.raises(KilledError):
        Runner(container.database, container.clock, works, at, chunk=3).run(*waiting[0][1:])


@pytest.mark.parametrize("point", ["taken", "planned", "prepared", "renewed", "applied", "chunk", "ending"])
def test_a_killed_worker_costs_nothing(service: Service, clock: HeldClock, point: str) -> None:
    if service.container.database.is_sqlite and point in ("renewed", "applied", "ending"):
        pytest.skip("inside of a transaction, which a thread of its own commits there")
    fill(service, clock)
    start(service)
    killed_at(service, point)
    assert (model(service) == SECOND) is (point == "ending")
    clock.move(300)
    work(service)
    assert model(service) == SECOND
    assert_whole(service)
    with service.look() as connection:
        switches = connection.execute(select(func.count()).where(CHANGE.c.op == 5)).scalar_one()
        states = set(connection.execute(select(JOB_RUN.c.state)).scalars())
    assert (switches, states) == (1, {2})


def test_runs_are_short_and_ask_for_the_next(
    service: Service, clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(service, clock)
    monkeypatch.setattr("memsvc.jobs.reembedding.MOST", 5)
    start(service)
    start(service)  # asked twice is once
    work(service)
    assert model(service) == SECOND
    assert_whole(service)
    with service.look() as connection:
        counts = [row for row in connection.execute(select(JOB_RUN.c.counts).order_by(JOB_RUN.c.id)).scalars()]
        last = connection.execute(select(JOB_RUN.c.id).order_by(JOB_RUN.c.id.desc()).limit(1)).scalar_one()
        assert connection.execute(select(func.count()).select_from(JOB_EFFECT)).scalar_one() == 0
    assert [one["embed"] for one in counts if one] == [5, 5, 3]
    with pytest.raises(Conflict):
        service.container.jobs.undo(service.author, last, anywhere)
    service.container.reembedding.drop(service.author, PATH)
    work(service)
    assert rows(service, FIRST) == {}


def test_the_job_rests_as_long_as_it_is_told(service: Service, clock: HeldClock) -> None:
    fill(service, clock)
    start(service)
    rests: list[float] = []
    container = service.container
    works = every_kind(lambda: pytest.fail("nothing to word"), lambda: container.changer._eraser)
    works["reembed"] = Reembed(lambda: container.preparer, 0.2, rests.append)
    with service.look() as connection:
        ((_, *run),) = runs.waiting(connection, 10)
    Runner(container.database, clock, works, chunk=5).run(*run)
    assert [rest > 0 for rest in rests] == [False, True, True]


def test_long_texts_come_in_parts(service: Service, clock: HeldClock, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(service, clock)
    monkeypatch.setattr("memsvc.jobs.reembedding._MOST_S", 0.0)
    monkeypatch.setattr("memsvc.jobs.reembedding._AT_ONCE", 1)
    moved(service)
    assert_whole(service)


def test_merged_memories_have_merged_vectors_there_too(service: Service, clock: HeldClock) -> None:
    for text in ("I'm allergic to nuts.", "I am allergic to nuts", "Well, I am really allergic to nuts!"):
        clock.move(1)
        service.add(text, kind=1, speaker="Ada")
    service.container.jobs.set_care(service.tenant_id, PATH, {"share_per_run": 1.0, "merge": {"floor": 0.3}}, {})
    service.container.jobs.ask(service.author, PATH, "merge", is_dry=False)
    work(service)
    first = {key: v for key, v in rows(service, FIRST).items() if key[2] == MERGED_VIEW}
    assert len(first) == 1
    moved(service)
    second = {key: v for key, v in rows(service, SECOND).items() if key[2] == MERGED_VIEW}
    assert second.keys() == first.keys()
    ((pivot, *_),) = second
    service.container.changer.unmerge(service.author, pivot, anywhere, None, None)
    for name in (FIRST, SECOND):
        assert not [key for key in rows(service, name) if key[2] == MERGED_VIEW], name
    assert_whole(service)


# --- switching ----------------------------------------------------------------------------------------------------


def test_a_namespace_may_wait_to_be_switched(service: Service, clock: HeldClock) -> None:
    fill(service, clock)
    before = answers(service)
    changing = service.container.reembedding
    for act in (changing.switch, changing.back):
        with pytest.raises(Conflict):
            act(service.author, PATH)
    start(service, switches=False)
    with pytest.raises(Conflict, match="not every text"):
        changing.switch(service.author, PATH)
    work(service)
    assert changing.standing(service.tenant_id, PATH).state is Beside.COMPLETE
    assert answers(service) == before
    service.add("what came after")
    assert changing.switch(service.author, PATH).active.model == SECOND
    assert changing.switch(service.author, PATH).active.model == SECOND
    with pytest.raises(Conflict, match="`back`"):
        start(service)
    assert_whole(service)
    assert changing.back(service.author, PATH).state is Beside.COMPLETE
    assert start(service).active.model == SECOND


def test_a_move_may_be_given_up(service: Service, clock: HeldClock) -> None:
    fill(service, clock)
    before = answers(service)
    start(service)
    killed_at(service, "chunk", 2)
    clock.move(300)
    service.container.reembedding.drop(service.author, PATH)
    with pytest.raises(Conflict, match="being deleted"):
        start(service)
    work(service)
    assert rows(service, SECOND) == {}
    assert answers(service) == before
    moved(service)


def test_an_empty_namespace_moves_at_once(service: Service) -> None:
    service.erase(service.add("only this"))
    assert start(service).active.model == SECOND
    assert service.found("fjord") == set()
    memory_id = service.add("a fjord")
    assert service.found("fjord") == {memory_id}


def test_a_recall_that_the_switch_overtakes_is_asked_again(
    service: Service, clock: HeldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(service, clock)
    start(service, switches=False)
    work(service)
    recaller = service.container.recallers[namespace_of(service).space_id]
    analyse = recaller.analyse

    def overtaken(*given: Any) -> Any:
        service.container.reembedding.switch(service.author, PATH)
        return analyse(*given)

    monkeypatch.setattr(recaller, "analyse", overtaken)
    found = service.recall(QUESTIONS[0])
    monkeypatch.undo()
    assert model(service) == SECOND
    assert found == service.recall(QUESTIONS[0])


def test_recalls_and_writes_go_on_while_it_switches_to_and_fro(service: Service, clock: HeldClock) -> None:
    made = fill(service, clock)
    start(service, switches=False)
    work(service)
    changing = service.container.reembedding

    def to_and_fro() -> None:
        for _ in range(3):
            changing.switch(service.author, PATH)
            changing.back(service.author, PATH)

    def asking() -> None:
        for question in (*QUESTIONS, *QUESTIONS):
            assert made[4] in service.found(question, top_k=50)

    def writing() -> None:
        for i in range(6):
            written = service.add(f"grove number {i}")
            assert written in service.found(f"grove number {i}", top_k=50)

    assert at_once([to_and_fro, asking, writing]) == [None] * 3
    assert_whole(service)


def test_vectors_of_the_caller_are_those_of_the_active_model(service: Service, clock: HeldClock) -> None:
    fill(service, clock)
    start(service, switches=False)
    work(service)
    own = np.zeros(64, np.float32)
    own[7] = 1.0
    service.remember([Draft("brought along", vector=own)])
    assert_whole(service)
    service.container.reembedding.switch(service.author, PATH)
    refused = service.remember([Draft("brought along", vector=own)])["items"][0]
    assert refused["problem"]["errors"][0]["code"] == "wrong_dimension"
    service.remember([Draft("brought along", vector=np.ones(48, np.float32))])
    assert_whole(service)


def test_how_surprising_memories_were_is_worked_out_again(service: Service, clock: HeldClock) -> None:
    fill(service, clock)

    def surprises() -> dict[UUID, float | None]:
        service.container.jobs.ask(service.author, PATH, "surprise", is_dry=False)
        work(service)
        with service.look() as connection:
            return {row.id: row.surprise for row in connection.execute(select(MEMORY.c.id, MEMORY.c.surprise))}

    before = surprises()
    moved(service)
    there = surprises()
    assert there != before
    assert None not in there.values()
    service.container.reembedding.back(service.author, PATH)
    assert surprises() == before


# --- processes, tenants -------------------------------------------------------------------------------------------


def test_another_process_follows(postgres_url: str, tmp_path: Path, clock: HeldClock) -> None:
    with (
        service_on(postgres_url, tmp_path, clock=clock, **SETTINGS) as one,
        service_on(postgres_url, tmp_path / "two", clock=clock, **SETTINGS) as two,
        service_on(postgres_url, tmp_path / "three", clock=clock, jobs="off") as without,
    ):
        fill(one, clock)
        assert answers(two) == answers(one)
        start(one)
        with pytest.raises(Conflict, match="MEMSVC_EMBEDDER_SECOND"):
            without.add("with one model only")
        written = two.add("harbour of the second process")
        assert written in one.found("harbour of the second process")
        while one.container.scheduler.round() or two.container.scheduler.round():
            pass
        assert model(one) == SECOND
        assert answers(two) == answers(one)
        later = one.add("juniper of the first process")
        assert later in two.found("juniper of the first process")
        assert two.differences() == one.differences() == without.differences() == 0
        assert later in without.found("juniper of the first process")  # by its words
        two.container.reembedding.back(two.author, PATH)
        assert answers(one) == answers(two) == answers(without)


def test_other_namespaces_stay(service: Service, clock: HeldClock) -> None:
    fill(service, clock)
    fill(service, clock, path="user/bo")
    before = answers(service, "user/bo")
    moved(service)
    assert model(service, "user/bo") == FIRST
    assert namespace_of(service, "user/bo").beside_id is None
    assert answers(service, "user/bo") == before
    assert len({key[0] for key in rows(service, SECOND)}) == 13


def test_an_import_that_brings_nothing_but_another_model_is_followed(service: Service) -> None:
    other = "user/other"
    service.erase(service.add("a boat"))
    moved(service)
    service.erase(service.add("a cedar", other))
    assert service.found("cedar", other) == set()  # in the bank from here on
    file = io.BytesIO(b"".join(service.container.exporting(service.author, PATH).pieces))
    service.container.importing(service.author, other, file)
    assert model(service, other) == SECOND
    assert service.found("cedar", other) == set()
    cedar = service.add("a cedar", other)
    assert service.found("cedar", other) == {cedar}
    assert service.differences() == 0


def test_only_models_of_the_server(service: Service) -> None:
    service.add("a boat")
    with pytest.raises(InvalidInput):
        service.container.reembedding.start(service.author, PATH, "somebody/else", switches=True)
    with pytest.raises(InvalidInput):
        service.container.reembedding.start(service.author, PATH, FIRST, switches=True)


def test_without_a_second_model_there_is_nothing_to_move_to(database_url: str, tmp_path: Path) -> None:
    with service_on(database_url, tmp_path, jobs="off") as service:
        service.add("a boat")
        with pytest.raises(Conflict, match="MEMSVC_EMBEDDER_SECOND"):
            start(service)


def test_both_spaces_are_encrypted(database_url: str, tmp_path: Path, clock: HeldClock) -> None:
    with service_on(database_url, tmp_path, clock=clock, root_key=ROOT, **SETTINGS) as service:
        fill(service, clock)
        start(service, switches=False)
        work(service)
        service.add("after it was complete")
        with service.look() as connection:
            sizes = set(connection.exec_driver_sql("SELECT length(vector) FROM embedding").scalars())
        assert len(sizes) == 2
        assert not {2 * 48, 2 * 64} & sizes
        service.container.reembedding.switch(service.author, PATH)
        assert service.differences() == 0
        assert service.found(QUESTIONS[0])


ROOT = "r" * 32


def test_what_is_missing_is_looked_up_by_its_key(postgres_url: str, tmp_path: Path, clock: HeldClock) -> None:
    """Whatever the statistics say, no work grows with the square of a namespace."""
    with service_on(postgres_url, tmp_path, clock=clock, **SETTINGS) as service:
        service.remember([f"grove number {i}" for i in range(300)])
        start(service)
        with service.look() as connection:
            namespace = namespaces.find(connection, service.tenant_id, PATH)
            assert namespace is not None
            for query in (repository.memories_missing(namespace, 5), repository.memories_left(namespace, 5)):
                shown = query.compile(connection, compile_kwargs={"literal_binds": True})
                plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {shown}").scalars())
                assert "SubPlan" in plan, plan
                assert "Seq Scan on embedding" not in plan, plan
