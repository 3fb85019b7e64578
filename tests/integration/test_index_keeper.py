"""The bank equals the database: fed write by write, loaded whole, by another process, while others write."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sqlalchemy import delete, select

from gpu.bank.bank import Bank
from memsvc.db.tenancy import SERVICE
from memsvc.index.keeper import Keeper
from memsvc.index.loader import load_namespace
from memsvc.memories.draft import Draft
from memsvc.models.tables import CHANGE, MEMORY, NAMESPACE, VERSION
from memsvc.namespaces import repository as namespaces
from memsvc.recall.service import RecallService, Way
from retrieval.analysis.analyser import TextAnalyser
from retrieval.embedders.batching import BatchingEmbedder
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.types import Encoded, Passage
from tests.fixtures.extent import rounds
from tests.fixtures.storage_service import PATH, HeldClock, Service, at_once, open_service, service_on

WORDS = ("apple", "boat", "cedar", "delta", "ember", "fjord", "grove", "harbour", "island", "juniper")
QUESTIONS = ("apple boat cedar", "delta", "harbour island juniper ember", "nothing of the kind")


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    with service_on(database_url, tmp_path) as made:
        yield made


def freshly_loaded(service: Service) -> Service:
    """The same database behind a bank that is loaded whole."""
    container = service.container
    keeper = Keeper(container.database, Bank())
    keeper.load_all()
    fresh = object.__new__(type(container))
    fresh.__dict__.update(container.__dict__)
    fresh.keeper = keeper
    ways = {space_id: Way.of(recaller) for space_id, recaller in container.recallers.items()}
    fresh.recall = RecallService(container.database, container.clock, keeper, ways)
    return replace(service, container=fresh)


def assert_fed_equals_loaded(service: Service, as_of: Sequence[Any] = ()) -> None:
    """No difference to the database, and no question that tells the two banks apart."""
    loaded = freshly_loaded(service)
    assert service.differences() == loaded.differences() == 0
    for question in QUESTIONS:
        for moment in (None, *as_of):
            assert_same(service.recall(question, as_of=moment), loaded.recall(question, as_of=moment))


def assert_same(one: list[tuple[UUID, int, float]], two: list[tuple[UUID, int, float]]) -> None:
    """The same versions in the same order; scores but for the order in which rows are added up."""
    assert [hit[:2] for hit in one] == [hit[:2] for hit in two]
    assert [hit[2] for hit in one] == pytest.approx([hit[2] for hit in two], rel=1e-9, abs=1e-9)


# --- fed write by write = loaded whole ---------------------------------------------------------------------------

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
some = st.integers(0, 10_000)
steps = st.one_of(
    st.tuples(st.just("create"), texts),
    st.tuples(st.just("batch"), st.lists(texts, min_size=1, max_size=5)),
    st.tuples(st.just("upsert"), st.tuples(st.sampled_from("abc"), texts)),
    st.tuples(st.just("edit"), st.tuples(some, texts)),
    st.tuples(st.just("tag"), st.tuples(some, st.sampled_from("xyz"))),
    st.tuples(st.just("forget"), some),
    st.tuples(st.just("restore"), some),
    st.tuples(st.just("erase"), some),
    st.tuples(st.just("recall"), texts),
)


class Play:
    """Carries steps out, each on a memory that it can be done to."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.active: list[UUID] = []
        self.hidden: list[UUID] = []

    def create(self, text: str) -> None:
        self.active.append(self.service.add(text))

    def batch(self, contents: list[str]) -> None:
        self.active += [UUID(item["id"]) for item in self.service.remember(contents)["items"]]

    def upsert(self, named: tuple[str, str]) -> None:
        memory = UUID(self.service.remember([Draft(named[1], external_id=named[0])])["items"][0]["id"])
        if memory in self.hidden:
            self.hidden.remove(memory)
        if memory not in self.active:
            self.active.append(memory)

    def edit(self, given: tuple[int, str]) -> None:
        if self.active:
            self.service.edit(self.active[given[0] % len(self.active)], given[1])

    def tag(self, given: tuple[int, str]) -> None:
        if self.active:
            self.service.edit(self.active[given[0] % len(self.active)], tags=[given[1]])

    def forget(self, place: int) -> None:
        if self.active:
            self.hidden.append(self.active.pop(place % len(self.active)))
            self.service.forget(self.hidden[-1])

    def restore(self, place: int) -> None:
        if self.hidden:
            self.active.append(self.hidden.pop(place % len(self.hidden)))
            self.service.restore(self.active[-1])

    def erase(self, place: int) -> None:
        everyone = self.active + self.hidden
        if everyone:
            gone = everyone[place % len(everyone)]
            (self.active if gone in self.active else self.hidden).remove(gone)
            self.service.erase(gone)

    def recall(self, text: str) -> None:
        assert self.service.found(text) <= set(self.active)


def play(url: str, taken: list[tuple[str, Any]]) -> None:
    clock = HeldClock()
    with tempfile.TemporaryDirectory() as folder, service_on(url, Path(folder), clock=clock) as service:
        # Every example has a namespace of its own: the others' changes stay in the database.
        played = Play(service)
        moments = []
        for name, given_to in taken:
            getattr(played, name)(given_to)
            clock.move(1)
            moments.append(clock.now())
        clock.move(1)
        assert_fed_equals_loaded(service, moments[:: max(1, len(moments) // 3)])
        assert service.found(" ".join(WORDS), top_k=200) <= set(played.active)
        for memory in played.active + played.hidden:
            service.erase(memory)
        assert_fed_equals_loaded(service)
        assert service.found(" ".join(WORDS), top_k=200) == set()


once = settings(
    max_examples=rounds(8, 100),
    phases=[Phase.explicit, Phase.generate],  # an example takes a tenth of a second: no shrinking
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@once
@given(taken=st.lists(steps, max_size=25))
def test_fed_equals_loaded_on_sqlite(sqlite_url: str, taken: list[tuple[str, Any]]) -> None:
    play(sqlite_url, taken)


@once
@given(taken=st.lists(steps, max_size=25))
def test_fed_equals_loaded_on_postgres(postgres_url: str, taken: list[tuple[str, Any]]) -> None:
    play(postgres_url, taken)


def test_fed_equals_loaded_past_compactions(service: Service) -> None:
    """Hundreds of changes to few memories: the bank has rewritten its pages several times."""
    memories = [UUID(i["id"]) for i in service.remember([f"{w} {v}" for w in WORDS for v in WORDS])["items"]]
    for round_ in range(3):
        for n, memory in enumerate(memories[::2]):
            service.edit(memory, f"{WORDS[(n + round_) % 10]} {WORDS[n % 7]} {round_}")
    for memory in memories[::3]:
        service.erase(memory)
    assert_fed_equals_loaded(service)


# --- another process ---------------------------------------------------------------------------------------------


def test_a_write_through_one_process_is_found_through_the_other(postgres_url: str, tmp_path: Path) -> None:
    """Written through A, found by the very next recall through B and the other way round, while two more write."""
    one, two = open_service(postgres_url, tmp_path), open_service(postgres_url, tmp_path)
    stop = threading.Event()

    def noise(service: Service) -> None:
        n = 0
        while not stop.wait(0.05):
            n += 1
            service.add(f"noise of the day {n}")

    writers = [threading.Thread(target=noise, args=(s,), daemon=True) for s in (one, two)]
    try:
        for writer in writers:
            writer.start()
        missed = 0
        for n in range(rounds(40, 1_000)):
            written, asked = (one, two) if n % 2 else (two, one)
            memory = written.add(f"unique{n} token", f"user/u{n % 7}")
            missed += memory not in asked.found(f"unique{n}", f"user/u{n % 7}")
        assert missed == 0
    finally:
        stop.set()
        for writer in writers:
            writer.join(30)
        one.container.close()
        two.container.close()


def test_what_one_process_erases_or_hides_the_other_no_longer_finds(postgres_url: str, tmp_path: Path) -> None:
    one, two = open_service(postgres_url, tmp_path), open_service(postgres_url, tmp_path)
    try:
        for n in range(rounds(12, 60)):
            memory = one.add(f"secret{n} here")
            assert memory in two.found(f"secret{n}")
            if n % 2:
                one.erase(memory)
            else:
                one.forget(memory)
            assert memory not in two.found(f"secret{n}", top_k=200)
        assert one.differences() == two.differences() == 0
    finally:
        one.container.close()
        two.container.close()


def test_a_memory_never_vanishes_while_it_is_edited(database_url: str, tmp_path: Path) -> None:
    """Between two versions there is no moment without one, for readers in the same process and in another."""
    services = [open_service(database_url, tmp_path)]
    if database_url.startswith("postgres"):
        services.append(open_service(database_url, tmp_path))
    memory = services[0].add("lighthouse version 0")
    stop = threading.Event()
    misses: list[int] = []
    asked = [0]

    def ask(service: Service) -> None:
        while not stop.is_set():
            asked[0] += 1
            if memory not in service.found("lighthouse"):
                misses.append(asked[0])

    def edit() -> None:
        for n in range(40):
            services[0].edit(memory, f"lighthouse version {n}")
        stop.set()

    results = at_once([edit, *[lambda s=s: ask(s) for s in services * 2]])
    assert results == [None] * len(results)
    assert misses == []
    assert asked[0] > 20
    for service in services:
        assert service.differences() == 0
        service.container.close()


def test_a_snapshot_is_of_one_moment(postgres_url: str, tmp_path: Path) -> None:
    """Two versions written between two statements of the same read do not show in the second."""
    with service_on(postgres_url, tmp_path) as service:
        memory = service.add("before")
        query = select(VERSION.c.version).where(VERSION.c.memory_id == memory)
        with service.container.database.read(service.author.tenant_id) as connection:
            assert connection.execute(query).scalars().all() == [1]
            service.edit(memory, "after")
            assert connection.execute(query).scalars().all() == [1]
        with service.container.database.read(service.author.tenant_id) as connection:
            assert sorted(connection.execute(query).scalars()) == [1, 2]


def test_recall_goes_on_while_four_write(service: Service) -> None:
    """Everybody finds what they wrote at once, and the bank verifies equal in the middle of it."""
    stop = threading.Event()
    verdicts: list[int] = []

    def write(writer: int) -> None:
        for n in range(25):
            memory = service.add(f"writer{writer} said{writer}x{n}")
            assert memory in service.found(f"said{writer}x{n}")
            if n % 5 == 0:
                service.erase(memory)
                assert memory not in service.found(f"said{writer}x{n}", top_k=200)
            elif n % 5 == 1:
                service.edit(memory, f"changed{writer}x{n}")
                assert memory in service.found(f"changed{writer}x{n}")

    def verify() -> None:
        while not stop.is_set():
            verdicts.append(service.differences())
            time.sleep(0.01)

    checker = threading.Thread(target=verify, daemon=True)
    checker.start()
    results = at_once([lambda w=w: write(w) for w in range(4)])
    stop.set()
    checker.join(30)
    assert results == [None] * 4
    assert len(verdicts) > 1
    assert set(verdicts) == {0}
    assert service.differences() == freshly_loaded(service).differences() == 0


# --- faults that verify() reports ----------------------------------------------------------------------------------


def planted(service: Service) -> tuple[Any, Any]:
    """A service's bank with a few memories in it, and their records as the database has them."""
    service.remember([f"{word} says hello" for word in WORDS])
    with service.look() as connection:
        namespace = namespaces.find(connection, service.tenant_id, PATH)
        assert namespace is not None
        bank = service.container.keeper.bank.namespace(namespace.key)
        (batch,) = load_namespace(connection, namespace, bank.dim)
    return bank, batch


def changed(batch: Any, **columns: NDArray[Any]) -> Any:
    return replace(batch, **columns)


def test_verify_finds_a_changed_vector(service: Service) -> None:
    bank, batch = planted(service)
    vectors = batch.vectors.copy()
    vectors[3] = -vectors[3]
    bank.put(changed(batch, vectors=vectors))
    (verdict,) = service.container.keeper.verify()
    assert (verdict.missing, verdict.unexpected) == (1, 1)
    assert not verdict.equal


def test_verify_finds_a_missing_row(service: Service) -> None:
    bank, batch = planted(service)
    bank.erase(batch.memory_ids[2:3])
    (verdict,) = service.container.keeper.verify()
    assert (verdict.versions, verdict.missing, verdict.unexpected) == (10, 1, 0)


def test_verify_finds_an_extra_row(service: Service) -> None:
    bank, batch = planted(service)
    ids = batch.memory_ids.copy()
    ids[:, 15] ^= 0xFF
    bank.put(changed(batch, memory_ids=ids))
    (verdict,) = service.container.keeper.verify()
    assert (verdict.missing, verdict.unexpected) == (0, 10)


def test_verify_finds_a_wrong_state(service: Service) -> None:
    bank, batch = planted(service)
    bank.put(changed(batch, states=batch.states + 1))
    (verdict,) = service.container.keeper.verify()
    assert (verdict.missing, verdict.unexpected) == (10, 10)


def test_verify_finds_what_vanished_from_the_database(sqlite_url: str, tmp_path: Path) -> None:
    with service_on(sqlite_url, tmp_path) as service:
        planted(service)
        service.meddle(
            lambda c: (
                c.exec_driver_sql("DELETE FROM embedding WHERE rowid = (SELECT min(rowid) FROM embedding)") and None
            )
        )
        (verdict,) = service.container.keeper.verify()
        assert (verdict.missing, verdict.unexpected) == (1, 1)


def test_a_log_that_ends_too_early_is_an_error(service: Service) -> None:
    """A change row that is missing never passes for 'nothing happened'."""
    service.add("one")
    container = service.container
    behind = Keeper(container.database, Bank())
    behind.load_all()
    service.add("two")
    service.meddle(lambda c: c.execute(delete(CHANGE).where(CHANGE.c.seq == 2)) and None)
    with container.database.read(SERVICE) as connection:
        (namespace,) = namespaces.every(connection)
    with pytest.raises(RuntimeError):
        behind.catch_up(namespace.key, namespace.head_seq)


# --- what a bank costs ---------------------------------------------------------------------------------------------


class Counting(HashingEmbedder):
    """Counts what it embeds; refuses when told to."""

    def __init__(self) -> None:
        super().__init__(64)
        self.documents = 0
        self.refusing = False

    def encode_documents(self, passages: Sequence[Passage]) -> list[Encoded]:
        assert not self.refusing, "a bank is built from what is stored"
        self.documents += len(passages)
        return super().encode_documents(passages)


def test_an_edit_of_metadata_keeps_the_vectors(database_url: str, tmp_path: Path) -> None:
    embedder = Counting()
    with service_on(database_url, tmp_path, embedder=BatchingEmbedder(embedder)) as service:
        memory = service.add("the cat sat on the mat")
        before = embedder.documents
        service.edit(memory, metadata={"colour": "red"}, tags=["cat"])
        service.edit(memory, importance=0.9)
        service.forget(memory)
        service.restore(memory)
        assert embedder.documents == before == 1
        assert memory in service.found("cat mat")
        with service.look() as connection:
            assert connection.execute(select(MEMORY.c.version, MEMORY.c.content_version)).one() == (5, 1)
        assert_fed_equals_loaded(service)


def test_a_rebuild_embeds_and_analyses_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = Counting()
    with service_on(database_url, tmp_path, embedder=BatchingEmbedder(embedder)) as service:
        for word in WORDS:
            memory = service.add(f"{word} is a word")
            service.edit(memory, f"{word} was a word")

        def refuse(self: TextAnalyser, text: str, **given: Any) -> None:
            raise AssertionError("a bank is built from what is stored")

        embedder.refusing = True
        monkeypatch.setattr(TextAnalyser, "analyse", refuse)
        container = service.container
        rebuilt = Keeper(container.database, Bank())
        assert rebuilt.load_all() == len(WORDS)
        assert all(verdict.equal for verdict in rebuilt.verify())


def test_half_a_namespace_is_never_served(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load that breaks off leaves nothing behind, and the next one starts anew."""
    service.add("one")
    container = service.container
    keeper = Keeper(container.database, Bank())

    def break_off(*args: Any, **kwargs: Any) -> Iterator[Any]:
        yield from load_namespace(*args, **kwargs)
        raise OSError("gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("memsvc.index.keeper.load_namespace", break_off)
        with pytest.raises(OSError, match="gone"):
            keeper.load_all()
    assert keeper.bank.keys() == []
    assert keeper.load_all() == 1


def test_a_large_namespace_is_loaded_in_pieces(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of three memories, with closed versions among them, give the same bank as one piece."""
    memories = [service.add(f"{word} number {n}") for n, word in enumerate(WORDS)]
    for memory in memories[::2]:
        service.edit(memory, "changed apple")
    whole = freshly_loaded(service)
    monkeypatch.setattr("memsvc.index.loader._STREAM", 3)
    pieces = freshly_loaded(service)
    assert pieces.differences() == 0
    for question in QUESTIONS:
        assert_same(pieces.recall(question), whole.recall(question))


def test_a_long_log_is_applied_in_pieces(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    container = service.container
    service.add("first")
    behind = Keeper(container.database, Bank())
    behind.load_all()
    memories = [service.add(f"{word} number {n}") for n, word in enumerate(WORDS)]
    for memory in memories[::2]:
        service.edit(memory, "changed")
    service.erase(memories[0])
    monkeypatch.setattr("memsvc.index.keeper._PAGE", 2)
    monkeypatch.setattr("memsvc.index.loader._CHUNK", 2)
    assert all(verdict.equal for verdict in behind.verify())
    with container.database.read(SERVICE) as connection:
        head = connection.execute(select(NAMESPACE.c.head_seq)).scalar_one()
    (key,) = behind.bank.keys()
    assert behind.bank.namespace(key).applied_seq == head
