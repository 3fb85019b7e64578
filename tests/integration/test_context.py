"""A turn is read in the light of the one before it, and nothing of that one stays when it is erased."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import Connection, select

from gpu.bank.bank import Bank
from gpu.bank.filters import ScanFilter
from memsvc.core.errors import Conflict
from memsvc.index.keeper import Keeper
from memsvc.memories import merged, repository, write
from memsvc.memories.draft import Draft
from memsvc.memories.ledger import Ledger
from memsvc.models.tables import EMBEDDING, MEMORY, TOKEN_EMBEDDING
from memsvc.namespaces import repository as namespaces
from retrieval.embedders.batching import BatchingEmbedder
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.types import Encoded, Passage
from tests.fixtures.storage_service import PATH, Service, at_once, service_on

TURNS = ("Shall we visit the lighthouse?", "Yes, on Friday!", "Then I bring the cake.", "And I bring the tea.")
OTHER = "user/other"


class Watched(HashingEmbedder):
    """Keeps what it was given; can be told to do something while it reads."""

    def __init__(self) -> None:
        super().__init__(64)
        self.read: list[Passage] = []
        self.meanwhile: Callable[[], object] | None = None

    def encode_documents(self, passages: Sequence[Passage]) -> list[Encoded]:
        self.read += passages
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().encode_documents(passages)

    def befores(self) -> dict[str, str]:
        """What was last read before each text."""
        return {passage.text: passage.before for passage in self.read}


@pytest.fixture
def embedder() -> Watched:
    return Watched()


@pytest.fixture
def service(database_url: str, tmp_path: Path, embedder: Watched) -> Iterator[Service]:
    with service_on(database_url, tmp_path, embedder=BatchingEmbedder(embedder, document_workers=4)) as made:
        yield made


def say(service: Service, *texts: str, path: str = PATH, **fields: Any) -> list[UUID]:
    drafts = [Draft(text, {"session_id": "s1", **fields}, external_id=text) for text in texts]
    return [UUID(item["id"]) for item in service.remember(drafts, path)["items"]]


def stored(service: Service, path: str = PATH) -> list[tuple[str, list[bytes], bytes | None, str | None]]:
    """(external id, vectors of all versions, token codes now, external id of the context) of a namespace's memories."""
    with service.look() as connection:
        memories = connection.execute(
            select(MEMORY.c.id, MEMORY.c.external_id, MEMORY.c.namespace_id, MEMORY.c.content_version).order_by(
                MEMORY.c.id
            )
        ).all()
        names = {row.id: row.external_id for row in memories}
        wanted = namespace_id(service, path)
        found = []
        for row in memories:
            if row.namespace_id != wanted:
                continue
            vectors = connection.execute(
                select(EMBEDDING.c.vector)
                .where(EMBEDDING.c.memory_id == row.id)
                .order_by(EMBEDDING.c.version, EMBEDDING.c.view)
            ).scalars()
            tokens = connection.execute(
                select(TOKEN_EMBEDDING.c.codes, TOKEN_EMBEDDING.c.context_id).where(
                    TOKEN_EMBEDDING.c.memory_id == row.id, TOKEN_EMBEDDING.c.version == row.content_version
                )
            ).one_or_none()
            codes, context = (None, None) if tokens is None else tokens
            found.append((row.external_id, list(vectors), codes, None if context is None else names[context]))
        return found


def namespace_id(service: Service, path: str) -> UUID:
    with service.look() as connection:
        found = write.namespaces.find(connection, service.tenant_id, path)
    assert found is not None
    return found.id


def banked(service: Service, keeper: Keeper, path: str = PATH) -> list[tuple[bytes, bytes, bytes]]:
    """(memory, vectors, token codes) of every current memory in a bank, by memory."""
    key = (service.tenant_id, namespace_id(service, path))
    keeper.catch_up(key, 0)
    with keeper.bank.namespace(key).view(ScanFilter()) as view:
        slots = np.flatnonzero(view.mask())
        ids = [row.tobytes() for row in view.memory_id(slots)]
        parts = []
        for name, column in (("vectors", "vectors"), ("tokens", "codes")):
            arrays, offsets = view.ranges(name, slots)
            values = arrays[column]
            parts.append([values[a:b].tobytes() for a, b in pairwise(offsets)])
    return sorted(zip(ids, *parts, strict=True))


def assert_fed_equals_loaded(service: Service, path: str = PATH) -> None:
    fed = banked(service, service.container.keeper, path)
    assert fed == banked(service, Keeper(service.container.database, Bank()), path)
    assert service.differences() == 0


def test_a_turn_is_read_after_the_one_before_it(service: Service, embedder: Watched) -> None:
    say(service, TURNS[0])
    say(service, *TURNS[1:3])
    say(service, "Nothing of this", session_id="s2")
    say(service, TURNS[3])
    assert embedder.befores() == {
        TURNS[0]: "", TURNS[1]: TURNS[0], TURNS[2]: TURNS[1], "Nothing of this": "", TURNS[3]: TURNS[2],
    }  # fmt: skip
    contexts = {name: context for name, _, _, context in stored(service)}
    assert contexts == {
        TURNS[0]: None, TURNS[1]: TURNS[0], TURNS[2]: TURNS[1], "Nothing of this": None, TURNS[3]: TURNS[2],
    }  # fmt: skip
    assert len(embedder.read) == 5, "one run of the model a text"


def test_a_conversation_may_be_named_in_the_metadata(service: Service, embedder: Watched) -> None:
    for text in TURNS[:2]:
        service.add(text, metadata={"session": 7})
    service.add("Alone", metadata={})
    service.add("Alone again")
    assert embedder.befores() == {TURNS[0]: "", TURNS[1]: TURNS[0], "Alone": "", "Alone again": ""}


def test_token_codes_reach_the_bank(service: Service) -> None:
    say(service, *TURNS)
    tokens = {name: codes for name, _, codes, _ in stored(service)}
    assert all(len(codes or b"") == 16 * len(text.split()) for text, codes in tokens.items())
    assert_fed_equals_loaded(service)


def test_a_supplied_vector_has_no_token_codes_and_no_context(service: Service, embedder: Watched) -> None:
    vector = np.ones(64, np.float32)
    say(service, TURNS[0])
    service.remember([Draft(TURNS[1], {"session_id": "s1"}, external_id=TURNS[1], vector=vector)])
    say(service, TURNS[2])
    assert stored(service)[1][2:] == (None, None)
    assert embedder.befores() == {TURNS[0]: "", TURNS[2]: TURNS[1]}


@pytest.mark.parametrize("erased", [0, 1, 2])
def test_after_an_erasure_vectors_are_as_if_it_never_was(service: Service, erased: int) -> None:
    ids = say(service, *TURNS)
    service.edit(ids[1], metadata={"colour": "red"})
    service.erase(ids[erased])
    for text in (*TURNS[:erased], *TURNS[erased + 1 :]):
        say(service, text, path=OTHER)
    assert stored(service) == stored(service, OTHER)
    assert_fed_equals_loaded(service)


def test_what_comes_back_with_an_erasure_is_read_before_what_follows(service: Service) -> None:
    first, second, _ = say(service, *TURNS[:3])

    def merge(connection: Connection) -> int:
        namespace = namespaces.find(connection, service.tenant_id, PATH)
        assert namespace is not None
        ledger = Ledger(connection, namespace, service.container.clock.now(), "test")
        found = repository.by_ids(connection, *namespace.key, [first, second])
        merged.merge(ledger, found[second], [found[first]])
        return ledger.flush()

    service.meddle(merge)
    service.erase(second)
    say(service, TURNS[0], TURNS[2], path=OTHER)
    assert stored(service) == stored(service, OTHER)
    assert service.differences() == 0


def test_an_erasure_reaches_versions_that_ended(service: Service) -> None:
    first, second = say(service, *TURNS[:2])
    service.edit(second, "Yes, on Saturday!")
    service.erase(first)
    alone = say(service, TURNS[1], path=OTHER)[0]
    service.edit(alone, "Yes, on Saturday!")
    assert stored(service) == stored(service, OTHER)
    with service.look() as connection:
        assert connection.execute(select(TOKEN_EMBEDDING.c.context_id)).scalars().all() == [None] * 4
    assert service.differences() == 0


def test_an_erasure_reaches_a_reader_that_is_forgotten_or_moved_elsewhere(service: Service) -> None:
    first, second = say(service, *TURNS[:2])
    service.edit(second, session_id="s9")
    service.forget(second)
    service.erase(first)
    say(service, TURNS[1], path=OTHER)
    assert stored(service) == stored(service, OTHER)


def test_a_reader_is_read_again_after_an_edit(service: Service, embedder: Watched) -> None:
    first, second, _ = say(service, *TURNS[:3])
    service.edit(first, "Shall we visit the museum?")
    assert embedder.befores()[TURNS[1]] == "Shall we visit the museum?"
    say(service, "Shall we visit the museum?", *TURNS[1:3], path=OTHER)
    assert [row[1:3] for row in stored(service)[1:]] == [row[1:3] for row in stored(service, OTHER)[1:]]
    assert_fed_equals_loaded(service)
    with service.look() as connection:
        versions = connection.execute(select(MEMORY.c.version).where(MEMORY.c.id == second)).scalar_one()
    assert versions == 1, "no version of the reader is made"


def test_only_the_text_that_stands_is_read_again_after_an_edit(service: Service, embedder: Watched) -> None:
    first, second = say(service, *TURNS[:2])
    service.edit(second, "Yes, on Saturday!")
    embedder.read.clear()
    service.edit(first, "Shall we go?")
    assert embedder.befores() == {"Shall we go?": "", "Yes, on Saturday!": "Shall we go?"}


def test_the_same_words_of_somebody_else_are_not_read_again(service: Service, embedder: Watched) -> None:
    _, second = say(service, *TURNS[:2])
    before = stored(service)[1]
    embedder.read.clear()
    service.edit(second, speaker="Ada", place="Lisbon")
    service.remember([Draft(TURNS[1], {"place": "Porto"}, external_id=TURNS[1])])
    after = stored(service)[1]
    assert embedder.read == [Passage(TURNS[1])], "a batch reads every text; nothing is stored of it here"
    assert after == (before[0], before[1] * 3, *before[2:])
    assert_fed_equals_loaded(service)


def test_a_supplied_vector_stays_when_somebody_else_said_it(service: Service) -> None:
    vector = np.ones(64, np.float32)
    made = service.remember([Draft(TURNS[0], {"session_id": "s1"}, external_id=TURNS[0], vector=vector)])
    before = stored(service)[0]
    service.edit(UUID(made["items"][0]["id"]), speaker="Ada")
    assert stored(service)[0] == (before[0], before[1] * 2, None, None)
    assert_fed_equals_loaded(service)


def test_an_edit_by_external_id_does_the_same(service: Service, embedder: Watched) -> None:
    say(service, *TURNS[:3])
    embedder.read.clear()
    drafts = [Draft(text, {"session_id": "s1"}, external_id=name) for text, name in (("Shall we go?", TURNS[0]),)]
    service.remember(drafts)
    assert embedder.read == [Passage("Shall we go?"), Passage(TURNS[1], "Shall we go?")]
    say(service, "Shall we go?", *TURNS[1:3], path=OTHER)
    assert [row[1:3] for row in stored(service)[1:]] == [row[1:3] for row in stored(service, OTHER)[1:]]
    assert_fed_equals_loaded(service)


def test_writing_the_same_again_reads_nothing_again(service: Service, embedder: Watched) -> None:
    say(service, *TURNS)
    before, head = stored(service), service.remember([Draft(TURNS[0], {"session_id": "s1"}, external_id=TURNS[0])])
    say(service, *TURNS)
    assert stored(service) == before
    assert head["seq"] == len(TURNS)


def test_an_edit_of_a_turn_in_the_middle_reads_it_after_the_one_before(service: Service, embedder: Watched) -> None:
    ids = say(service, *TURNS)
    embedder.read.clear()
    service.edit(ids[2], "Then I bring nothing.")
    assert embedder.befores() == {"Then I bring nothing.": TURNS[1], TURNS[3]: "Then I bring nothing."}


def test_metadata_and_forgetting_read_nothing(service: Service, embedder: Watched) -> None:
    ids = say(service, *TURNS)
    embedder.read.clear()
    service.edit(ids[0], importance=0.9)
    service.forget(ids[0])
    service.restore(ids[0])
    assert embedder.read == []


def test_a_refused_turn_is_nobodys_context(service: Service, embedder: Watched) -> None:
    first, second = (Draft(text, {"session_id": "s1"}, external_id="same") for text in TURNS[:2])
    third = Draft(TURNS[2], {"session_id": "s1"}, external_id="other")
    items = service.remember([first, second, third])["items"]
    assert [item["status"] for item in items] == [201, 422, 201]
    assert embedder.befores()[TURNS[2]] == TURNS[0]
    say(service, "user", path=OTHER)
    assert [row[3] for row in stored(service)] == [None, "same"]


def test_a_context_that_is_erased_while_the_model_reads_is_no_context(service: Service, embedder: Watched) -> None:
    (first,) = say(service, TURNS[0])
    embedder.meanwhile = lambda: service.erase(first)
    say(service, TURNS[1])
    say(service, TURNS[1], path=OTHER)
    assert stored(service) == stored(service, OTHER)


def test_a_reader_that_comes_while_its_context_is_being_erased_is_read_again(
    service: Service, embedder: Watched
) -> None:
    first, _ = say(service, *TURNS[:2])
    embedder.meanwhile = lambda: say(service, TURNS[2])
    service.erase(first)
    say(service, *TURNS[1:3], path=OTHER)
    assert stored(service) == stored(service, OTHER)
    assert_fed_equals_loaded(service)


def test_an_erasure_that_never_comes_to_rest_is_refused(service: Service, embedder: Watched) -> None:
    first, second = say(service, *TURNS[:2])
    numbers = iter(range(100))

    def again() -> None:
        service.edit(second, f"Yes, number {next(numbers)}!")
        embedder.meanwhile = again

    embedder.meanwhile = again
    with pytest.raises(Conflict):
        service.erase(first)
    embedder.meanwhile = None
    service.erase(first)
    with service.look() as connection:
        assert set(connection.execute(select(TOKEN_EMBEDDING.c.context_id)).scalars()) == {None}


def test_an_edit_that_stands_twice_in_a_call_counts_once(service: Service, embedder: Watched) -> None:
    say(service, *TURNS[:2])
    twice = [Draft(text, {"session_id": "s1"}, external_id=TURNS[0]) for text in ("Shall we go?", "Shall we stay?")]
    embedder.read.clear()
    assert [item["status"] for item in service.remember(twice)["items"]] == [200, 422]
    assert embedder.befores()[TURNS[1]] == "Shall we go?"
    assert_fed_equals_loaded(service)


def test_many_writers_of_one_conversation_leave_nothing_of_what_is_erased(service: Service) -> None:
    ids = [r for part in at_once([lambda n=n: say(service, f"turn number{n}") for n in range(8)]) for r in part]
    assert_fed_equals_loaded(service)
    for memory_id in ids[:4]:
        service.erase(memory_id)
    with service.look() as connection:
        assert set(connection.execute(select(TOKEN_EMBEDDING.c.context_id)).scalars()) <= {None, *ids[4:]}
    assert_fed_equals_loaded(service)
