"""Erased means gone: from every answer, and from the bytes of the database file."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import select

from memsvc.models.tables import CHANGE, EMBEDDING, FEEDBACK, IDEMPOTENCY, TOMBSTONE
from tests.fixtures.service import Caller, serving, without_request_id

CANARY = "canaryzq7f3a91"


def test_erased_memory_is_in_no_answer(ada: Caller) -> None:
    before = ada.service.clock.now()
    header = {"idempotency-key": "k"}
    made = ada.write(f"the {CANARY} umbrella", external_id=f"x-{CANARY}", headers=header)
    memory = made.json()["memory"]
    friend = ada.remember("a friend", links=[{"relation": "same_as", "memory_id": memory["id"]}])
    ada.edit(memory["id"], content=f"the {CANARY} parasol")
    past = ada.service.clock.now()
    ada.service.clock.move(seconds=5)

    erased = ada.erase(memory["id"])

    assert (erased.status_code, erased.content) == (204, b"")
    unknown = str(uuid4())
    for method, suffix, body in (
        ("GET", "", None), ("GET", "/history", None), ("GET", "/links", None), ("PATCH", "", {"content": "y"}),
        ("POST", ":forget", None), ("POST", ":restore", None), ("DELETE", "", None),
    ):  # fmt: skip
        given = {} if body is None else {"json": body}
        mine, other = (ada.ask(method, f"/v1/memories/{i}{suffix}", **given) for i in (memory["id"], unknown))
        assert without_request_id(mine) == without_request_id(other)
        assert mine.status_code == 404
    assert ada.listed(filter='{"state": {"exists": true}}') == ["a friend"]
    assert ada.links(friend["id"]) == set()
    for moment in (None, past.isoformat(), before.isoformat()):
        for state in (None, {"state": {"exists": True}}):
            found = ada.recall(f"{CANARY} umbrella parasol", as_of=moment, filter=state)
            assert memory["id"] not in str(found)
            assert CANARY not in str(found)
    replay = ada.write(f"the {CANARY} umbrella", external_id=f"x-{CANARY}", headers=header)
    assert replay.status_code == 201
    assert replay.json()["memory"] is None
    assert CANARY not in replay.text
    assert ada.listed() == ["a friend"]
    assert ada.stats()["memories"] == 1


def test_recall_after_erasing_equals_never_having_stored(ada: Caller) -> None:
    never = ada.service.tenant("never")
    texts = [f"the kettle number{i} is red" for i in range(20)]
    for text in texts:
        never.remember(text)
        ada.remember(text)
    gone = [ada.remember(f"kettle kettle number{i} once")["id"] for i in range(7)]
    for memory_id in gone:
        assert ada.erase(memory_id).status_code == 204

    def shape(caller: Caller) -> list[tuple[str, float]]:
        hits = caller.recall("the kettle number3", top_k=20)["hits"]
        return [(hit["memory"]["content"], hit["score"]) for hit in hits]

    assert shape(ada) == shape(never)


def test_erase_takes_a_forgotten_memory_too(ada: Caller) -> None:
    memory = ada.remember("x")
    ada.forget(memory["id"])

    assert ada.erase(memory["id"]).status_code == 204
    assert ada.restore(memory["id"]).status_code == 404


def test_repeat_of_an_erasure_with_its_key_is_a_success(ada: Caller) -> None:
    memory = ada.remember("x")
    path = f"/v1/memories/{memory['id']}"

    answers = [ada.ask("DELETE", path, headers={"idempotency-key": "k"}) for _ in range(2)]

    assert [a.status_code for a in answers] == [204, 204]
    assert ada.erase(memory["id"]).status_code == 404


def test_erase_leaves_no_row_that_names_the_memory(ada: Caller) -> None:
    memory = ada.write("x", external_id=CANARY, headers={"idempotency-key": "k"}).json()["memory"]
    batch = {"namespace": ada.namespace, "memories": [{"content": "x", "external_id": CANARY, "place": "here"}]}
    ada.ask("POST", "/v1/memories:batch", json=batch, headers={"idempotency-key": "b"})
    verdict = {"memories": [{"id": memory["id"], "verdict": "useful"}]}
    told = ada.ask("POST", f"/v1/recall/{ada.recall('x')['id']}/feedback", json=verdict)
    assert told.json() == {"recorded": 1}
    ada.erase(memory["id"])

    with ada.service.look() as connection:
        assert UUID(memory["id"]) not in connection.execute(select(CHANGE.c.memory_id)).scalars().all()[:-1]
        for table in (EMBEDDING, FEEDBACK):
            assert connection.execute(select(table.c.memory_id)).all() == []
        assert len(connection.execute(select(TOMBSTONE)).all()) == 1
        kept = connection.execute(select(IDEMPOTENCY.c.outcome)).scalars().all()
    assert CANARY not in str(kept)


def test_bytes_of_an_erased_memory_are_not_in_the_file(tmp_path: Path) -> None:
    text = f"{CANARY} lives at the old mill {CANARY}"
    with serving(tmp_path) as service:
        ada = service.tenant()
        others = [ada.remember(f"other fact {i} " + "filler " * 30) for i in range(30)]
        fields = {
            "external_id": f"{CANARY}-e", "place": f"{CANARY}-p", "tags": [f"{CANARY}-t"], "speaker": f"{CANARY}-s",
            "metadata": {f"{CANARY}-k": f"{CANARY}-v"}, "source": {"url": f"{CANARY}-u"},
        }  # fmt: skip
        memory = ada.write(text, headers={"idempotency-key": "k"}, **fields).json()["memory"]
        ada.edit(memory["id"], content=text + " still")
        with service.look() as connection:
            stored = connection.execute(
                select(EMBEDDING.c.vector).where(EMBEDDING.c.memory_id == UUID(memory["id"]))
            ).scalars()
            vectors = [np.frombuffer(row, dtype="<f2").tobytes() for row in stored]
        assert len(vectors) == 2
        assert any(CANARY.encode() in data for data in _files(tmp_path))
        assert all(any(vector in data for data in _files(tmp_path)) for vector in vectors)

        assert ada.erase(memory["id"]).status_code == 204

        for data in _files(tmp_path):
            assert CANARY.encode() not in data
            assert not any(vector in data for vector in vectors)
        assert all(ada.get(other["id"]).status_code == 200 for other in others)


def _files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.iterdir() if path.name.startswith("memsvc.db")]
