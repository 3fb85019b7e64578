"""Rules for the routes of the service itself: write, change, read, list, ask, judge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.fixtures.service import timeless
from tests.property.tenants.tenant import NAMESPACES, Tenant
from tests.property.tenants.world import World, namespaces, numbers, tenants, whose

_EXTERNALS = st.sampled_from((None, "x1", "x2", "x9"))
_MEMORY = "/v1/memories/{memory_id}"
_CONDITIONS = st.sampled_from(
    (
        None,
        {"state": {"exists": True}},
        {"external_id": "x1"},
        {"session_id": "same-session"},
        {"metadata.tenant_id": {"exists": False}},
    )
)


class Writing(World):
    """New memories, by every way that names other memories or keys of a caller's own."""

    @rule(
        name=tenants,
        namespace=namespaces,
        number=numbers,
        external=_EXTERNALS,
        link=st.one_of(st.none(), whose),
        key=st.one_of(st.none(), st.sampled_from(("k1", "k2"))),
    )
    def write(
        self, name: str, namespace: str, number: int, external: str | None, link: str | None, key: str | None
    ) -> None:
        tenant = self.tenants[name]
        target = None if link is None else self.pick(tenant, link, number)
        body: dict[str, Any] = {"namespace": namespace, "content": self.text(tenant, number), "external_id": external}
        if target is not None:
            body["links"] = [{"relation": "same_as", "memory_id": target}]
        headers = {} if key is None else {"idempotency-key": f"{key}-{self.written}"}
        answer = self.ask(tenant, "POST", "/v1/memories", json=body, headers=headers)
        linked = tenant.memories.get(target or "")
        reachable = target is None or (
            linked is not None and linked.namespace == namespace and linked.state == "active"
        )
        stored = tenant.by_external(namespace, external)
        if not reachable or (stored is not None and target == stored.id):
            assert answer.status_code == 422, answer.text
            return
        assert answer.status_code == (201 if stored is None else 200), answer.text
        tenant.note(answer.json()["memory"]["id"], namespace, body["content"], external)
        if target is not None:
            tenant.links.add((answer.json()["memory"]["id"], "same_as", target))
        if key is not None:
            self._same_key_elsewhere(tenant, body, headers, answer.json())

    def _same_key_elsewhere(
        self, tenant: Tenant, body: dict[str, Any], headers: dict[str, str], first: dict[str, Any]
    ) -> None:
        """The key replays for its owner, and is fresh for the other tenant."""
        again = self.ask(tenant, "POST", "/v1/memories", json=body, headers=headers)
        assert timeless(again.json()) == timeless(first)
        other = self.other(tenant)
        theirs = {"namespace": body["namespace"], "content": self.text(other, 0), "external_id": None}
        fresh = self.ask(other, "POST", "/v1/memories", json=theirs, headers=headers)
        assert fresh.status_code == 201, fresh.text
        other.note(fresh.json()["memory"]["id"], body["namespace"], theirs["content"], None)

    @rule(name=tenants, namespace=namespaces, number=numbers)
    def batch(self, name: str, namespace: str, number: int) -> None:
        tenant = self.tenants[name]
        foreign = self.pick(tenant, "foreign", number)
        texts = [self.text(tenant, number + i) for i in range(3)]
        items: list[dict[str, Any]] = [
            {"content": texts[0], "external_id": "x1"},
            {"content": texts[1], "links": [{"relation": "follows", "memory_id": foreign}]},
            {"content": texts[2]},
        ]
        answer = self.ask(tenant, "POST", "/v1/memories:batch", json={"namespace": namespace, "memories": items})
        first, second, third = answer.json()["items"]
        assert second["status"] == 422
        assert first["status"] == (201 if tenant.by_external(namespace, "x1") is None else 200)
        tenant.note(first["id"], namespace, texts[0], "x1")
        tenant.note(third["id"], namespace, texts[2], None)

    @rule(name=tenants, namespace=namespaces, number=numbers)
    def converse(self, name: str, namespace: str, number: int) -> None:
        tenant = self.tenants[name]
        texts = [self.text(tenant, number + i) for i in range(2)]
        body = {"namespace": namespace, "session_id": "same-session", "turns": [{"content": text} for text in texts]}
        answer = self.ask(tenant, "POST", "/v1/conversations", json=body)
        ids = [item["id"] for item in answer.json()["items"]]
        for memory_id, text in zip(ids, texts, strict=True):
            tenant.note(memory_id, namespace, text, None)
        links = self.ask(tenant, "GET", f"{_MEMORY}/links", identifier=ids[0]).json()["items"]
        assert {link["memory_id"] for link in links} <= set(tenant.memories)


class Changing(World):
    """Edits, moves and erasures, of ids of every kind."""

    @rule(name=tenants, which=whose, number=numbers, match=st.sampled_from(("", "right", "wrong")))
    def edit(self, name: str, which: str, number: int, match: str) -> None:
        tenant = self.tenants[name]
        memory_id = self.pick(tenant, which, number)
        known = tenant.memories.get(memory_id)
        body = {"content": self.text(tenant, number)}
        version = known.version if known else 1
        headers = {} if not match else {"if-match": f'"{version + (match == "wrong")}"'}
        answer = self.ask(tenant, "PATCH", _MEMORY, identifier=memory_id, json=body, headers=headers)
        if known is None or known.state != "active":
            self.like_unknown(tenant, answer, "PATCH", _MEMORY, json=body, headers=headers)
        elif match == "wrong":
            assert answer.status_code == 412
        else:
            assert answer.status_code == 200
            assert answer.headers["etag"] == f'"{known.version + 1}"'
            tenant.note(memory_id, known.namespace, body["content"], known.external_id)

    @rule(name=tenants, which=whose, number=numbers, back=st.booleans())
    def move(self, name: str, which: str, number: int, back: bool) -> None:
        tenant = self.tenants[name]
        memory_id = self.pick(tenant, which, number)
        known = tenant.memories.get(memory_id)
        template = f"{_MEMORY}:{'restore' if back else 'forget'}"
        answer = self.ask(tenant, "POST", template, identifier=memory_id)
        before, after = ("forgotten", "active") if back else ("active", "forgotten")
        if known is None or known.state != before:
            self.like_unknown(tenant, answer, "POST", template)
        else:
            assert answer.status_code == 200
            known.state, known.version = after, known.version + 1

    @rule(name=tenants, which=whose, number=numbers)
    def erase(self, name: str, which: str, number: int) -> None:
        tenant = self.tenants[name]
        memory_id = self.pick(tenant, which, number)
        answer = self.ask(tenant, "DELETE", _MEMORY, identifier=memory_id)
        if memory_id not in tenant.memories:
            self.like_unknown(tenant, answer, "DELETE", _MEMORY)
        else:
            assert answer.status_code == 204
            tenant.gone(memory_id)


class Reading(World):
    """One memory, lists, figures: a tenant sees all of its own and no more."""

    @rule(name=tenants, which=whose, number=numbers, suffix=st.sampled_from(("", "/history", "/links")))
    def read(self, name: str, which: str, number: int, suffix: str) -> None:
        tenant = self.tenants[name]
        memory_id = self.pick(tenant, which, number)
        known = tenant.memories.get(memory_id)
        answer = self.ask(tenant, "GET", f"{_MEMORY}{suffix}", identifier=memory_id)
        if known is None or known.state != "active":
            self.like_unknown(tenant, answer, "GET", f"{_MEMORY}{suffix}")
            return
        shown = answer.json()
        if not suffix:
            assert (shown["content"], shown["version"]) == (known.content, known.version)
            assert answer.headers["etag"] == f'"{known.version}"'
        elif suffix == "/history":
            assert [v["version"] for v in shown["items"]] == list(range(1, known.version + 1))
            assert shown["items"][-1]["content"] == known.content
        else:
            assert {item["memory_id"] for item in shown["items"]} <= set(tenant.memories)
            said = {(i["relation"], i["memory_id"]) for i in shown["items"] if i["direction"] == "out"}
            mine = {(r, to) for f, r, to in tenant.links if f == memory_id and tenant.memories[to].state == "active"}
            assert {link for link in said if link[0] == "same_as"} == mine

    @rule(
        name=tenants,
        namespace=namespaces,
        limit=st.sampled_from((3, 9, 200)),
        state=st.sampled_from(("active", "forgotten")),
    )
    def list_all(self, name: str, namespace: str, limit: int, state: str) -> None:
        tenant = self.tenants[name]
        params: dict[str, Any] = {"namespace": namespace, "limit": limit}
        params["filter"] = orjson.dumps({"state": state}).decode()
        contents: list[str] = []
        while True:
            page = self.ask(tenant, "GET", "/v1/memories", params=params).json()
            contents += [item["content"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            params["cursor"] = page["next_cursor"]
            answer = self.ask(self.other(tenant), "GET", "/v1/memories", params=params)
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")
        wanted = [m.content for m in tenant.memories.values() if m.namespace == namespace and m.state == state]
        assert sorted(contents) == sorted(wanted)

    @rule(name=tenants, prefix=st.sampled_from((None, "user/", "t", "zqcanary")))
    def list_namespaces(self, name: str, prefix: str | None) -> None:
        tenant = self.tenants[name]
        params = {} if prefix is None else {"prefix": prefix}
        items = self.ask(tenant, "GET", "/v1/namespaces", params=params).json()["items"]
        for item in items:
            held = [m for m in tenant.memories.values() if m.namespace == item["namespace"]]
            assert item["memories"] == len(held)
        wanted = {m.namespace for m in tenant.memories.values() if m.namespace.startswith(prefix or "")}
        assert wanted <= {item["namespace"] for item in items}

    @rule(name=tenants, namespace=namespaces)
    def stats(self, name: str, namespace: str) -> None:
        tenant = self.tenants[name]
        shown = self.ask(tenant, "GET", "/v1/stats", params={"namespace": namespace}).json()
        held = [m for m in tenant.memories.values() if m.namespace == namespace]
        assert shown["memories"] == len(held)
        assert shown["states"]["forgotten"] == sum(m.state == "forgotten" for m in held)

    @rule(name=tenants, path=st.sampled_from(("/v1/version", "/metrics")))
    def of_the_service(self, name: str, path: str) -> None:
        assert self.ask(self.tenants[name], "GET", path).status_code == 200


class Asking(World):
    """Recall, context and feedback: nothing of the other tenant is found, not by its own words either."""

    @rule(
        name=tenants,
        namespace=namespaces,
        number=numbers,
        condition=_CONDITIONS,
        foreign_words=st.booleans(),
        past=st.booleans(),
    )
    def recall(
        self,
        name: str,
        namespace: str,
        number: int,
        condition: dict[str, Any] | None,
        foreign_words: bool,
        past: bool,
    ) -> None:
        tenant = self.tenants[name]
        words = self.other(tenant).canary if foreign_words else tenant.canary
        body = {"namespace": namespace, "query": f"{words} word{number % 5}", "top_k": 200, "filter": condition}
        if past:
            body["as_of"] = datetime.now(UTC).isoformat()
        answer = self.ask(tenant, "POST", "/v1/recall", json=body).json()
        assert answer["degraded"] == []
        hits = {hit["memory"]["id"]: hit["memory"] for hit in answer["hits"]}
        assert len(hits) == len(answer["hits"])
        states = ("active", "forgotten") if condition == {"state": {"exists": True}} else ("active",)
        for memory_id, shown in hits.items():
            known = tenant.memories[memory_id]
            assert (known.namespace, known.content) == (namespace, shown["content"])
            assert known.state in states
        if condition is None and not foreign_words:
            assert set(hits) == {m.id for m in tenant.active(namespace)}

    @rule(
        name=tenants,
        prefix=st.sampled_from(("", "user/", "team", "zq")),
        narrow=st.booleans(),
        number=numbers,
        verdict=st.sampled_from(("used", "useful", "wrong")),
    )
    def ask_several_and_judge(self, name: str, prefix: str, narrow: bool, number: int, verdict: str) -> None:
        """One question to all namespaces below a prefix, as hits or as a context; then feedback on it, by everybody."""
        tenant = self.tenants[name]
        caller = tenant.callers["narrow"] if narrow else tenant.admin
        body = {"namespace_prefix": prefix, "query": f"{tenant.canary} word{number % 5}", "top_k": 200}
        template = ("/v1/recall", "/v1/context")[number % 2]
        answer = self.ask(tenant, "POST", template, json=body, caller=caller).json()
        reached = ["user/ada"] if narrow else NAMESPACES
        assert set(answer["seqs"]) == {path for path in reached if path.startswith(prefix)}
        found = answer.get("hits") or [{"memory": {"id": c["memory_id"]}} for c in answer.get("citations", [])]
        ids = [hit["memory"]["id"] for hit in found]
        assert {tenant.memories[i].namespace for i in ids} <= set(answer["seqs"])
        route = "/v1/recall/{recall_id}/feedback"
        judged = {"memories": [{"id": i, "verdict": verdict} for i in ids[:3]]}
        other = self.ask(self.other(tenant), "POST", route, identifier=answer["id"], json={"memories": []})
        assert other.status_code == 404
        given = self.ask(tenant, "POST", route, identifier=answer["id"], json=judged)
        assert given.json() == {"recorded": len(ids[:3])}


class Rest(Writing, Changing, Reading, Asking):
    """All of them."""
