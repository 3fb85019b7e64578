"""What a text means depends on who said it, where and when: an edit of these is analysed again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import select

from memsvc.core.clock import to_us
from memsvc.memories.draft import Draft
from memsvc.models.tables import ANALYSIS, EMBEDDING, MEMORY
from retrieval.analysis.places import place_ids
from tests.fixtures.storage_service import Service, service_on

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY_US = 86_400_000_000


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with service_on(f"sqlite:///{tmp_path / 'memsvc.db'}", tmp_path) as made:
        yield made


def analysed(service: Service, memory_id: UUID) -> Any:
    with service.look() as connection:
        return connection.execute(
            select(ANALYSIS)
            .join(MEMORY, (MEMORY.c.id == ANALYSIS.c.memory_id) & (MEMORY.c.content_version == ANALYSIS.c.version))
            .where(MEMORY.c.id == memory_id)
        ).one()


def starts(row: Any) -> list[int]:
    return [int(start) for start in np.frombuffer(row.spans, "<i8").reshape(-1, 2)[:, 0]]


def test_times_are_resolved_against_when_it_happened(service: Service) -> None:
    memory = service.add("We met yesterday", occurred_at=MONDAY)
    assert starts(analysed(service, memory)) == [to_us(datetime(2026, 3, 1, tzinfo=UTC))]
    service.edit(memory, occurred_at=MONDAY.replace(day=12))
    assert starts(analysed(service, memory)) == [to_us(datetime(2026, 3, 11, tzinfo=UTC))]
    service.edit(memory, "We met two days ago")
    assert starts(analysed(service, memory)) == [to_us(datetime(2026, 3, 10, tzinfo=UTC))]


def test_the_place_is_among_the_places(service: Service) -> None:
    memory = service.add("We had soup", place="Lisbon")
    assert analysed(service, memory).place_ids == place_ids("Lisbon", "We had soup").astype("<u8").tobytes()
    service.edit(memory, place="Porto")
    assert analysed(service, memory).place_ids == place_ids("Porto", "We had soup").astype("<u8").tobytes()
    service.edit(memory, "We had fish")
    assert analysed(service, memory).place_ids == place_ids("Porto", "We had fish").astype("<u8").tobytes()


def test_an_edit_by_external_id_keeps_the_circumstances_that_it_does_not_name(service: Service) -> None:
    first = Draft("We met yesterday", {"occurred_at": MONDAY, "place": "Lisbon"}, external_id="a")
    memory = UUID(service.remember([first])["items"][0]["id"])
    service.remember([Draft("We met two days ago", {}, external_id="a")])
    row = analysed(service, memory)
    assert starts(row) == [to_us(MONDAY.replace(day=1, hour=0)) - DAY_US]
    assert row.place_ids == place_ids("Lisbon", "").astype("<u8").tobytes()


def test_other_edits_leave_the_vectors_alone(service: Service) -> None:
    memory = service.add("We met yesterday", occurred_at=MONDAY, place="Lisbon")
    service.edit(memory, occurred_at=MONDAY, place="Lisbon", importance=0.9)
    with service.look() as connection:
        assert len(connection.execute(select(EMBEDDING.c.version)).all()) == 1
