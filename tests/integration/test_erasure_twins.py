"""After an erasure the service answers as one that never received the memories: everything, to the last digit.

One tenant stores S and T and erases T, the other only ever stored S; the same clock stands still for both. A naive
deletion, that takes the rows of T and nothing that it had influenced, is told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from memsvc.memories import residue
from memsvc.memories.context import Readers
from tests.fixtures.service import Caller, Service, serving

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAY_DIFFER = {"seq", "head_seq", "took_ms", "timings_ms", "bank_bytes", "label", "applied_seq"}
"""Times, names made from ids, and what tells how much was ever written: numbers of the change log, size of the bank."""

TOPICS = ("kettle", "garden", "budget", "violin", "harbour", "lantern")
KEPT = [
    {"content": f"The {topic} number {n} is {'red' if n % 2 else 'green'} and stands in Bergen",
     "session_id": f"s{n % 3}", "speaker": "Cleo", "user_id": "cy", "occurred_at": f"2026-01-{n + 1:02d}T09:00:00Z"}
    for n, topic in enumerate(TOPICS * 3)
]  # fmt: skip
ERASED = [
    {"content": f"Robert Mbeki, also known as the Falcon, hid the {topic} {topic} {n} under the Grand Oak",
     "user_id": "bo", "session_id": f"s{n % 3}", "speaker": "Robert", "place": "Grand Oak", "tags": ["secret"]}
    for n, topic in enumerate(TOPICS)
]  # fmt: skip
AFTERWARDS = {"content": "We saw the Falcon and Robert Mbeki by the harbour.", "user_id": "cy", "session_id": "s1"}


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    with serving(tmp_path, database_url, jobs="off", adaptive_fusion=True) as running:
        running.clock.now = lambda: datetime(2026, 3, 1, 12, tzinfo=UTC)  # type: ignore[method-assign]
        yield running


def live(caller: Caller, *, with_erased: bool) -> None:
    """What happens to a tenant: S, with T between it, recalls and verdicts, and in the end the erasure."""
    for place, memory in enumerate(KEPT):
        caller.remember(**memory)
        if with_erased and place % 3 == 2:
            told = caller.remember(**ERASED[place // 3])
            caller.edit(told["id"], content=told["content"] + " again")
    caller.remember(**AFTERWARDS)
    if with_erased:
        hits = caller.recall("Falcon Grand Oak secret", filter={"user_id": "bo"})
        judged = [{"id": hit["memory"]["id"], "verdict": "used"} for hit in hits["hits"][:3]]
        caller.ask("POST", f"/v1/recall/{hits['id']}/feedback", json={"memories": judged})
        names = {alias["name"]: alias["id"] for one in entities(caller) for alias in one["aliases"]}
        oak = [one for name, one in names.items() if "Oak" in name or "Grand" in name]
        cleo = names["Bergen"]
        merged = {"namespace": caller.namespace, "entity_ids": [cleo, oak[0]]}
        assert caller.ask("POST", "/v1/entities:merge", json=merged).status_code == 200
        answer = caller.ask("POST", "/v1/erasures", json={"user_id": "bo"})
        assert answer.status_code in (201, 202)
        caller.service.container.erasing.round()  # on a busy machine the request did not come to the end
        done = caller.ask("GET", f"/v1/erasures/{answer.json()['id']}").json()
        assert (done["state"], done["counts"]["memory"]) == ("erased", len(ERASED))
    hits = caller.recall("violin", top_k=5)
    judged = [{"id": hits["hits"][0]["memory"]["id"], "verdict": "useful"}]
    caller.ask("POST", f"/v1/recall/{hits['id']}/feedback", json={"memories": judged})


def entities(caller: Caller) -> list[dict[str, Any]]:
    answer = caller.ask("GET", "/v1/entities", params={"namespace": caller.namespace, "limit": "100"})
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def seen(caller: Caller) -> dict[str, Any]:
    """Everything that the tenant can see, with ids by what they name."""
    every = {
        one["id"]: one["content"] for one in caller.list(limit="200", filter='{"state": {"exists": true}}')["items"]
    }
    answers: dict[str, Any] = {}

    def look(method: str, path: str, **given: Any) -> None:
        answer = caller.ask(method, path, **given)
        about = f"{method} {_named(path, every)} {_named(orjson.dumps(given).decode(), every)}"
        answers[about] = (answer.status_code, _plain(answer.json(), every))

    where = {"namespace": caller.namespace}
    for path in ("/v1/memories", "/v1/entities", "/v1/stats", "/v1/fusion", "/v1/policy", "/v1/job-runs"):
        look("GET", path, params=where | ({} if path.endswith(("stats", "fusion", "policy")) else {"limit": "200"}))
    look("GET", "/v1/namespaces")
    for memory_id in every:
        for suffix in ("", "/history", "/links"):
            look("GET", f"/v1/memories/{memory_id}{suffix}")
    questions = [
        *(memory["content"] for memory in KEPT[:6]), *(str(memory["content"]) for memory in ERASED), *TOPICS,
        "What did you forget?", "Falcon", "Who is Robert Mbeki?", "under the Grand Oak", "things in Bergen",
        "what was before the violin number 9", "what did Cleo say last time", "secret",
    ]  # fmt: skip
    for profile in ("fast", "balanced", "thorough"):
        for question in questions:
            look(
                "POST", "/v1/recall", json=where | {"query": question, "profile": profile, "explain": True, "top_k": 30}
            )
    for question in questions[:8]:
        answer = caller.ask("POST", "/v1/context", json=where | {"query": question, "token_budget": 20_000}).json()
        answers[f"context {question}"] = [every[one["memory_id"]] for one in answer["citations"]]
    return answers


def _plain(value: Any, every: dict[str, str]) -> Any:
    if isinstance(value, dict):
        if "hits" in value:
            value = value | {"hits": _without_ties(value["hits"]), "ranks": _ranks(value["hits"])}
        return {
            _named(name, every): _plain(one, every)
            for name, one in value.items()
            if name not in _MAY_DIFFER and not (name == "id" and _UUID.fullmatch(str(one)) and one not in every)
        }
    if isinstance(value, list):
        return [_plain(one, every) for one in value]
    if isinstance(value, float):
        return float(f"{value:.12g}")  # the same sum, added up in another order
    return _named(value, every) if isinstance(value, str) else value


def _without_ties(hits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Hits with the scores of channels and without the ranks there: equal scores are ranked by their rows' places."""
    return [hit | {"channels": {name: found["score"] for name, found in hit["channels"].items()}} for hit in hits]


def _ranks(hits: list[dict[str, Any]]) -> list[Any]:
    return sorted([name, found["score"], found["rank"]] for hit in hits for name, found in hit["channels"].items())


def _named(text: str, every: dict[str, str]) -> str:
    return _UUID.sub(lambda found: f"<{every.get(found[0], 'unknown')}>", text)


def differing(service: Service) -> list[str]:
    one, other = service.tenant("erased"), service.tenant("never")
    live(one, with_erased=True)
    live(other, with_erased=False)
    a, b = seen(one), seen(other)
    assert a.keys() == b.keys()
    assert len(a) > 140
    return [about for about in a if a[about] != b[about]]


def test_erased_is_as_never_stored(service: Service) -> None:
    assert differing(service) == []


@pytest.mark.parametrize("forgotten", ["who was read after it", "names that were decided about"])
def test_a_naive_deletion_is_told_apart(tmp_path: Path, forgotten: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if forgotten.startswith("who"):
        monkeypatch.setattr(Readers, "of_erased", lambda *given: [])
    else:
        monkeypatch.setattr(residue, "_forget_names", lambda *given: residue.Counter())
    with serving(tmp_path, jobs="off", adaptive_fusion=True) as service:
        service.clock.now = lambda: datetime(2026, 3, 1, 12, tzinfo=UTC)  # type: ignore[method-assign]
        assert differing(service) != []
