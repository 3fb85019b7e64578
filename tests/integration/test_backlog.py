"""A text that is stored while the model does not answer: found by its words at once, by its meaning later, once."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from memsvc.commands.doctor import examine
from memsvc.core.errors import EmbedderUnavailable
from memsvc.memories import backlog
from memsvc.memories.backlog import SILENT_AFTER
from memsvc.memories.draft import Draft
from memsvc.models.job import RunState
from memsvc.models.tables import EMBEDDING, MEMORY, MEMORY_KEY, PENDING, TOKEN_EMBEDDING
from retrieval.embedders.batching import BatchingEmbedder
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.errors import EmbedderAnswerError, EmbedderBusyError, EmbedderError
from retrieval.types import Encoded, Passage
from tests.fixtures.storage_service import PATH, Service, anywhere, service_on

TURNS = ("Shall we visit the lighthouse?", "Yes, on Friday!", "Then I bring the cake.")
OTHER = "user/other"


class Moody(HashingEmbedder):
    """A model that fails when it is told to, or for a word, and reads a text in the light of what was before it."""

    def __init__(self) -> None:
        super().__init__(64)
        self.failure: EmbedderError | None = None
        self.refused = "nothing that anybody says"
        self.asked = 0

    def encode_documents(self, passages: Sequence[Passage]) -> list[Encoded]:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        if any(self.refused in passage.text for passage in passages):
            raise EmbedderAnswerError("made")
        return super().encode_documents(passages)


@pytest.fixture
def model() -> Moody:
    return Moody()


@pytest.fixture
def service(database_url: str, tmp_path: Path, model: Moody) -> Iterator[Service]:
    embedder = BatchingEmbedder(model, document_workers=2, texts_per_run=64)
    with service_on(database_url, tmp_path, embedder=embedder) as made:
        yield made


def down(model: Moody) -> None:
    model.failure = EmbedderAnswerError("made")


def say(service: Service, *texts: str, path: str = PATH) -> list[UUID]:
    drafts = [Draft(text, {"session_id": "s1"}) for text in texts]
    return [UUID(item["id"]) for item in service.remember(drafts, path)["items"]]


def vectors(service: Service, memory_ids: Sequence[UUID]) -> list[list[bytes]]:
    """Vectors and token codes of each memory, all versions."""
    with service.look() as connection:
        return [
            [
                value
                for column in (EMBEDDING.c.vector, TOKEN_EMBEDDING.c.codes)
                for value in connection.execute(
                    select(column).where(column.table.c.memory_id == one).order_by(column.table.c.version)
                ).scalars()
            ]
            for one in memory_ids
        ]


def waiting(service: Service) -> list[tuple[UUID, int]]:
    with service.look() as connection:
        rows = connection.execute(select(PENDING.c.memory_id, PENDING.c.version).order_by(PENDING.c.memory_id))
        return [(row.memory_id, row.version) for row in rows]


def due_now(service: Service) -> None:
    service.meddle(lambda connection: connection.execute(PENDING.update().values(due_at=PENDING.c.since)) and None)


def test_it_is_found_by_its_words_and_then_by_its_meaning(service: Service, model: Moody) -> None:
    """Its vectors are those that it would have had, conversation included."""
    wanted = vectors(service, say(service, *TURNS, path=OTHER))
    first = say(service, TURNS[0])
    down(model)
    outcome = service.remember([Draft(text, {"session_id": "s1"}) for text in TURNS[1:]])
    assert [(item["status"], item["degraded"]) for item in outcome["items"]] == [(201, ["semantic"])] * 2
    later = [UUID(item["id"]) for item in outcome["items"]]
    assert service.container.degraded() == ["embedder"]
    assert later[1] in service.found("cake")
    assert service.differences() == 0
    assert vectors(service, later) == [[], []]
    assert service.container.backlog.round() == 0
    model.failure = None
    due_now(service)
    assert service.container.backlog.round() == 2
    assert vectors(service, [*first, *later]) == wanted
    assert service.differences() == 0
    assert later[1] in service.found("Then I bring the cake.")
    assert waiting(service) == []
    assert service.container.degraded() == []
    asked = model.asked
    assert service.container.backlog.round() == 0
    assert model.asked == asked


def test_two_that_are_at_it_give_it_its_vectors_once(
    service: Service, model: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    down(model)
    memory = service.add("the kettle is blue")
    model.failure = None
    made_by = service.container.backlog
    encoded = made_by._encoded
    rounds: list[int] = []

    def and_another(*given: Any) -> Any:
        made = encoded(*given)
        if not rounds:
            rounds.append(-1)
            rounds[0] = made_by.round()
        return made

    monkeypatch.setattr(made_by, "_encoded", and_another)
    assert made_by.round() == 0
    assert rounds == [1]
    assert [len(one) for one in vectors(service, [memory])] == [2]
    assert service.differences() == 0


def test_a_text_that_the_model_refuses_holds_up_no_other(service: Service, model: Moody) -> None:
    down(model)
    bad = service.add("this one is poison")
    good = [service.add(f"the kettle has colour {n}") for n in range(3)]
    model.failure, model.refused = None, "poison"
    assert service.container.backlog.round() == 3
    assert all(vectors(service, good))
    assert waiting(service) == [(bad, 1)]
    asked = model.asked
    assert service.container.backlog.round() == 0  # not due: it does not take the model's time again and again
    assert model.asked == asked
    assert service.container.degraded() == ["embedder"]


def test_a_model_that_is_away_is_asked_a_few_times_only(service: Service, model: Moody) -> None:
    down(model)
    for n in range(12):
        service.add(f"the kettle has colour {n}")
    model.asked = 0
    assert service.container.backlog.round() == 0
    assert model.asked <= 12 + SILENT_AFTER + 1  # all of them together, then some alone
    assert len(waiting(service)) == 12


def test_an_edit_waits_with_its_version(service: Service, model: Moody) -> None:
    memory = service.add("the kettle is blue")
    down(model)
    assert service.edit(memory, "the kettle is vermilion")["items"][0]["degraded"] == ["semantic"]
    assert waiting(service) == [(memory, 2)]
    assert "degraded" not in service.edit(memory, tags=["kitchen"])["items"][0]
    assert memory in service.found("vermilion")
    model.failure = None
    assert service.container.backlog.round() == 1
    assert service.differences() == 0
    (made,) = vectors(service, [memory])
    assert len(made) == 4  # of two texts


def test_what_is_erased_waits_no_more(service: Service, model: Moody) -> None:
    """And erasing needs no model: what was read in the light of it loses its vectors, and gets others later."""
    first, second = say(service, *TURNS[:2])
    down(model)
    third = service.add("the kettle is blue")
    service.erase(third)
    service.erase(first)
    assert waiting(service) == [(second, 1)]
    assert vectors(service, [second]) == [[]]
    assert second in service.found("Friday")
    model.failure = None
    assert service.container.backlog.round() == 1
    alone = service.add(TURNS[1], path=OTHER)
    assert vectors(service, [second]) == vectors(service, [alone])
    assert service.differences() == 0


def test_too_much_work_is_refused_as_before(service: Service, model: Moody) -> None:
    model.failure = EmbedderBusyError("made")
    with pytest.raises(EmbedderUnavailable):
        service.add("the kettle is blue")
    assert waiting(service) == []


def test_an_import_reads_what_waited(service: Service, model: Moody) -> None:
    down(model)
    service.add("the kettle is blue")
    model.failure = None
    file = io.BytesIO(b"".join(service.container.exporting(service.author, PATH).pieces))
    imported = service.container.importing(service.author, OTHER, file)
    assert (imported.memories, imported.reembedded) == (1, 1)
    assert service.found("kettle", OTHER)
    assert len(waiting(service)) == 1  # the one that was there


def test_jobs_go_on_beside_what_waits(service: Service, model: Moody) -> None:
    """What needs a vector leaves it alone, and takes it up once it has one."""
    for n in range(3):
        service.add(f"The kettle of the house number {n} is blue.")
    down(model)
    late = service.add("The kettle of the house number 1 is blue.")
    model.failure = None
    jobs = service.container.jobs
    kinds = ("fade", "conflict", "merge", "consolidate", "surprise", "evict", "expire")
    runs = [jobs.ask(service.author, PATH, kind, is_dry=False).run.id for kind in kinds]
    service.container.scheduler.round()
    states = {kind: jobs.one(service.tenant_id, run, anywhere).run for kind, run in zip(kinds, runs, strict=True)}
    assert {kind: run.state for kind, run in states.items()} == dict.fromkeys(kinds, RunState.SUCCEEDED)
    assert surprise_of(service, late) is None
    assert service.container.backlog.round() == 1
    jobs.ask(service.author, PATH, "surprise", is_dry=False)
    service.container.scheduler.round()
    assert surprise_of(service, late) is not None
    assert service.differences() == 0


def surprise_of(service: Service, memory_id: UUID) -> float | None:
    with service.look() as connection:
        return connection.execute(select(MEMORY.c.surprise).where(MEMORY.c.id == memory_id)).scalar_one()


def test_the_operator_is_told(service: Service, model: Moody) -> None:
    settings = service.container.settings
    assert next(one for one in examine(settings) if one.check == "pending").level == "ok"
    down(model)
    service.add("the kettle is blue")
    told = next(one for one in examine(settings) if one.check == "pending")
    assert told.level == "note"
    assert told.message.startswith("1 texts wait")


def test_its_thread_comes_back_when_the_model_does(service: Service, model: Moody) -> None:
    thread = service.container.backlog
    thread.start()
    down(model)
    service.add("the kettle is blue")
    model.failure = None
    until = time.monotonic() + 20
    while waiting(service) or thread.waiting:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_is_stored_long_after_the_model_failed_is_not_left(service: Service, model: Moody) -> None:
    """Its thread hears of a text before it is there, and looks again."""
    thread = service.container.backlog
    wake = thread.wake

    def long_before() -> None:
        wake()
        time.sleep(2.5)

    thread.start()
    down(model)
    service.container.preparer.on_postponed = long_before
    service.add("the kettle is blue")
    assert waiting(service)
    model.failure = None
    until = time.monotonic() + 20
    while waiting(service):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_other_circumstances_of_a_text_that_waits(service: Service, model: Moody) -> None:
    """The text of the new version is a text of its own: it waits, too."""
    down(model)
    memory = service.add("the kettle is blue")
    assert service.edit(memory, speaker="Ada")["items"][0]["degraded"] == ["semantic"]
    assert waiting(service) == [(memory, 1), (memory, 2)]
    model.failure = None
    assert service.container.backlog.round() == 2
    (made,) = vectors(service, [memory])
    assert len(made) == 4  # of two texts
    assert service.differences() == 0


def test_a_text_that_does_not_open_holds_up_no_other(
    database_url: str, tmp_path: Path, model: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where there are as many of them as one transaction takes."""
    monkeypatch.setattr(backlog, "AT_ONCE", 1)
    embedder = BatchingEmbedder(model, document_workers=2, texts_per_run=64)
    with service_on(database_url, tmp_path, embedder=embedder, root_key="r" * 32) as service:
        down(model)
        lost = service.add("the kettle is blue")
        service.add("the kettle is red")
        service.meddle(lambda c: c.execute(MEMORY_KEY.delete().where(MEMORY_KEY.c.memory_id == lost)) and None)
        model.failure = None
        assert service.container.backlog.round() == 1
        assert waiting(service) == [(lost, 1)]
        assert service.container.backlog.round() == 0
