"""The bank keeps faded memories less exactly: by the change log in every process, and the same when it is rebuilt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from gpu.bank.bank import Bank
from gpu.bank.layouts import Tier
from gpu.bank.namespace import NamespaceBank
from gpu.bank.records import Kind
from memsvc.index.keeper import Keeper
from memsvc.index.loader import ALL_EXACT
from memsvc.models.tables import CHANGE, EMBEDDING, MEMORY, VERSION
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from tests.fixtures.storage_service import PATH, HeldClock, Service, anywhere, service_on

DAY = 86_400.0
TEXTS = [
    "the harbour lights of Bergen",
    "a recipe for rye bread with caraway",
    "the tax form is due in April",
    "Ada's bicycle has a new chain",
    "notes on modern Hopfield networks",
    "the dentist moved the appointment",
]


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def service(database_url: str, tmp_path: Path, clock: HeldClock) -> Iterator[Service]:
    with service_on(database_url, tmp_path, clock=clock, jobs="off") as made:
        yield made


def told(service: Service, path: str = PATH) -> list[UUID]:
    memories = [service.add(text, path, kind=int(Kind.EPISODIC)) for text in TEXTS]
    service.container.jobs.set_care(service.tenant_id, path, {"share_per_run": 1.0}, {})
    return memories


def fade(service: Service, path: str = PATH) -> UUID:
    run = service.container.jobs.ask(service.author, path, "fade", is_dry=False).run.id
    service.container.scheduler.round()
    return run


def namespace_of(service: Service, path: str = PATH) -> NamespaceRow:
    with service.look() as connection:
        found = namespaces.find(connection, service.tenant_id, path)
    assert found is not None
    return found


def bank_of(keeper: Keeper, service: Service, path: str = PATH) -> NamespaceBank:
    namespace = namespace_of(service, path)
    return keeper.catch_up(namespace.key, namespace.head_seq)


def held(service: Service) -> dict[Tier, int]:
    return bank_of(service.container.keeper, service).vector_bytes()


def levels(service: Service) -> set[int]:
    with service.look() as connection:
        return set(connection.execute(select(MEMORY.c.level)).scalars())


def other_process(service: Service) -> Keeper:
    return Keeper(service.container.database, Bank())


def assert_rebuilt_the_same(service: Service) -> None:
    fed = bank_of(service.container.keeper, service)
    rebuilt = bank_of(other_process(service), service)
    assert set(fed.fingerprints()) == set(rebuilt.fingerprints())
    assert fed.vector_bytes() == rebuilt.vector_bytes()
    assert service.differences() == 0


def test_vectors_take_less_at_every_level_and_all_of_it_when_they_come_back(service: Service, clock: HeldClock) -> None:
    memories = told(service)
    exact = held(service)
    behind = other_process(service)
    bank_of(behind, service)
    assert exact[Tier.FP16] > 0
    assert exact[Tier.INT8] == exact[Tier.INT4] == 0

    clock.move(5 * DAY)
    fade(service)
    warm = held(service)
    assert levels(service) == {1}
    assert warm[Tier.FP16] == warm[Tier.INT4] == 0
    assert 0 < warm[Tier.INT8] < exact[Tier.FP16]
    assert_rebuilt_the_same(service)

    clock.move(6 * DAY)
    fade(service)
    cold = held(service)
    assert levels(service) == {2}
    assert cold[Tier.FP16] == cold[Tier.INT8] == 0
    assert 0 < cold[Tier.INT4] < warm[Tier.INT8]
    assert_rebuilt_the_same(service)
    assert bank_of(behind, service).vector_bytes() == cold
    assert service.recall("bread recipe")[0][0] == memories[1]

    service.container.recalls.used(service.tenant_id, memories)
    service.container.recalls.flush()
    fade(service)
    assert levels(service) == {0}
    assert held(service) == exact
    assert bank_of(behind, service).vector_bytes() == exact
    assert_rebuilt_the_same(service)


def test_neither_text_nor_version_nor_stored_vector_is_touched(service: Service, clock: HeldClock) -> None:
    told(service)

    def stored() -> list[list[object]]:
        with service.look() as connection:
            tables = (VERSION, EMBEDDING)
            return [[tuple(row) for row in connection.execute(select(table)).all()] for table in tables]

    before, seq = stored(), namespace_of(service).head_seq
    clock.move(11 * DAY)
    fade(service)
    assert stored() == before
    assert namespace_of(service).head_seq == seq + len(TEXTS)  # the log tells of every memory once
    fade(service)
    assert namespace_of(service).head_seq == seq + len(TEXTS)  # and a run that moves nothing of none


def test_an_undo_brings_the_exact_vectors_back(service: Service, clock: HeldClock) -> None:
    told(service)
    before = set(bank_of(service.container.keeper, service).fingerprints())
    clock.move(11 * DAY)
    run = fade(service)
    assert set(bank_of(service.container.keeper, service).fingerprints()) != before
    service.container.jobs.undo(service.author, run, anywhere)
    service.container.scheduler.round()
    assert set(bank_of(service.container.keeper, service).fingerprints()) == before


def test_versions_that_ended_are_kept_like_the_memory(service: Service, clock: HeldClock) -> None:
    first, second, third, *_ = told(service)
    clock.move(60.0)
    service.edit(first, "the harbour lights of Oslo")
    then = clock.now()
    behind = other_process(service)
    bank_of(behind, service)
    clock.move(11 * DAY)
    fade(service)
    assert held(service)[Tier.FP16] == 0
    assert_rebuilt_the_same(service)
    # A cold memory that is edited, one that is hidden, one that is erased.
    service.edit(first, "the harbour lights of Tromsø")
    service.edit(second, tags=["kitchen"])
    service.forget(third)
    assert_rebuilt_the_same(service)
    service.erase(third)
    assert_rebuilt_the_same(service)
    assert set(bank_of(behind, service).fingerprints()) == set(
        bank_of(service.container.keeper, service).fingerprints()
    )
    assert service.recall("harbour lights Oslo", as_of=then)[0][:2] == (first, 2)
    service.container.recalls.used(service.tenant_id, [first, second])
    service.container.recalls.flush()
    fade(service)
    assert_rebuilt_the_same(service)


def test_what_the_policy_hides_takes_nothing(service: Service, clock: HeldClock) -> None:
    told(service)
    exact = held(service)
    policy = {"share_per_run": 1.0, "below": {"cold": 0.3, "archived": 0.1}}
    service.container.jobs.set_care(service.tenant_id, PATH, policy, {})
    clock.move(30 * DAY)
    fade(service)
    archived = held(service)
    assert exact[Tier.FP16] > 0
    assert archived == dict.fromkeys(archived, 0)
    assert_rebuilt_the_same(service)


def test_another_tenant_and_another_namespace_stay_exact(service: Service, clock: HeldClock) -> None:
    told(service)
    told(service, "user/ben")
    before = bank_of(service.container.keeper, service, "user/ben").vector_bytes()
    clock.move(11 * DAY)
    fade(service)
    assert held(service)[Tier.FP16] == 0
    assert bank_of(service.container.keeper, service, "user/ben").vector_bytes() == before
    with service.look() as connection:
        changed = connection.execute(select(CHANGE.c.namespace_id).where(CHANGE.c.op == 4).distinct()).scalars().all()
    assert changed == [namespace_of(service).id]


def test_where_it_is_switched_off_everything_stays_exact(service: Service, clock: HeldClock) -> None:
    told(service)
    exact, fingerprints = held(service), set(bank_of(service.container.keeper, service).fingerprints())
    off = Keeper(service.container.database, Bank(), tiers=ALL_EXACT)
    bank_of(off, service)
    clock.move(11 * DAY)
    fade(service)
    assert bank_of(off, service).vector_bytes() == exact
    assert set(bank_of(off, service).fingerprints()) == fingerprints
    assert all(verdict.equal for verdict in off.verify())


def test_the_setting_reaches_the_bank(database_url: str, tmp_path: Path, clock: HeldClock) -> None:
    with service_on(database_url, tmp_path, clock=clock, jobs="off", tiers="off") as service:
        told(service)
        exact = held(service)
        clock.move(11 * DAY)
        fade(service)
        assert levels(service) == {2}
        assert held(service) == exact
        assert service.differences() == 0


def test_what_fades_is_found_as_before_and_metrics_tell_of_it(service: Service, clock: HeldClock) -> None:
    told(service)
    asked = ("harbour lights", "bread recipe", "tax form April", "bicycle chain", "Hopfield networks", "dentist")
    before = [service.recall(text, top_k=1)[0][0] for text in asked]
    clock.move(11 * DAY)
    fade(service)
    assert [service.recall(text, top_k=1)[0][0] for text in asked] == before
    lines = service.container.metrics.render().decode().splitlines()
    figures = dict(line.rsplit(" ", 1) for line in lines if line.startswith("memsvc_bank_vector_bytes{"))
    assert float(figures['memsvc_bank_vector_bytes{tier="int4"}']) == held(service)[Tier.INT4] > 0
    assert float(figures['memsvc_bank_vector_bytes{tier="fp16"}']) == 0
