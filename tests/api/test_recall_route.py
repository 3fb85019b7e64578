"""POST /v1/recall: what is found, when, within which bounds, and with what missing."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.embedders.batching import BatchingEmbedder
from retrieval.embedders.hashing import HashingEmbedder
from retrieval.errors import EmbedderUnavailableError
from retrieval.types import EmbeddingSpace
from tests.fixtures.extent import rounds
from tests.fixtures.service import DIM, Caller, assert_problem, serving, timeless


def test_answer_has_the_stated_form(ada: Caller) -> None:
    ada.remember("tea is brewed at 80 degrees", external_id="D1:3")

    answer = ada.recall("how hot is tea", explain=True)

    assert set(answer) == {
        *("id", "hits", "confidence", "nothing_relevant", "seq", "degraded", "took_ms", "explanation")
    }
    (hit,) = answer["hits"]
    assert hit["rank"] == 1
    assert hit["memory"]["external_id"] == "D1:3"
    assert set(hit["channels"]) >= {"semantic", "keyword"}
    assert (answer["seq"], answer["degraded"]) == (1, [])
    assert "explanation" not in ada.recall("tea")


def test_unknown_namespace_is_an_empty_one(ada: Caller) -> None:
    answer = ada.recall("anything")

    assert (answer["hits"], answer["seq"], answer["degraded"]) == ([], 0, [])
    assert answer["nothing_relevant"] is True
    assert ada.ask("GET", "/v1/namespaces").json()["items"] == []


def test_every_write_is_found_by_the_next_recall(shared: Any) -> None:
    caller = shared.tenant("pairs")
    for i in range(rounds(60, 1_000)):
        caller.remember(f"note{i} says thing{i * 7}")
        assert caller.found(f"note{i}", top_k=1) == [f"note{i} says thing{i * 7}"]


def test_write_is_found_while_others_write(ada: Caller) -> None:
    def write(i: int) -> tuple[str, str, dict[str, Any]]:
        body = {"namespace": ada.namespace, "content": f"note{i} by someone"}
        return ("POST", "/v1/memories", {"json": body, "headers": ada.headers})

    answers = ada.service.ask_all([write(i) for i in range(40)])

    assert {a.status_code for a in answers} == {201}
    for i in range(40):
        assert ada.found(f"note{i}", top_k=1) == [f"note{i} by someone"]


def test_same_question_gets_the_same_ranking(ada: Caller) -> None:
    for i in range(30):
        ada.remember(f"the same words here {i % 3}")

    first = ada.recall("same words", top_k=30)["hits"]

    assert [h["rank"] for h in first] == list(range(1, 31))
    assert timeless(ada.recall("same words", top_k=30)["hits"]) == timeless(first)
    assert [h["memory"]["id"] for h in ada.recall("same words", top_k=5)["hits"]] == [
        h["memory"]["id"] for h in first[:5]
    ]


def test_kinds_narrow_the_search(ada: Caller) -> None:
    for kind in ("episodic", "semantic", "procedural"):
        ada.remember(f"kettle {kind}", kind=kind)

    assert set(ada.found("kettle", kinds=["episodic", "semantic"])) == {"kettle episodic", "kettle semantic"}
    assert ada.found("kettle", kinds=["episodic"], filter={"kind": "semantic"}) == []


def test_as_of_answers_from_what_was_known_then(ada: Caller) -> None:
    clock = ada.service.clock
    begin = clock.now()
    clock.move(seconds=10)
    memory = ada.remember("the lamp is red", place="hall")
    lost = ada.remember("the lamp was a gift")
    before_edit = clock.now()
    clock.move(seconds=10)
    ada.edit(memory["id"], content="the lamp is green", place="attic")
    before_forget = clock.now()
    clock.move(seconds=10)
    ada.forget(lost["id"])
    clock.move(seconds=10)

    assert ada.found("lamp", as_of=begin.isoformat()) == []
    assert set(ada.found("lamp", as_of=before_edit.isoformat())) == {"the lamp is red", "the lamp was a gift"}
    assert set(ada.found("lamp", as_of=before_forget.isoformat())) == {"the lamp is green", "the lamp was a gift"}
    assert ada.found("lamp") == ["the lamp is green"]
    assert ada.found("lamp", as_of=before_edit.isoformat(), filter={"place": "hall"}) == ["the lamp is red"]
    assert ada.found("lamp", as_of=before_forget.isoformat(), filter={"place": "hall"}) == []
    (old,) = ada.recall("lamp", as_of=before_edit.isoformat(), filter={"place": "hall"})["hits"]
    assert (old["memory"]["version"], old["memory"]["place"]) == (1, "hall")
    assert_problem(_ask(ada, as_of=clock.now().replace(year=2999).isoformat()), 422, "invalid_input")


def test_as_of_sees_what_had_not_expired_then(ada: Caller) -> None:
    ada.remember("the code is 1234", ttl_s=3600)
    then = ada.service.clock.now()
    ada.service.clock.move(hours=2)

    assert ada.found("code") == []
    assert ada.found("code", as_of=then.isoformat()) == ["the code is 1234"]


def test_valid_at_asks_for_what_was_true_in_the_world(ada: Caller) -> None:
    ada.remember("lives in Turin", valid_from="2020-01-01T00:00:00Z", valid_to="2024-01-01T00:00:00Z")
    ada.remember("lives in Milan", valid_from="2024-01-01T00:00:00Z")
    ada.remember("lives quietly")

    assert set(ada.found("lives", valid_at="2022-06-01T00:00:00Z")) == {"lives in Turin", "lives quietly"}
    assert set(ada.found("lives", valid_at="2024-01-01T00:00:00Z")) == {"lives in Milan", "lives quietly"}
    assert set(ada.found("lives", valid_at="2019-01-01T00:00:00Z")) == {"lives quietly"}
    assert len(ada.found("lives")) == 3


def test_asked_at_may_be_any_time(ada: Caller) -> None:
    ada.remember("met Bob", occurred_at="2026-01-31T09:00:00Z")

    for moment in ("1999-01-01T00:00:00Z", "2026-02-01T00:00:00+14:00", "9999-12-31T23:59:59Z"):
        assert ada.found("Bob", asked_at=moment) == ["met Bob"]


def test_token_budget_bounds_the_contents(ada: Caller) -> None:
    for i in range(10):
        ada.remember(f"kettle {i} " + "x" * 90)  # 100 bytes: 25 tokens each

    for budget, count in ((1, 0), (24, 0), (25, 1), (99, 3), (1_000_000, 10)):
        assert len(ada.found("kettle", token_budget=budget)) == count


def test_min_seq_beyond_the_head_is_refused(ada: Caller) -> None:
    ada.remember("x y z")

    assert ada.found("y", min_seq=1) == ["x y z"]
    assert_problem(_ask(ada, min_seq=2), 422, "invalid_input")


def test_long_content_is_found_by_its_end_and_once(ada: Caller) -> None:
    words = [f"word{i}" for i in range(3000)]
    ada.remember(" ".join([*words, "zebra crossing at midnight"]), external_id="long")
    for i in range(5):
        ada.remember(f"word{i} short")

    hits = ada.recall("zebra crossing at midnight", top_k=20)["hits"]

    assert hits[0]["memory"]["external_id"] == "long"
    assert hits[0]["channels"]["semantic"]["rank"] == 1
    assert [h["memory"]["external_id"] for h in hits].count("long") == 1


def test_top_k_beyond_what_there_is_gives_all(ada: Caller) -> None:
    ada.remember("kettle one")
    ada.remember("kettle two")

    assert len(ada.found("kettle", top_k=200)) == 2
    assert_problem(_ask(ada, top_k=201), 422, "invalid_input")


@pytest.mark.parametrize(
    "query", ['" * NEAR( OR AND -^:', "%_'; drop table memory;--", "the of and", "((((", "😀", "\u0301"]
)
def test_any_text_is_a_question(ada: Caller, query: str) -> None:
    ada.remember("a kettle")

    assert ada.recall(query)["degraded"] == []


class Stub:
    """The hashing embedder, which can be told to fail or to take its time."""

    def __init__(self) -> None:
        self.inner = HashingEmbedder(DIM)
        self.fails = False
        self.slow = threading.Event()

    @property
    def space(self) -> EmbeddingSpace:
        return self.inner.space

    def embed_documents(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        if self.fails:
            raise EmbedderUnavailableError("gone")
        return self.inner.embed_documents(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        if self.fails:
            raise EmbedderUnavailableError("gone")
        if self.slow.is_set():
            time.sleep(5.0)
        return self.inner.embed_query(text)


def test_without_its_embedder_the_service_recalls_and_stores_what_is_found_by_its_words(
    database_url: str, tmp_path: Path
) -> None:
    stub = Stub()
    with serving(tmp_path, database_url, embedder=BatchingEmbedder(stub)) as service:
        ada = service.tenant()
        memory = ada.remember("the red kettle")
        stub.fails = True

        answer = ada.recall("kettle")
        written = ada.write("the vermilion teapot", headers={"idempotency-key": "k"})
        again = ada.write("the vermilion teapot", headers={"idempotency-key": "k"})
        edited = ada.edit(memory["id"], content="the crimson kettle")
        batch = ada.ask("POST", "/v1/memories:batch", json={"namespace": ada.namespace, "memories": [{"content": "x"}]})
        turns = {"namespace": ada.namespace, "session_id": "s", "turns": [{"content": "shall we"}]}
        conversation = ada.ask("POST", "/v1/conversations", json=turns)

        assert [h["memory"]["content"] for h in answer["hits"]] == ["the red kettle"]
        assert answer["degraded"] == ["semantic"]
        assert written.status_code == 201
        assert [one.json()["degraded"] for one in (written, again, edited)] == [["semantic"]] * 3
        assert again.json()["memory"]["id"] == written.json()["memory"]["id"]
        for many in (batch, conversation):
            assert many.json()["items"][0]["degraded"] == ["semantic"]
        assert ada.found("vermilion") == ["the vermilion teapot"]
        assert ada.found("crimson") == ["the crimson kettle"]
        assert "semantic" in ada.recall("crimson")["degraded"]
        assert ada.stats()["pending_embeddings"] == 4
        stub.fails = False
        until = time.monotonic() + 60
        while ada.stats()["pending_embeddings"] or service.container.backlog.waiting:
            assert time.monotonic() < until
            ada.write("something that the model reads")
            service.clock.move(seconds=2)
            time.sleep(0.1)
        assert ada.recall("crimson")["degraded"] == []
        assert ada.edit(memory["id"], place="hall").status_code == 200


def test_deadline_leaves_out_what_is_late(tmp_path: Path) -> None:
    stub = Stub()
    with serving(tmp_path, embedder=BatchingEmbedder(stub)) as service:
        ada = service.tenant()
        ada.remember("the red kettle")
        stub.slow.set()

        begun = time.perf_counter()
        answer = ada.recall("kettle", deadline_ms=1)

        assert "semantic" in answer["degraded"]
        assert time.perf_counter() - begun < 4.0  # the embedder takes five seconds
        stub.slow.clear()
        assert ada.recall("another kettle", deadline_ms=60_000)["degraded"] == []


def test_below_the_confidence_asked_for_there_is_nothing_relevant(ada: Caller) -> None:
    ada.remember("the red kettle whistles")
    sure = ada.recall("the red kettle")["confidence"]

    enough, too_little = ada.recall("the red kettle", min_confidence=sure), ada.recall("kettle", min_confidence=1.0)

    assert (len(enough["hits"]), enough["nothing_relevant"]) == (1, False)
    assert (too_little["hits"], too_little["nothing_relevant"]) == ([], True)
    assert 0 < too_little["confidence"] < 1
    assert ada.recall("kettle", min_confidence=0.0)["nothing_relevant"] is False


def _ask(caller: Caller, **fields: Any) -> Any:
    return caller.ask("POST", "/v1/recall", json={"namespace": caller.namespace, "query": "lamp", **fields})


def test_what_was_told_later_of_the_same_goes_first(ada: Caller) -> None:
    later, earlier = "The office of the company is in Oslo now.", "The office of the company is in Bergen."
    ada.remember(later, kind="semantic", occurred_at="2026-01-02T00:00:00Z")
    ada.remember(earlier, kind="semantic", occurred_at="2026-01-01T00:00:00Z")
    ada.remember("Tea is brewed at 80 degrees.", kind="semantic")
    asked = "Is the office in bergen?"

    for bound, first in ((20.0, later), (0.0, earlier)):
        body = {"namespace": ada.namespace, "policy": {"later_first": bound}, "schedules": {}}
        assert ada.ask("PUT", "/v1/policy", json=body).status_code == 200
        assert ada.found(asked)[0] == first
        assert ada.found("Was the office in bergen before?")[0] == earlier
        assert ada.found(asked, valid_at="2026-01-03T00:00:00Z")[0] == earlier
        scores = [hit["score"] for hit in ada.recall(asked)["hits"]]
        assert scores == sorted(scores, reverse=True)


def test_what_happened_is_not_told_again(ada: Caller) -> None:
    later, earlier = "The office was moved to Oslo.", "The office was moved to Bergen."
    ada.remember(later, kind="episodic", occurred_at="2026-01-02T00:00:00Z")
    ada.remember(earlier, kind="episodic", occurred_at="2026-01-01T00:00:00Z")

    assert ada.found("Was the office moved to bergen?") == [earlier, later]


def test_an_explained_recall_says_what_each_channel_added(ada: Caller) -> None:
    for text in ("Ada drinks green tea.", "It rained in Bergen.", "The tea is cold."):
        ada.remember(text)
    (best, *_) = ada.recall("green tea", profile="fast", explain=True)["hits"]
    added = [one["contribution"] for one in best["channels"].values() if "contribution" in one]
    assert best["channels"]["keyword"]["contribution"] > 0
    assert sum(added) == pytest.approx(best["score"], abs=1e-3)
    plain = ada.recall("green tea", profile="fast")["hits"]
    assert all(set(one) == {"rank", "score"} for hit in plain for one in hit["channels"].values())
