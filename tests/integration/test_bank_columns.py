"""What the database knows of a memory stands in its bank: texts, times, places, links, conversations, outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import select

from gpu.bank.bank import Bank
from gpu.bank.filters import ScanFilter
from gpu.bank.namespace import NamespaceBank
from gpu.bank.records import Relation as Code
from memsvc.index.keeper import Keeper
from memsvc.index.loader import load_namespace
from memsvc.memories import repository
from memsvc.memories.draft import Draft, Encoding, LinkDraft, Vectors
from memsvc.memories.ledger import Ledger
from memsvc.memories.sequence import sequence_of
from memsvc.models import Relation
from memsvc.models.tables import CHANGE, EMBEDDING, TOKEN_EMBEDDING
from memsvc.namespaces import repository as namespaces
from memsvc.namespaces.repository import NamespaceRow
from retrieval.analysis.folding import folded_text
from retrieval.analysis.places import place_id
from tests.fixtures.storage_service import PATH, Service, service_on

EVERYTHING = ScanFilter(states=frozenset())


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    with service_on(database_url, tmp_path) as made:
        yield made


def namespace_of(service: Service) -> NamespaceRow:
    with service.look() as connection:
        found = namespaces.find(connection, service.tenant_id, PATH)
    assert found is not None
    return found


def banks(service: Service) -> list[NamespaceBank]:
    """The bank that was fed write by write, and one loaded whole."""
    keeper = Keeper(service.container.database, Bank())
    keeper.load_all()
    key = namespace_of(service).key
    return [service.container.keeper.bank.namespace(key), keeper.bank.namespace(key)]


def held(bank: NamespaceBank, memory_id: UUID) -> dict[str, Any]:
    """What a bank holds of one memory."""
    with bank.view(EVERYTHING) as view:
        slot = view.slots_of(np.frombuffer(memory_id.bytes, np.uint8)[None])
        links = view.ranges("links", slot)[0]
        return {
            "text": view.ranges("texts", slot)[0]["bytes"].tobytes().decode(),
            "spans": view.ranges("spans", slot)[0]["bounds"].tolist(),
            "places": set(view.ranges("places", slot)[0]["ids"].tolist()),
            "links": sorted(
                (Code(code), UUID(bytes=bytes(target)))
                for code, target in zip(links["relations"], links["targets"], strict=True)
            ),
            "tokens": view.ranges("tokens", slot)[0]["codes"].tolist(),
            "sequence": int(view.column("sequences", slot).astype(np.uint64)[0]),
            "outcome": float(view.column("outcomes", slot).astype(np.float32)[0]),
        }


def said(service: Service, memory_id: UUID) -> dict[str, Any]:
    """The same from both banks, which must agree with the database."""
    assert service.differences() == 0
    fed, loaded = (held(bank, memory_id) for bank in banks(service))
    assert str(fed) == str(loaded)
    return fed


def test_the_columns_of_a_memory(service: Service) -> None:
    text = "Ｗe met   in LISBON on 3 May 2025"
    memory = service.add(text, session_id="s1", place="Lisbon, Portugal", outcome="partial")
    found = said(service, memory)
    sequence = sequence_of("s1", {})
    assert sequence is not None
    assert found["sequence"] == sequence % 2**64
    assert found["text"] == folded_text(text) == "we met in lisbon on 3 may 2025"
    assert found["outcome"] == 0.5
    day = 86_400_000_000
    assert [[start // day, end // day] for start, end in found["spans"]] == [[20_211, 20_212]]
    assert place_id("Lisbon") in found["places"]


@pytest.mark.parametrize(
    ("outcome", "value"), [("success", 1.0), ("failure", 0.0), ("unknown", np.nan), (None, np.nan)]
)
def test_outcomes(service: Service, outcome: str | None, value: float) -> None:
    np.testing.assert_equal(said(service, service.add("baked bread", outcome=outcome))["outcome"], value)


def test_an_edit_moves_a_memory_to_another_conversation_and_keeps_its_text(service: Service) -> None:
    memory = service.add("hello there", session_id="s1")
    service.edit(memory, metadata={"a": 1})
    service.edit(memory, session_id=None, metadata={"thread_id": 7})
    sequence = sequence_of(None, {"thread_id": 7})
    assert sequence is not None
    assert said(service, memory)["sequence"] == sequence % 2**64
    assert said(service, memory)["text"] == "hello there"


def test_a_link_that_comes_later_reaches_the_bank(service: Service) -> None:
    """It makes no version, but a place in the log; and only the first time."""
    first = service.add("the cause")
    made = service.remember([Draft("the effect", external_id="e")])
    effect = UUID(made["items"][0]["id"])
    assert said(service, effect)["links"] == []
    linked = Draft("the effect", external_id="e", links=(LinkDraft(Relation.DERIVED_FROM, first),))
    for _ in range(2):
        again = service.remember([linked])
        assert again["items"][0]["version"] == 1
        assert again["seq"] == made["seq"] + 1
        assert said(service, effect)["links"] == [(Code.DERIVED_FROM, first)]
    service.edit(effect, "the effect of it")
    assert said(service, effect)["links"] == [(Code.DERIVED_FROM, first)]


def test_a_link_to_an_erased_memory_is_gone(service: Service) -> None:
    gone, stays = service.add("one"), service.add("two")
    links = tuple(LinkDraft(Relation.SAME_AS, target) for target in (gone, stays))
    memory = UUID(service.remember([Draft("three", links=links)])["items"][0]["id"])
    service.edit(memory, "four")
    service.erase(gone)
    assert said(service, memory)["links"] == [(Code.SAME_AS, stays)]


def test_turns_follow_one_another(service: Service) -> None:
    outcome = service.remember(
        [Draft(f"turn {n}", {"session_id": "s"}, follows=n - 1 if n else None) for n in range(3)]
    )
    turns = [UUID(item["id"]) for item in outcome["items"]]
    assert said(service, turns[0])["links"] == []
    assert said(service, turns[2])["links"] == [(Code.FOLLOWS, turns[1])]
    for bank in banks(service):
        with bank.view(EVERYTHING) as view:
            assert [UUID(bytes=bytes(i)) for i in view.memory_id(view.sequence_order())] == turns


def test_the_last_of_a_conversation(service: Service) -> None:
    turns = [service.add(f"turn {n}", session_id="s") for n in range(4)]
    service.add("elsewhere", session_id="t")
    key, sequence = namespace_of(service).key, sequence_of("s", {})
    assert sequence is not None
    now = service.container.clock.now()
    with service.look() as connection:
        last = repository.last_of_sequence(connection, *key, sequence, now=now)
        earlier = repository.last_of_sequence(connection, *key, sequence, turns[3], now=now)
        assert last == (turns[3], "turn 3")
        assert earlier == (turns[2], "turn 2")
        assert repository.last_of_sequence(connection, *key, sequence, turns[0], now=now) is None
        assert repository.last_of_sequence(connection, *key, sequence + 1, now=now) is None
    service.forget(turns[2])
    with service.look() as connection:
        earlier = repository.last_of_sequence(connection, *key, sequence, turns[3], now=now)
    assert earlier == (turns[1], "turn 1")


def test_other_vectors_take_the_place_of_the_old_ones_in_every_version(service: Service) -> None:
    memory = service.add("the same text")
    service.edit(memory, tags=["a"])
    before = service.container.clock.now()
    service.edit(memory, tags=["b"])
    namespace = namespace_of(service)
    dim = service.container.keeper.bank.namespace(namespace.key).dim
    vectors = np.zeros((2, dim), np.float16)
    vectors[0, 0] = vectors[1, 1] = 1
    codes = np.arange(3 * (dim // 4), dtype=np.uint8).reshape(3, -1)

    def change(connection: Any) -> int:
        locked = namespaces.get(connection, *namespace.key, lock=True)
        assert locked is not None
        ledger = Ledger(connection, locked, service.container.clock.now(), "test")
        ledger.reencode(memory, 1, Encoding({locked.space_id: Vectors(vectors, codes)}))
        return ledger.flush()

    seq = service.meddle(change)
    service.container.keeper.catch_up(namespace.key, seq)
    assert said(service, memory)["tokens"] == codes.tolist()
    us = int(before.timestamp() * 1_000_000)
    for bank in banks(service):
        with bank.view(ScanFilter(as_of_us=us)) as view:
            slot = view.slots_of(np.frombuffer(memory.bytes, np.uint8)[None])
            assert view.version(int(slot[0])) == 2
            assert view.ranges("vectors", slot)[0]["vectors"].tolist() == vectors.tolist()
    service.erase(memory)
    assert service.differences() == 0
    with service.look() as connection:
        assert connection.execute(select(TOKEN_EMBEDDING.c.version)).all() == []
        assert connection.execute(select(EMBEDDING.c.version)).all() == []
        assert set(connection.execute(select(CHANGE.c.memory_id)).scalars()) == {None, memory}


def test_a_text_stands_behind_its_speaker(service: Service) -> None:
    memory = service.add("I painted a horse", speaker="Melanie")
    assert said(service, memory)["text"] == "melanie: i painted a horse"
    assert said(service, service.add("Melanie: I painted", speaker="Melanie"))["text"] == "melanie: i painted"


@pytest.mark.parametrize(
    "column", ["texts", "spans", "place_ids", "link_targets", "term_ids", "sequences", "speakers", "outcomes"]
)
def test_verify_finds_what_was_changed(service: Service, column: str) -> None:
    first = service.add("the cause")
    draft = Draft(
        "in Lisbon on 3 May 2025 we danced",
        {"session_id": "s", "place": "Lisbon", "outcome": "success"},
        links=(LinkDraft(Relation.SAME_AS, first),),
    )
    service.remember([draft])
    namespace = namespace_of(service)
    bank = service.container.keeper.bank.namespace(namespace.key)
    with service.look() as connection:
        (batch,) = load_namespace(connection, namespace, bank.dim)
    assert service.differences() == 0
    values = getattr(batch, column).copy()
    values.reshape(-1)[-1] += 1
    columns = {name: getattr(batch, name) for name in batch.__slots__} | {column: values}
    bank.put(type(batch)(**columns))
    (verdict,) = service.container.keeper.verify()
    assert (verdict.missing, verdict.unexpected) == (1, 1)
