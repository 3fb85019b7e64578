"""Erasures carried out: what goes with a memory, who is read again, kills, fences, races, backups that come back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, select

from memsvc.core.errors import Conflict, NotFound
from memsvc.core.ids import new_id
from memsvc.erasures.runner import LEASE_S, ErasureRunner
from memsvc.erasures.service import Seen, Wanted
from memsvc.memories import lineage, repository
from memsvc.memories.draft import Draft, LinkDraft, described
from memsvc.memories.ledger import Ledger
from memsvc.memories.write import pair_bytes
from memsvc.models import Relation
from memsvc.models.tables import ERASURE, LINK, MEMORY, NAMESPACE, TOMBSTONE
from memsvc.namespaces import repository as namespaces
from tests.fixtures.storage_service import PATH, HeldClock, Service, anywhere, at_once, claim_of, service_on

USER = Wanted(None, {"user_id": "bo"})


class KilledError(BaseException):
    """What nothing catches."""


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def service(database_url: str, tmp_path: Path, clock: HeldClock) -> Iterator[Service]:
    with service_on(database_url, tmp_path, clock=clock, jobs="off") as made:
        yield made


def ask(service: Service, wanted: Wanted = USER, *, within_s: float | None = None) -> Seen:
    return service.container.erasures.ask(service.author, wanted, anywhere, None, within_s=within_s)


def of_ids(*ids: UUID) -> Wanted:
    return Wanted(None, {"memory_ids": [str(one) for one in ids]})


def seen(service: Service, erasure_id: UUID) -> Seen:
    return service.container.erasures.one(service.tenant_id, erasure_id, anywhere)


def there(service: Service) -> set[UUID]:
    return set(scalars(service, select(MEMORY.c.id)))


def scalars(service: Service, query: Any) -> list[Any]:
    with service.look() as connection:
        return list(connection.execute(query).scalars())


def runner(service: Service, at: Callable[[str], None] = lambda point: None, chunk: int = 3) -> ErasureRunner:
    """Another process's."""
    made = service.container
    return ErasureRunner(made.database, made.clock, made.changer._eraser, made.keeper, at=at, chunk=chunk)


def gist(service: Service, sources: list[UUID], *, writer: str = "job consolidate", epoch: int | None = None) -> UUID:
    """What a job makes of memories; raises if they do not stand."""
    made = service.container
    prepared = made.changer._preparer.prepare([Draft("a gist of it all")])[0]
    assert prepared is not None

    def unit(connection: Connection) -> UUID:
        found = namespaces.find(connection, service.tenant_id, PATH)
        namespace = namespaces.get(connection, *found.key, lock=True) if found else None
        assert namespace is not None
        ledger = Ledger(connection, namespace, made.clock.now(), writer)
        versions = dict.fromkeys(sources, 1)
        if not lineage.stands(ledger, versions, namespace.epoch if epoch is None else epoch):
            raise LookupError
        memory_id = new_id()
        values = described({})
        ledger.create(memory_id, None, values, "a gist of it all", prepared, pair_bytes(values, None))
        ledger.link(memory_id, [LinkDraft(Relation.DERIVED_FROM, one) for one in sources])
        ledger.flush()
        return memory_id

    return service.meddle(unit)


def epoch_of(service: Service) -> int:
    return int(scalars(service, select(NAMESPACE.c.epoch).where(NAMESPACE.c.path == PATH))[0])


def test_what_a_job_derived_goes_with_any_of_its_sources(service: Service) -> None:
    one, two, other = (service.add(text) for text in ("one", "two", "other"))
    own = service.remember([Draft("my own summary", links=[LinkDraft(Relation.DERIVED_FROM, one)])])["items"][0]["id"]
    first = gist(service, [one, two])
    second = gist(service, [first, other])
    preview = service.container.erasures.preview(service.tenant_id, of_ids(one), anywhere)
    assert (preview.memory_ids, set(preview.derived_ids)) == ([one], {first, second})
    done = ask(service, of_ids(one))
    assert there(service) == {two, other, UUID(own)}
    assert (done.erasure.counts["memory"], done.erasure.counts["derived"]) == (3, 2)
    assert scalars(service, select(LINK.c.from_id)) == []
    assert service.differences() == 0
    assert len(scalars(service, select(TOMBSTONE.c.digest))) == 3


def test_any_number_of_ids_is_looked_up_at_once(service: Service) -> None:
    one = service.add("one")
    with service.look() as connection:
        ids = [UUID(int=n) for n in range(40_000)]
        assert repository.texts(connection, service.tenant_id, [*ids, one]) == {one: "one"}
        assert repository.texts(connection, service.tenant_id, []) == {}


def test_deleting_one_memory_takes_what_was_derived_from_it(service: Service) -> None:
    one, two = service.add("one"), service.add("two")
    gist(service, [one, two])
    service.erase(two)
    assert there(service) == {one}
    assert service.differences() == 0


def hold(service: Service, memory_id: UUID) -> None:
    service.container.holds.hold(service.author, memory_id, anywhere, "case 17", None)


def test_what_is_held_stays_also_where_it_was_derived_and_a_dry_run_says_so(service: Service) -> None:
    one, other = service.add("one"), service.add("other")
    first, second = gist(service, [one]), gist(service, [one])
    for held in (first, other):
        hold(service, held)
    erasures = service.container.erasures
    preview = erasures.preview(service.tenant_id, of_ids(one), anywhere)
    assert (preview.memory_ids, preview.derived_ids) == ([one], [second])
    for refused in (lambda w: erasures.preview(service.tenant_id, w, anywhere), lambda w: ask(service, w)):
        with pytest.raises(Conflict, match="1 of these memories"):
            refused(of_ids(one, other))
    ask(service, of_ids(one))
    assert there(service) == {other, first}


def test_who_does_not_reach_a_held_memory_hears_nothing_of_it(service: Service) -> None:
    held = service.add("held")
    hold(service, held)
    for wanted, allowed in (
        (of_ids(held), lambda path: False),
        (Wanted("elsewhere", of_ids(held).selection), anywhere),
    ):
        assert service.container.erasures.preview(service.tenant_id, wanted, allowed).memory_ids == []
        done = service.container.erasures.ask(service.author, wanted, allowed, None, within_s=None)
        assert done.erasure.counts == {}
    assert there(service) == {held}


def test_nothing_is_derived_from_what_is_gone_or_was_prepared_before_an_erasure(service: Service) -> None:
    one, two, three = (service.add(text) for text in ("one", "two", "three"))
    before = epoch_of(service)
    service.erase(three)
    for sources, epoch in (([one, two], before), ([one, three], None)):
        with pytest.raises(LookupError):
            gist(service, sources, epoch=epoch)
    service.edit(one, "one, edited")
    with pytest.raises(LookupError):
        gist(service, [one, two])
    assert gist(service, [two]) in there(service)


def test_who_was_read_after_an_erased_turn_is_read_again_without_it(service: Service) -> None:
    def turns(path: str, texts: list[str]) -> list[UUID]:
        return [
            UUID(item["id"])
            for text in texts
            for item in service.remember([Draft(text, {"session_id": "s", "user_id": text[:2]})], path)["items"]
        ]

    turns(PATH, ["aa we meet on friday", "bo the secret garden", "bo it is green", "cc yes indeed"])
    turns("user/never", ["aa we meet on friday", "cc yes indeed"])
    ask(service, Wanted(None, {"user_id": "bo"}))
    assert service.differences() == 0
    scores = [
        [round(score, 6) for _, _, score in service.recall(question, path)]
        for question in ("secret garden green", "yes friday")
        for path in (PATH, "user/never")
    ]
    assert scores[0] == scores[1]
    assert scores[2] == scores[3]


@pytest.mark.parametrize("point", ["planned", "chunk", "emptied"])
def test_a_kill_leaves_whole_chunks_and_another_process_goes_on(service: Service, clock: HeldClock, point: str) -> None:
    ids = [service.add(f"text {n}", user_id="bo") for n in range(8)]
    kept = service.add("kept")
    waiting = ask(service, within_s=0.0)
    assert waiting.erasure.ended_at is None
    passed = []

    def kill(at: str) -> None:
        passed.append(at)
        if at == point and passed.count(at) == min(2, 1 + (point != "emptied")):
            raise KilledError

    with pytest.raises(KilledError):
        runner(service, kill).run(service.tenant_id, waiting.erasure.id)
    left = there(service) & set(ids)
    assert len(left) == {"planned": 5, "chunk": 2, "emptied": 0}[point]
    assert not runner(service).run(service.tenant_id, waiting.erasure.id)  # its lease has not ended
    clock.move(LEASE_S + 1.0)
    assert runner(service).round() == 1
    assert there(service) == {kept}
    done = seen(service, waiting.erasure.id)
    assert (done.erasure.counts["memory"], done.erasure.problem) == (8, None)
    assert len(done.receipt["digests"]) == 8 if done.receipt else False
    assert service.differences() == 0


def test_who_slept_past_the_lease_commits_nothing(service: Service, clock: HeldClock) -> None:
    for n in range(8):
        service.add(f"text {n}", user_id="bo")
    waiting = ask(service, within_s=0.0)

    def die(at: str) -> None:
        if at == "chunk":
            raise KilledError

    def sleep(at: str) -> None:
        if at == "planned" and scalars(service, select(ERASURE.c.fence)) == [2]:
            clock.move(LEASE_S + 1.0)
            with pytest.raises(KilledError):  # whoever takes it up is not done with it, either
                runner(service, die).run(service.tenant_id, waiting.erasure.id)

    assert not runner(service, sleep).run(service.tenant_id, waiting.erasure.id)
    assert len(there(service)) == 5
    clock.move(LEASE_S + 1.0)
    assert runner(service).run(service.tenant_id, waiting.erasure.id)
    assert there(service) == set()
    assert seen(service, waiting.erasure.id).erasure.counts["memory"] == 8


def test_what_is_written_while_it_goes_on_is_erased_too(service: Service) -> None:
    service.add("the first", user_id="bo")
    waiting = ask(service, within_s=0.0)
    added: list[UUID] = []

    def write(at: str) -> None:
        if at == "chunk" and len(added) < 3:
            added.append(service.add(f"one more {len(added)}", user_id="bo"))

    assert runner(service, write).run(service.tenant_id, waiting.erasure.id)
    assert len(added) == 3
    assert there(service) == set()


def test_what_becomes_part_of_it_behind_its_back_is_erased_too(service: Service) -> None:
    older = service.add("an older one", user_id="cy")
    for n in range(8):
        service.add(f"text {n}", user_id="bo")
    waiting = ask(service, within_s=0.0)

    def edit(at: str) -> None:
        if at == "chunk" and older in there(service):
            service.edit(older, user_id="bo")

    assert runner(service, edit).run(service.tenant_id, waiting.erasure.id)
    assert there(service) == set()


def test_an_erasure_wins_every_race(service: Service, clock: HeldClock) -> None:
    """Edits, verdicts, replays, jobs and a second erasure at the same moment: nothing is back, nothing else is lost."""
    for round_ in range(6):
        key = claim_of(f"k{round_}")
        first = service.remember([Draft("bo says hello", {"user_id": "bo"}, external_id=f"x{round_}")], claim=key)
        target = UUID(first["items"][0]["id"])
        source = service.add("a source", user_id="bo")
        kept = service.add("kept", user_id="cy")
        results = at_once(
            [
                lambda: ask(service),
                lambda target=target: service.edit(target, "bo says goodbye"),
                lambda target=target: service.forget(target),
                lambda key=key, n=round_: service.remember(
                    [Draft("bo says hello", {"user_id": "bo"}, external_id=f"x{n}")], claim=key
                ),
                lambda source=source, kept=kept: gist(service, [source, kept]),
                lambda: service.recall("bo says hello"),
                lambda target=target: service.erase(target),
                lambda kept=kept: service.edit(kept, "kept, edited"),
            ]
        )
        unexpected = [r for r in results if isinstance(r, Exception) and not isinstance(r, NotFound | LookupError)]
        assert unexpected == []
        assert target not in there(service)
        assert source not in there(service)
        assert kept in there(service)
        assert set(scalars(service, select(LINK.c.to_id))) <= there(service)
        again = service.remember([Draft("bo says hello", {"user_id": "bo"}, external_id=f"x{round_}")], claim=key)
        assert again["items"][0]["id"] == str(target)
        assert target not in there(service)
        assert service.differences() == 0
        clock.move(1.0)


def test_what_a_restored_backup_brings_back_is_erased_before_it_is_served(tmp_path: Path, sqlite_url: str) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    with service_on(sqlite_url, tmp_path, jobs="off") as service:
        gone, kept = service.add("gone"), service.add("kept")
    backup = tmp_path / "backup.db"
    shutil.copyfile(file, backup)
    with service_on(sqlite_url, tmp_path, jobs="off") as service:
        service.erase(gone)
        (erasure_id,) = scalars(service, select(ERASURE.c.id))
        receipt = seen(service, erasure_id).receipt
        assert receipt is not None
        assert service.container.erasures.verify(service.tenant_id, receipt).holds
        with service.look() as connection:
            kept_tombstones = connection.execute(select(TOMBSTONE)).all()
    shutil.copyfile(backup, file)
    # Without the tombstones the receipt says so, and is what it is erased by.
    with service_on(sqlite_url, tmp_path, jobs="off") as service:
        service.container.start()
        assert there(service) == {gone, kept}
        verdict = service.container.erasures.verify(service.tenant_id, receipt)
        assert (verdict.is_genuine, verdict.holds, verdict.back, verdict.without_tombstone) == (True, False, 1, 1)
        selection = service.container.erasures.of_receipt(service.tenant_id, receipt)
        assert selection is not None
        ask(service, Wanted(None, selection))
        assert there(service) == {kept}
        assert service.container.erasures.verify(service.tenant_id, receipt).holds
    # With them nobody has to ask.
    shutil.copyfile(backup, file)
    with service_on(sqlite_url, tmp_path, jobs="off") as service:
        service.meddle(
            lambda c: c.execute(TOMBSTONE.insert(), [dict(row._mapping) for row in kept_tombstones]) and None
        )
        service.container.start()
        assert there(service) == {kept}
        assert [row[0] for row in service.recall("gone")] == [kept]


def test_what_a_backup_brings_back_under_a_hold_waits_for_its_release(tmp_path: Path, sqlite_url: str) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    with service_on(sqlite_url, tmp_path, jobs="off") as service:
        gone, other = service.add("gone"), service.add("other")
        hold(service, gone)
    backup = tmp_path / "backup.db"
    shutil.copyfile(file, backup)
    with service_on(sqlite_url, tmp_path, jobs="off") as service:
        service.container.holds.release(service.author, gone, anywhere, "closed", None)
        service.erase(gone)
        service.erase(other)
        with service.look() as connection:
            tombstones = [dict(row._mapping) for row in connection.execute(select(TOMBSTONE))]
    shutil.copyfile(backup, file)
    with service_on(sqlite_url, tmp_path, jobs="off") as service:
        service.meddle(lambda c: c.execute(TOMBSTONE.insert(), tombstones) and None)
        service.container.start()
        assert there(service) == {gone}
        service.container.holds.release(service.author, gone, anywhere, "closed", None)
    with service_on(sqlite_url, tmp_path, jobs="off") as service:
        service.container.start()
        assert there(service) == set()


def test_a_model_that_does_not_answer_delays_an_erasure_and_is_named(service: Service, monkeypatch: Any) -> None:
    for text in ("bo the secret", "cc indeed"):
        service.remember([Draft(text, {"session_id": "s", "user_id": text[:2]})])
    eraser = service.container.changer._eraser

    def fail(*given: Any) -> None:
        raise RuntimeError("away")

    monkeypatch.setattr(eraser, "plan", fail)
    waiting = ask(service)
    assert (waiting.erasure.ended_at, waiting.erasure.problem) == (None, "RuntimeError")
    assert service.container.erasing.round() == 0
    monkeypatch.undo()
    assert service.container.erasing.round() == 1
    done = seen(service, waiting.erasure.id).erasure
    assert (done.counts["memory"], done.problem, done.selection) == (1, None, None)


def test_of_an_erasure_that_is_over_nothing_is_kept_that_names_anybody(service: Service) -> None:
    service.add("x", user_id="bo")
    ask(service)
    (row,) = [dict(found._mapping) for found in everything(service, ERASURE)]
    assert (row["selection"], row["request_digest"], row["held_until"]) == (None, None, None)
    assert "bo" not in str({name: value for name, value in row.items() if name not in ("asked_by",)})


def everything(service: Service, table: Any) -> list[Any]:
    with service.look() as connection:
        return list(connection.execute(select(table)).all())
