"""What a memory tells of names holds as long as the memory does, in its namespace alone, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from memsvc.models.tables import ANALYSIS
from tests.fixtures.storage_service import PATH, Service, open_service, service_on

TELLS = "Wanda Aldred, also known as Pip, lives in Porto."
SAYS = ("Pip bought a tractor at the auction.", "We met Pip there.", "Wanda Aldred sold a lamp.", "Kiki bought a kite.")
QUESTION = "What did Wanda Aldred buy at the auction?"
NEVER = "user/never"


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    with service_on(database_url, tmp_path) as made:
        yield made


def groups(service: Service, path: str = PATH) -> set[frozenset[str]]:
    page = service.container.entities.page(service.tenant_id, path, 50, None)
    return {frozenset(name.text for name in party.group.names) for party in page.parties}


def scores(service: Service, path: str = PATH) -> list[float]:
    return [score for _, _, score in service.recall(QUESTION, path)]


def told(service: Service) -> list[object]:
    with service.look() as connection:
        return [row for row in connection.execute(select(ANALYSIS.c.told)).scalars() if row is not None]


def forget(service: Service, memory: UUID) -> None:
    service.forget(memory)


def erase(service: Service, memory: UUID) -> None:
    service.erase(memory)


def edit(service: Service, memory: UUID) -> None:
    service.edit(memory, "Wanda Aldred lives in Porto. So does Pip.")


BOTH = frozenset({"Wanda Aldred", "Pip"})


@pytest.mark.parametrize("undo", [forget, erase, edit])
def test_the_tie_goes_with_the_memory_that_tells_it(service: Service, undo: Callable[[Service, UUID], None]) -> None:
    for path in (PATH, NEVER):
        for text in SAYS:
            service.add(text, path)
    telling = service.add(TELLS)
    assert BOTH in groups(service)
    assert BOTH not in groups(service, NEVER)
    assert scores(service) != scores(service, NEVER)
    undo(service, telling)
    assert BOTH not in groups(service)
    assert frozenset({"Pip"}) in groups(service)
    if undo is not edit:
        assert groups(service) == groups(service, NEVER)
    if undo is erase:  # what is only forgotten still counts in how rare words are
        assert scores(service) == scores(service, NEVER)


def test_a_forgotten_memory_tells_again_when_it_is_restored(service: Service) -> None:
    telling = service.add(TELLS)
    service.add(SAYS[1])
    service.forget(telling)
    service.restore(telling)
    assert BOTH in groups(service)


def test_nothing_of_it_is_stored_after_an_erasure(service: Service) -> None:
    telling = service.add(TELLS)
    assert told(service) == [[["Pip", "Wanda Aldred"]]]
    service.add(SAYS[0])
    service.erase(telling)
    assert told(service) == []


def test_it_is_told_as_long_as_any_memory_says_so(service: Service) -> None:
    first, second = service.add(TELLS), service.add("Everyone calls Wanda Aldred “Pip”.")
    service.erase(first)
    assert BOTH in groups(service)
    service.erase(second)
    assert groups(service) == set()


def test_who_speaks_decides_whose_name_it_is(service: Service) -> None:
    telling = service.add("My nickname is Pip.", speaker="Wanda Aldred")
    assert groups(service) == {BOTH}
    service.edit(telling, speaker="Kiki Bell")
    assert groups(service) == {frozenset({"Kiki Bell", "Pip"})}
    service.edit(telling, speaker="user")
    assert BOTH not in groups(service)
    assert frozenset({"Kiki Bell", "Pip"}) not in groups(service)


def test_a_process_that_starts_later_knows_the_same(database_url: str, tmp_path: Path) -> None:
    with service_on(database_url, tmp_path) as service:
        for text in (*SAYS, TELLS):
            service.add(text)
        before = groups(service), scores(service)
    again = open_service(database_url, tmp_path)
    try:
        assert (groups(again), scores(again)) == before
    finally:
        again.container.close()
