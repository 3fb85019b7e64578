"""Every method sends what the API asks for and reads what it answers."""

from __future__ import annotations

import io
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from memsvc_client import ConnectionFailed, Forbidden, InvalidArgument, Memory, NotFound, UnexpectedAnswer
from tests.unit.client.conftest import Connect
from tests.unit.client.recorder import ANCHOR, ENTITY_ID, ID, KEY_ID, RECALL_ID, Answer, Recorder, memory, problem


def test_remember_sends_only_what_was_given_and_times_in_utc(connect: Connect, plausible_service: Recorder) -> None:
    oslo = timezone(timedelta(hours=1))
    written = connect(plausible_service.url).remember(
        "Ada prefers tea.",
        kind="semantic",
        occurred_at=datetime(2026, 1, 31, 10, tzinfo=oslo),
        tags=["tea"],
        place=None,
    )
    seen = plausible_service.last
    assert (seen.method, seen.path) == ("POST", "/v1/memories")
    assert seen.body == {
        "namespace": "user/ada",
        "content": "Ada prefers tea.",
        "kind": "semantic",
        "occurred_at": "2026-01-31T09:00:00Z",
        "tags": ["tea"],
    }
    assert seen.headers["content-type"] == "application/json"
    assert uuid.UUID(seen.headers["idempotency-key"])
    assert (written.memory.id, written.seq, written.created) == (ID, 7, True)


def test_an_edit_through_an_external_id_is_not_called_created(connect: Connect, service: Recorder) -> None:
    service.will(Answer(200, {"memory": memory(version=2), "seq": 8}))
    assert connect(service.url).remember("x", external_id="a").created is False


def test_own_idempotency_key_is_used(connect: Connect, plausible_service: Recorder) -> None:
    connect(plausible_service.url).remember("x", idempotency_key="mine")
    assert plausible_service.last.headers["idempotency-key"] == "mine"


def test_recall_has_the_shape_of_the_api(connect: Connect, plausible_service: Recorder) -> None:
    now = datetime(2026, 2, 1, tzinfo=UTC)
    answer = connect(plausible_service.url).recall(
        "tea?", namespace="user/bob", top_k=3, kinds=["semantic"], filter={"tags": {"contains": "tea"}}, asked_at=now
    )
    assert plausible_service.last.body == {
        "namespace": "user/bob",
        "query": "tea?",
        "top_k": 3,
        "kinds": ["semantic"],
        "filter": {"tags": {"contains": "tea"}},
        "asked_at": "2026-02-01T00:00:00Z",
    }
    assert "idempotency-key" not in plausible_service.last.headers
    (hit,) = answer.hits
    assert (hit.rank, hit.memory.content, hit.channels["semantic"].rank) == (1, "Ada prefers tea.", 2)
    assert answer.confidence == 0.93


def test_several_namespaces_are_asked_in_place_of_the_own_one(connect: Connect, plausible_service: Recorder) -> None:
    client = connect(plausible_service.url)
    client.recall("tea?", namespaces=["a", "b"], min_confidence=0.5)
    assert plausible_service.last.body == {"query": "tea?", "namespaces": ["a", "b"], "min_confidence": 0.5}
    client.recall("tea?", namespace_prefix="")
    assert plausible_service.last.body == {"query": "tea?", "namespace_prefix": ""}


def test_context_has_the_shape_of_the_api(connect: Connect, plausible_service: Recorder) -> None:
    answer = connect(plausible_service.url).context("tea?", token_budget=800, order="relevance", previous=[ID])
    assert plausible_service.last.path == "/v1/context"
    assert plausible_service.last.body == {
        "namespace": "user/ada",
        "query": "tea?",
        "token_budget": 800,
        "order": "relevance",
        "previous": [ID],
    }
    assert answer.context.endswith("[k3f9q] (2026-02-01) Ada prefers tea.")
    assert [(citation.label, citation.memory_id) for citation in answer.citations] == [("k3f9q", ID)]
    assert (answer.id, answer.used_tokens, answer.objective.bound) == (RECALL_ID, 15, 1.0)


def test_feedback_on_a_recall(connect: Connect, plausible_service: Recorder) -> None:
    client = connect(plausible_service.url)
    recall_id = client.recall("tea?").id
    assert client.feedback(recall_id, used=[ID], wrong=["b"]) == 2
    assert plausible_service.last.path == f"/v1/recall/{RECALL_ID}/feedback"
    assert plausible_service.last.body == {"memories": [{"id": ID, "verdict": "used"}, {"id": "b", "verdict": "wrong"}]}
    assert client.fusion().factors == {"keyword": 1.5}
    assert client.reset_fusion(namespace="team").rounds == 0
    assert plausible_service.last.body == {"namespace": "team"}


def test_edit_is_a_merge_patch_with_a_precondition(connect: Connect, plausible_service: Recorder) -> None:
    written = connect(plausible_service.url).edit(ID, if_version=1, content="new", place=None)
    seen = plausible_service.last
    assert (seen.method, seen.body) == ("PATCH", {"content": "new", "place": None})
    assert seen.headers["if-match"] == '"1"'
    assert "idempotency-key" in seen.headers
    assert written.memory.version == 2


@pytest.mark.parametrize(("verb", "state"), [("forget", "forgotten"), ("restore", "active"), ("unmerge", "active")])
def test_forget_and_restore(connect: Connect, plausible_service: Recorder, verb: str, state: str) -> None:
    written = getattr(connect(plausible_service.url), verb)(ID)
    assert plausible_service.last.path == f"/v1/memories/{ID}:{verb}"
    assert written.memory.state == state


def test_what_is_due_and_how_it_went(connect: Connect, plausible_service: Recorder) -> None:
    client = connect(plausible_service.url)
    assert [one.memory.id for one in client.due(horizon_s=60)] == [ID]
    assert plausible_service.last.query == {"namespace": "user/ada", "horizon_s": "60", "limit": "100"}
    assert client.rehearsed(ID, "remembered").rehearsals == 1
    assert plausible_service.last.body == {"outcome": "remembered"}
    assert "idempotency-key" in plausible_service.last.headers


def test_the_change_log(connect: Connect, plausible_service: Recorder) -> None:
    client = connect(plausible_service.url)
    moment = datetime(2026, 1, 31, 9, tzinfo=UTC)
    assert [one.memory_id for one in client.changes(after=3, since=moment, until="2026-02-01T00:00:00Z")] == [ID]
    assert plausible_service.last.query == {
        "namespace": "user/ada", "after": "3", "since": "2026-01-31T09:00:00Z", "until": "2026-02-01T00:00:00Z",
        "limit": "100",
    }  # fmt: skip


def test_who_is_mentioned_and_with_whom(connect: Connect, plausible_service: Recorder) -> None:
    client = connect(plausible_service.url)
    assert [one.name for one in client.entities()] == ["Ada", "Bo"]
    assert client.entity(ENTITY_ID).aliases[0].memories == 3
    graph = client.entity_graph(ENTITY_ID, limit=5)
    assert plausible_service.last.query == {"namespace": "user/ada", "limit": "5"}
    assert [one.name for one in graph.entities] == ["Ada", "Bo"]
    assert graph.links[0].memory_ids == (ID,)
    with pytest.raises(InvalidArgument):
        client.entity("")


def test_holds(connect: Connect, plausible_service: Recorder) -> None:
    client = connect(plausible_service.url)
    assert client.hold(ID, "case 17").released_at is None
    assert plausible_service.last.body == {"reason": "case 17"}
    assert client.release(ID, "closed").released_at is not None
    assert [one.held_by for one in client.holds(ID)] == ["ada"]


def test_reads_of_one_memory(connect: Connect, plausible_service: Recorder) -> None:
    client = connect(plausible_service.url)
    assert client.get(ID).metadata == {"city": "Oslo"}
    assert [v.reason for v in client.history(ID)] == ["written"]
    assert [(link.relation, link.memory_id) for link in client.links(ID)] == [("follows", ID)]
    assert client.erase(ID) is None
    assert [seen.method for seen in plausible_service.seen] == ["GET", "GET", "GET", "DELETE"]


def test_facts_about_the_service(connect: Connect, plausible_service: Recorder) -> None:
    client = connect(plausible_service.url)
    assert client.version().version == "1.2.3"
    assert client.ready().ready is True
    assert client.stats().kinds == {"episodic": 3}
    assert plausible_service.last.query == {"namespace": "user/ada"}
    assert [n.namespace for n in client.namespaces(prefix="user/")] == ["user/ada"]
    assert plausible_service.last.query == {"prefix": "user/", "limit": "100"}


def test_a_namespace_as_one_file(connect: Connect, plausible_service: Recorder) -> None:
    client = connect(plausible_service.url)
    file = io.BytesIO()
    assert client.export(file) == len(b"an export")
    assert plausible_service.last.body == {"namespace": "user/ada"}
    assert file.getvalue() == b"an export"
    file.seek(3)
    assert client.import_(file, namespace="user/bo").memories == 3
    seen = plausible_service.last
    assert (seen.raw, seen.query) == (b"export", {"namespace": "user/bo"})
    assert (seen.headers["content-type"], seen.headers["content-length"]) == ("application/x-tar", "6")


def test_a_refused_export_leaves_the_file_empty(connect: Connect, plausible_service: Recorder) -> None:
    plausible_service.default = lambda seen: Answer(403, problem(403, "forbidden"))
    file = io.BytesIO()
    with pytest.raises(Forbidden):
        connect(plausible_service.url).export(file)
    assert file.getvalue() == b""


def test_keys(connect: Connect, plausible_service: Recorder) -> None:
    keys = connect(plausible_service.url).keys
    made = keys.create("ci", roles=["read"], namespaces=["user/**"], expires_at="2027-01-01T00:00:00Z")
    assert plausible_service.last.body == {
        "name": "ci",
        "roles": ["read"],
        "namespaces": ["user/**"],
        "expires_at": "2027-01-01T00:00:00Z",
    }
    assert made.secret == "msk_secret"
    assert "msk_secret" not in repr(made)
    assert [key.id for key in keys.list()] == [KEY_ID]
    keys.set_limits(KEY_ID, {"requests_per_s": 5.0, "tokens_per_day": None})
    assert plausible_service.last.path == f"/v1/keys/{KEY_ID}/limits"
    assert plausible_service.last.body == {"requests_per_s": 5.0, "tokens_per_day": None}
    assert keys.rotate(KEY_ID, overlap_s=60).secret == "msk_next"
    assert plausible_service.last.path == f"/v1/keys/{KEY_ID}:rotate"
    assert plausible_service.last.body == {"overlap_s": 60}
    keys.create("ci", roles=["read"], networks=["10.0.0.0/8"], trust="external")
    assert plausible_service.last.body["networks"] == ["10.0.0.0/8"]
    assert plausible_service.last.body["trust"] == "external"
    keys.revoke(KEY_ID)
    assert plausible_service.last.path == f"/v1/keys/{KEY_ID}"


def test_audit(connect: Connect, plausible_service: Recorder) -> None:
    audit = connect(plausible_service.url).audit
    (entry,) = audit.list(kind="key", since=datetime(2026, 1, 31, 9, tzinfo=UTC))
    assert plausible_service.last.query == {"kind": "key", "since": "2026-01-31T09:00:00Z"}
    assert audit.anchor().digest == entry.digest
    assert audit.verify(audit.anchor()).holds
    assert plausible_service.last.body == {"anchor": ANCHOR}
    assert audit.check(audit.anchor()).holds
    later = audit.anchor().model_copy(update={"seq": 2})
    assert audit.check(later).broken_seq == 2
    other = audit.anchor().model_copy(update={"digest": "0" * 64})
    assert audit.check(other).broken_seq == 1


def test_not_ready_is_an_answer_and_is_not_tried_again(connect: Connect, service: Recorder) -> None:
    service.will(Answer(503, {"ready": False, "checks": {"database": False}}))
    readiness = connect(service.url).ready()
    assert (readiness.ready, readiness.checks) == (False, {"database": False})
    assert len(service.seen) == 1


def test_key_and_address_come_from_the_environment(
    connect: Connect, plausible_service: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMSVC_URL", plausible_service.url + "/")
    monkeypatch.setenv("MEMSVC_API_KEY", "msk_env")
    connect().version()
    assert plausible_service.last.headers["authorization"] == "Bearer msk_env"
    connect(key="msk_arg").version()
    assert plausible_service.last.headers["authorization"] == "Bearer msk_arg"


def test_no_key_no_header(connect: Connect, plausible_service: Recorder) -> None:
    connect(plausible_service.url).version()
    assert "authorization" not in plausible_service.last.headers


def test_ids_cannot_leave_their_place_in_the_path(connect: Connect, service: Recorder) -> None:
    service.will(Answer(200, memory()))
    connect(service.url).get("../keys?x=1")
    assert service.last.path == "/v1/memories/..%2Fkeys%3Fx%3D1"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda c: c.remember("x", occurred_at=datetime(2026, 1, 1)),  # noqa: DTZ001 - the point of the test
        lambda c: c.remember("x", metadata={"a": float("nan")}),
        lambda c: c.remember("x", metadata={"a": object()}),
        lambda c: c.remember("\ud800"),
        lambda c: c.edit(ID),
        lambda c: c.remember("x", idempotency_key="é"),
        lambda c: c.get(""),
        lambda c: c.keys.revoke(""),
        lambda c: c.keys.set_limits("", {}),
        lambda c: c.feedback("", used=[ID]),
        lambda c: c.remember_many(["x"], batch_items=1001),
    ],
)
def test_what_cannot_be_sent_is_refused_here(connect: Connect, service: Recorder, wrong: Any) -> None:
    with pytest.raises(InvalidArgument):
        wrong(connect(service.url))
    assert service.seen == []


def test_a_namespace_is_needed(connect: Connect, service: Recorder) -> None:
    client = connect(service.url, namespace=None)
    for call in (client.list, client.stats, lambda: client.remember("x"), lambda: client.recall("x")):
        with pytest.raises(InvalidArgument, match="namespace"):
            call()


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://x", "http://", "http://[::1"])
def test_an_address_that_is_none(connect: Connect, url: str) -> None:
    with pytest.raises(InvalidArgument):
        connect(url)


def test_a_key_that_cannot_be_one_is_not_shown(connect: Connect) -> None:
    with pytest.raises(InvalidArgument) as caught:
        connect("http://127.0.0.1:1", "msk_\nsecret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>hello</html>", {"memories": 1}, b""])
def test_an_answer_of_another_service(connect: Connect, service: Recorder, body: Any) -> None:
    service.will(Answer(200, body))
    with pytest.raises(UnexpectedAnswer):
        connect(service.url).get(ID)


def test_answers_are_frozen(connect: Connect, plausible_service: Recorder) -> None:
    found: Memory = connect(plausible_service.url).get(ID)
    with pytest.raises(ValidationError):
        found.content = "changed"  # type: ignore[misc]


@pytest.mark.parametrize("body", [b"<html>", {"code": "unavailable"}, None])
def test_not_ready_whatever_the_page_says(connect: Connect, service: Recorder, body: Any) -> None:
    service.will(Answer(503, body))
    assert connect(service.url).ready().ready is False


def test_a_key_is_made_once_at_most(connect: Connect, service: Recorder) -> None:
    service.will(Answer(drop=True))
    with pytest.raises(ConnectionFailed):
        connect(service.url).keys.create("ci", roles=["read"])
    assert len(service.seen) == 1


def test_a_secret_beside_its_key(connect: Connect, service: Recorder) -> None:
    service.will(Answer(201, {"key": {"id": KEY_ID}, "secret": "msk_secret"}))
    made = connect(service.url).keys.create("ci", roles=["read"])
    assert (made.key.id, made.secret) == (KEY_ID, "msk_secret")


def test_a_repeated_write_whose_memory_is_gone(connect: Connect, service: Recorder) -> None:
    service.will(Answer(201, {"memory": None, "seq": 4}))
    with pytest.raises(NotFound, match="gone by now"):
        connect(service.url).remember("x", idempotency_key="again")
