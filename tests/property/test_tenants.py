"""Two tenants with the same names for everything, and no answer from which one could learn of the other.

`MEMSVC_TEST_PROFILE=long` runs 20,000 steps on SQLite; the ordinary run is short, on both databases.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.fixtures.extent import rounds
from tests.fixtures.routes import BO, EXAMPLES, MEM0, Example, path_of, routes_of
from tests.fixtures.service import Caller, Service, serving, without_request_id

NAMESPACES = ("user/ada", "user/bob", "team")
COMPAT, SHARED = "/compat/mem0", "team"
"""Where mem0's clients ask, and the namespace that they share with the others."""
CANARIES = {"one": "zqcanaryone", "two": "zqcanarytwo"}
ALL_ROLES = ["read", "write", "erase", "export", "admin"]
EXERCISED: set[tuple[str, str]] = set()

tenants = st.sampled_from(("one", "two"))
namespaces = st.sampled_from(NAMESPACES)
numbers = st.integers(0, 10**6)
users = st.sampled_from(("u1", "u2"))
externals = st.sampled_from((None, "x1", "x2", "x9"))
# Whose id is named: one's own that is there, one's own that is hidden or gone, the other tenant's, nobody's.
whose = st.sampled_from(("own", "foreign", "forgotten", "erased", "unknown"))


@dataclass
class Known:
    """What the model knows of a memory."""

    id: str
    namespace: str
    content: str
    external_id: str | None
    version: int = 1
    state: str = "active"
    user: str | None = None


@dataclass
class Tenant:
    """A tenant, its keys, and what it must see."""

    name: str
    admin: Caller
    callers: dict[str, Caller]
    memories: dict[str, Known] = field(default_factory=dict)
    erased: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    key_ids: list[str] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)
    links: set[tuple[str, str, str]] = field(default_factory=set)

    @property
    def canary(self) -> str:
        return CANARIES[self.name]

    def active(self, namespace: str) -> list[Known]:
        return [m for m in self.memories.values() if m.namespace == namespace and m.state == "active"]

    def secrets_of_its_own(self) -> list[str]:
        """Every text that no other tenant may ever see."""
        return [self.canary, *self.memories, *self.erased, *self.secrets, *self.key_ids]


class World(RuleBasedStateMachine):
    """Every route, with every kind of id and key, by turns for both tenants."""

    service: Service

    @initialize()
    def begin(self) -> None:
        run = uuid4().hex[:8]
        self.tenants = {name: self._tenant(name, run) for name in CANARIES}
        self.step = 0
        for tenant in self.tenants.values():
            self._fill(tenant)

    def _fill(self, tenant: Tenant) -> None:
        """Memories in every state from the first step on, called the same as the other tenant's."""
        for namespace in NAMESPACES:
            texts = [self.text(tenant, i) for i in range(4)]
            items = [{"content": text, "external_id": f"x{i}"} for i, text in enumerate(texts)]
            body = {"namespace": namespace, "memories": items}
            made = tenant.admin.ask("POST", "/v1/memories:batch", json=body).json()["items"]
            for item, text in zip(made, texts, strict=True):
                tenant.memories[item["id"]] = Known(item["id"], namespace, text, item["external_id"])
            forgotten, erased = made[2]["id"], made[3]["id"]
            assert tenant.admin.forget(forgotten).status_code == 200
            tenant.memories[forgotten].state, tenant.memories[forgotten].version = "forgotten", 2
            assert tenant.admin.erase(erased).status_code == 204
            del tenant.memories[erased]
            tenant.erased.append(erased)

    def _tenant(self, name: str, run: str) -> Tenant:
        admin = self.service.tenant(f"{name}-{run}")
        tenant = Tenant(name, admin, {"admin": admin})
        for label, asked in {
            "reader": {"roles": ["read"]},
            "writer": {"roles": ["read", "write"]},
            "narrow": {"roles": ALL_ROLES, "namespaces": ["user/ada/**"]},
            "revoked": {"roles": ALL_ROLES},
        }.items():
            made = admin.ask("POST", "/v1/keys", json={"name": f"{label} {tenant.canary}", **asked}).json()
            tenant.callers[label] = Caller(self.service, made["secret"])
            tenant.secrets.append(made["secret"])
            tenant.key_ids.append(made["id"])
            if label == "revoked":
                assert admin.ask("DELETE", f"/v1/keys/{made['id']}").status_code == 204
        return tenant

    def other(self, tenant: Tenant) -> Tenant:
        return self.tenants["two" if tenant.name == "one" else "one"]

    def ask(
        self,
        tenant: Tenant,
        method: str,
        template: str,
        *,
        identifier: str = "",
        caller: Caller | None = None,
        route: str | None = None,
        **given: Any,
    ) -> httpx.Response:
        """One request as a tenant. Whatever comes back holds nothing of the other.

        Args:
            route: the template, where `template` is a path already.
        """
        EXERCISED.add((method, route or template))
        answer = (caller or tenant.admin).ask(method, path_of(template, identifier), **given)
        assert answer.status_code < 500, answer.text
        shown = answer.text + str(answer.headers)
        for secret in self.other(tenant).secrets_of_its_own():
            assert secret not in shown, (template, answer.text)
        return answer

    def pick(self, tenant: Tenant, which: str, number: int) -> str:
        """An id of the wanted kind, or of nobody."""
        choices = {
            "own": [m.id for m in tenant.memories.values() if m.state == "active"],
            "forgotten": [m.id for m in tenant.memories.values() if m.state == "forgotten"],
            "erased": tenant.erased,
            "foreign": list(self.other(tenant).memories),
        }.get(which, [])
        return choices[number % len(choices)] if choices else str(UUID(int=number, version=4))

    def like_unknown(self, tenant: Tenant, answer: httpx.Response, method: str, template: str, **given: Any) -> None:
        """The answer is the one for an id that nobody has."""
        unknown = self.ask(tenant, method, template, identifier=str(uuid4()), **given)
        assert without_request_id(answer) == without_request_id(unknown)
        assert answer.status_code == 404

    def text(self, tenant: Tenant, number: int) -> str:
        self.step += 1
        return f"{tenant.canary} step{self.step} word{number % 5}"

    # Writing

    @rule(
        name=tenants,
        namespace=namespaces,
        number=numbers,
        external=externals,
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
        own_key = None if key is None else f"{key}-{self.step}"
        headers = {} if own_key is None else {"idempotency-key": own_key}
        answer = self.ask(tenant, "POST", "/v1/memories", json=body, headers=headers)
        linked = tenant.memories.get(target or "")
        reachable = target is None or (
            linked is not None and linked.namespace == namespace and linked.state == "active"
        )
        stored = self._by_external(tenant, namespace, external)
        if not reachable or (stored is not None and target == stored.id):
            assert answer.status_code == 422, answer.text
            return
        assert answer.status_code == (201 if stored is None else 200), answer.text
        self._note(tenant, answer.json()["memory"]["id"], namespace, body["content"], external)
        if target is not None:
            tenant.links.add((answer.json()["memory"]["id"], "same_as", target))
        if own_key is not None:
            self._same_key_elsewhere(tenant, body, headers, answer)

    def _same_key_elsewhere(
        self, tenant: Tenant, body: dict[str, Any], headers: dict[str, str], first: httpx.Response
    ) -> None:
        """The key replays for its owner, and is fresh for the other tenant."""
        again = self.ask(tenant, "POST", "/v1/memories", json=body, headers=headers)
        assert again.json() == first.json()
        other = self.other(tenant)
        theirs = {"namespace": body["namespace"], "content": self.text(other, 0), "external_id": None}
        fresh = self.ask(other, "POST", "/v1/memories", json=theirs, headers=headers)
        assert fresh.status_code == 201, fresh.text
        self._note(other, fresh.json()["memory"]["id"], body["namespace"], theirs["content"], None)

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
        assert first["status"] == (201 if self._by_external(tenant, namespace, "x1") is None else 200)
        self._note(tenant, first["id"], namespace, texts[0], "x1")
        self._note(tenant, third["id"], namespace, texts[2], None)

    @rule(name=tenants, namespace=namespaces, number=numbers)
    def converse(self, name: str, namespace: str, number: int) -> None:
        tenant = self.tenants[name]
        texts = [self.text(tenant, number + i) for i in range(2)]
        body = {"namespace": namespace, "session_id": "same-session", "turns": [{"content": text} for text in texts]}
        answer = self.ask(tenant, "POST", "/v1/conversations", json=body)
        ids = [item["id"] for item in answer.json()["items"]]
        for memory_id, text in zip(ids, texts, strict=True):
            self._note(tenant, memory_id, namespace, text, None)
        links = self.ask(tenant, "GET", "/v1/memories/{memory_id}/links", identifier=ids[0]).json()["items"]
        assert {link["memory_id"] for link in links} <= set(tenant.memories)

    def _by_external(self, tenant: Tenant, namespace: str, external: str | None) -> Known | None:
        found = [m for m in tenant.memories.values() if m.namespace == namespace and m.external_id == external]
        return found[0] if external is not None and found else None

    def _note(self, tenant: Tenant, memory_id: str, namespace: str, content: str, external: str | None) -> None:
        known = tenant.memories.get(memory_id)
        if known is None:
            tenant.memories[memory_id] = Known(memory_id, namespace, content, external)
        else:
            known.content, known.state, known.version = content, "active", known.version + 1

    # Changing

    @rule(name=tenants, which=whose, number=numbers, match=st.sampled_from(("", "right", "wrong")))
    def edit(self, name: str, which: str, number: int, match: str) -> None:
        tenant = self.tenants[name]
        memory_id = self.pick(tenant, which, number)
        known = tenant.memories.get(memory_id)
        body = {"content": self.text(tenant, number)}
        version = known.version if known else 1
        headers = {} if not match else {"if-match": f'"{version + (match == "wrong")}"'}
        template = "/v1/memories/{memory_id}"
        answer = self.ask(tenant, "PATCH", template, identifier=memory_id, json=body, headers=headers)
        if known is None or known.state != "active":
            self.like_unknown(tenant, answer, "PATCH", template, json=body, headers=headers)
        elif match == "wrong":
            assert answer.status_code == 412
        else:
            assert answer.status_code == 200
            assert answer.headers["etag"] == f'"{known.version + 1}"'
            self._note(tenant, memory_id, known.namespace, body["content"], known.external_id)

    @rule(name=tenants, which=whose, number=numbers, back=st.booleans())
    def move(self, name: str, which: str, number: int, back: bool) -> None:
        tenant = self.tenants[name]
        memory_id = self.pick(tenant, which, number)
        known = tenant.memories.get(memory_id)
        template = "/v1/memories/{memory_id}:" + ("restore" if back else "forget")
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
        answer = self.ask(tenant, "DELETE", "/v1/memories/{memory_id}", identifier=memory_id)
        if memory_id not in tenant.memories:
            self.like_unknown(tenant, answer, "DELETE", "/v1/memories/{memory_id}")
        else:
            assert answer.status_code == 204
            self._gone(tenant, memory_id)

    def _gone(self, tenant: Tenant, memory_id: str) -> None:
        del tenant.memories[memory_id]
        tenant.erased.append(memory_id)
        tenant.links = {link for link in tenant.links if memory_id not in link}

    # Reading

    @rule(name=tenants, which=whose, number=numbers)
    def read(self, name: str, which: str, number: int) -> None:
        tenant = self.tenants[name]
        memory_id = self.pick(tenant, which, number)
        for suffix in ("", "/history", "/links"):
            self._read(tenant, memory_id, suffix)

    def _read(self, tenant: Tenant, memory_id: str, suffix: str) -> None:
        known = tenant.memories.get(memory_id)
        template = "/v1/memories/{memory_id}" + suffix
        answer = self.ask(tenant, "GET", template, identifier=memory_id)
        if known is None or known.state != "active":
            self.like_unknown(tenant, answer, "GET", template)
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

    @rule(name=tenants, namespace=namespaces, limit=st.sampled_from((1, 2, 3)))
    def list_all(self, name: str, namespace: str, limit: int) -> None:
        tenant = self.tenants[name]
        for state in ("active", "forgotten"):
            params: dict[str, Any] = {"namespace": namespace, "limit": limit}
            params["filter"] = orjson.dumps({"state": state}).decode()
            contents: list[str] = []
            while True:
                page = self.ask(tenant, "GET", "/v1/memories", params=params).json()
                contents += [item["content"] for item in page["items"]]
                if page["next_cursor"] is None:
                    break
                params["cursor"] = page["next_cursor"]
                self._foreign_cursor(tenant, params)
            wanted = [m.content for m in tenant.memories.values() if m.namespace == namespace and m.state == state]
            assert sorted(contents) == sorted(wanted)

    def _foreign_cursor(self, tenant: Tenant, params: dict[str, Any]) -> None:
        answer = self.ask(self.other(tenant), "GET", "/v1/memories", params=params)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")

    @rule(
        name=tenants,
        namespace=namespaces,
        number=numbers,
        condition=st.sampled_from(
            (
                None,
                {"state": {"exists": True}},
                {"external_id": "x1"},
                {"session_id": "same-session"},
                {"metadata.tenant_id": {"exists": False}},
            )
        ),
    )
    def recall(self, name: str, namespace: str, number: int, condition: dict[str, Any] | None) -> None:
        for foreign_words in (False, True):
            for past in (False, True):
                self._recall(self.tenants[name], namespace, number, condition, foreign_words, past)

    def _recall(
        self,
        tenant: Tenant,
        namespace: str,
        number: int,
        condition: dict[str, Any] | None,
        foreign_words: bool,
        past: bool,
    ) -> None:
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

    @rule(name=tenants, prefix=st.sampled_from((None, "user/", "t", "zqcanary")))
    def look_around(self, name: str, prefix: str | None) -> None:
        tenant = self.tenants[name]
        for path in ("/v1/version", "/metrics"):
            assert self.ask(tenant, "GET", path).status_code == 200
        for namespace in NAMESPACES:
            self._stats(tenant, namespace)
        params = {} if prefix is None else {"prefix": prefix}
        items = self.ask(tenant, "GET", "/v1/namespaces", params=params).json()["items"]
        for item in items:
            held = [m for m in tenant.memories.values() if m.namespace == item["namespace"]]
            assert item["memories"] == len(held)
        wanted = {m.namespace for m in tenant.memories.values() if m.namespace.startswith(prefix or "")}
        assert wanted <= {item["namespace"] for item in items}

    def _stats(self, tenant: Tenant, namespace: str) -> None:
        shown = self.ask(tenant, "GET", "/v1/stats", params={"namespace": namespace}).json()
        held = [m for m in tenant.memories.values() if m.namespace == namespace]
        assert shown["memories"] == len(held)
        assert shown["states"]["forgotten"] == sum(m.state == "forgotten" for m in held)

    # The same by the routes of mem0's clients

    @rule(name=tenants, number=numbers, user=users, template=st.sampled_from(("/v1/memories/", "/v3/memories/add/")))
    def mem0_add(self, name: str, number: int, user: str, template: str) -> None:
        tenant = self.tenants[name]
        texts = [self.text(tenant, number + i) for i in range(2)]
        body = {"user_id": user, "messages": [{"role": "user", "content": text} for text in texts]}
        made = self.ask(tenant, "POST", f"{COMPAT}{template}", json=body).json()["results"]
        for item, text in zip(made, texts, strict=True):
            tenant.memories[item["id"]] = Known(item["id"], SHARED, text, None, user=user)

    @rule(name=tenants, number=numbers, user=users, foreign_words=st.booleans())
    def mem0_search(self, name: str, number: int, user: str, foreign_words: bool) -> None:
        tenant = self.tenants[name]
        words = self.other(tenant).canary if foreign_words else tenant.canary
        wanted = {m.id: m.content for m in tenant.active(SHARED) if m.user == user}
        for version in ("v1", "v2", "v3"):
            body = {"query": f"{words} word{number % 5}", "filters": {"user_id": user}, "top_k": 200}
            body |= {} if version == "v3" else {"output_format": "v1.1"}
            found = self.ask(tenant, "POST", f"{COMPAT}/{version}/memories/search/", json=body).json()["results"]
            shown = {one["id"]: one["memory"] for one in found}
            assert shown.items() <= wanted.items()
            if not foreign_words:
                assert shown == wanted

    @rule(name=tenants, user=users)
    def mem0_list(self, name: str, user: str) -> None:
        tenant = self.tenants[name]
        wanted = sorted(m.id for m in tenant.active(SHARED) if m.user == user)[::-1]
        body, page = {"filters": {"user_id": user}}, {"page_size": 100}
        query = {"user_id": user, **page}
        for method, version, given in (
            ("POST", "v3", {"json": body, "params": page}),
            ("POST", "v2", {"json": body, "params": page}),
            ("GET", "v1", {"params": query}),
        ):
            shown = self.ask(tenant, method, f"{COMPAT}/{version}/memories/", **given).json()
            assert shown["count"] == len(wanted)
            assert [one["id"] for one in shown["results"]] == wanted[:100]
        listed = self.ask(tenant, "GET", f"{COMPAT}/v1/entities/").json()["results"]
        counts = {one["name"]: one["total_memories"] for one in listed if one["type"] == "user"}
        assert counts.get(user, 0) == len(wanted)
        assert self.ask(tenant, "GET", f"{COMPAT}/v1/ping/").json()["project_id"] == SHARED
        for example in MEM0[-5:]:
            assert self.ask(tenant, example.method, example.template).status_code == 404

    @rule(name=tenants, which=whose, number=numbers)
    def mem0_one(self, name: str, which: str, number: int) -> None:
        """A memory by its id: one of another namespace is as unknown as one of another tenant."""
        tenant = self.tenants[name]
        memory_id = self.pick(tenant, which, number)
        known = tenant.memories.get(memory_id)
        is_there = known is not None and known.namespace == SHARED
        template = f"{COMPAT}/v1/memories/{{memory_id}}/"
        for path in (template, f"{template}history/"):
            answer = self.ask(tenant, "GET", path, identifier=memory_id)
            if known is None or not is_there or known.state != "active":
                self.like_unknown(tenant, answer, "GET", path)
            elif path == template:
                assert answer.json()["memory"] == known.content
            else:
                assert answer.json()[-1]["new_memory"] == known.content
        if number % 3 == 0:
            answer = self.ask(tenant, "DELETE", template, identifier=memory_id)
            if not is_there:
                self.like_unknown(tenant, answer, "DELETE", template)
            else:
                assert answer.status_code == 200
                self._gone(tenant, memory_id)
            return
        said = self.text(tenant, number)
        answer = self.ask(tenant, "PUT", template, identifier=memory_id, json={"text": said})
        if known is None or not is_there or known.state != "active":
            self.like_unknown(tenant, answer, "PUT", template, json={"text": said})
        else:
            assert answer.json()["memory"] == said
            self._note(tenant, memory_id, SHARED, said, known.external_id)

    @rule(name=tenants, which=whose, number=numbers)
    def mem0_several(self, name: str, which: str, number: int) -> None:
        """A batch that names a memory which is not there changes nothing, and deletes only what is there."""
        tenant = self.tenants[name]
        own = [m for m in tenant.active(SHARED) if m.user is not None]
        if not own:
            return
        mine, other = own[number % len(own)], self.pick(tenant, which, number)
        batch, known = f"{COMPAT}/v1/batch/", tenant.memories.get(other)
        texts = [self.text(tenant, number + i) for i in range(2)]
        items = [{"memory_id": i, "text": text} for i, text in zip((mine.id, other), texts, strict=True)]
        answer = self.ask(tenant, "PUT", batch, json={"memories": items})
        if known is None or known.namespace != SHARED or known.state != "active":
            assert answer.status_code == 404
        else:
            assert answer.status_code == 200
            for item in items:
                self._note(
                    tenant, item["memory_id"], SHARED, item["text"], tenant.memories[item["memory_id"]].external_id
                )
        answer = self.ask(tenant, "DELETE", batch, json={"memories": [{"memory_id": i} for i in (mine.id, other)]})
        assert answer.status_code == 200
        for memory_id in {mine.id} | ({other} if known is not None and known.namespace == SHARED else set()):
            self._gone(tenant, memory_id)

    @rule(name=tenants, user=users, way=st.sampled_from(("all", "v1", "v2")))
    def mem0_delete_user(self, name: str, user: str, way: str) -> None:
        """The other tenant has a user of the same name."""
        tenant = self.tenants[name]
        if way == "all":
            answer = self.ask(tenant, "DELETE", f"{COMPAT}/v1/memories/", params={"user_id": user})
        else:
            named = "entity_id:path" if way == "v1" else "name:path"
            template = f"{COMPAT}/{way}/entities/{{kind}}/{{{named}}}/"
            shown = f"user:{user}" if way == "v1" else user
            answer = self.ask(tenant, "DELETE", f"{COMPAT}/{way}/entities/user/{shown}/", route=template)
        assert answer.status_code == 200
        for memory in [m for m in tenant.memories.values() if m.user == user and m.namespace == SHARED]:
            self._gone(tenant, memory.id)

    # Keys, and what they may not

    @rule(name=tenants, foreign=st.booleans())
    def keys(self, name: str, foreign: bool) -> None:
        tenant = self.tenants[name]
        body = {"name": f"short {tenant.canary}", "roles": ["read"]}
        made = self.ask(tenant, "POST", "/v1/keys", json=body).json()
        tenant.key_ids.append(made["id"])
        tenant.secrets.append(made["secret"])
        target = self.other(tenant).key_ids[0] if foreign else made["id"]
        answer = self.ask(tenant, "DELETE", "/v1/keys/{key_id}", identifier=target)
        if foreign:
            self.like_unknown(tenant, answer, "DELETE", "/v1/keys/{key_id}")
        else:
            assert answer.status_code == 204
        page = self.ask(tenant, "GET", "/v1/keys", params={"limit": 200})
        assert not any(secret in page.text for secret in tenant.secrets)
        assert {item["id"] for item in page.json()["items"]} >= set(tenant.key_ids[-100:])

    @rule(name=tenants, label=st.sampled_from(("reader", "writer", "revoked", "none")), number=numbers)
    def lesser_key(self, name: str, label: str, number: int) -> None:
        for example in (*EXAMPLES, *MEM0):
            self._lesser_key(self.tenants[name], example, label, number)

    def _lesser_key(self, tenant: Tenant, example: Example, label: str, number: int) -> None:
        allowed = {"reader": {"read"}, "writer": {"read", "write"}}.get(label, set())
        if example.role in allowed and example.role != "read":
            return  # what it may write, the other rules write
        caller = Caller(self.service, None) if label == "none" else tenant.callers[label]
        identifier = self.pick(tenant, "own", number)
        answer = self.ask(
            tenant, example.method, example.template, identifier=identifier, caller=caller, **example.given("user/ada")
        )
        if label in ("revoked", "none"):
            assert answer.status_code == 401
        elif example.role not in allowed:
            assert answer.status_code == 403
        else:
            assert answer.status_code in (200, 404) or example.template == f"{COMPAT}/v1/memories/"  # needs a query

    @rule(name=tenants, number=numbers)
    def narrow_key(self, name: str, number: int) -> None:
        for example in (*EXAMPLES, *MEM0):
            self._narrow_key(self.tenants[name], example, number)

    def _narrow_key(self, tenant: Tenant, example: Example, number: int) -> None:
        """A key for one namespace meets what lies in another."""
        caller = tenant.callers["narrow"]
        if example in MEM0:
            own = self.pick(tenant, "own", number)
            answer = self.ask(
                tenant, example.method, example.template, identifier=own, caller=caller, **example.given()
            )
            assert answer.status_code == (404 if example in MEM0[-5:] else 403)
            return
        outside = [m for m in tenant.memories.values() if m.namespace != "user/ada"]
        if example.about == "memory":
            if not outside:
                return
            memory_id = outside[number % len(outside)].id
            given = {"identifier": memory_id, "caller": caller, **example.given()}
            answer = self.ask(tenant, example.method, example.template, **given)
            self.like_unknown(tenant, answer, example.method, example.template, caller=caller, **example.given())
        elif "namespace" in {**(example.json or {}), **(example.params or {})}:
            named = {"identifier": BO} if example.about == "entity" else {}
            given = {**named, **example.given("user/bob")}
            answer = self.ask(tenant, example.method, example.template, caller=caller, **given)
            assert answer.status_code == 403
        elif example.template == "/v1/namespaces":
            answer = self.ask(tenant, "GET", "/v1/namespaces", caller=caller)
            assert {item["namespace"] for item in answer.json()["items"]} <= {"user/ada"}


def run(service: Service, examples: int, steps: int) -> None:
    """Run the machine, then check what it left: bank and database agree, and every route was asked."""
    machine: Callable[[], World] = type("Running", (World,), {"service": service})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
    assert all(verdict.equal for verdict in service.container.keeper.verify())


@pytest.fixture
def quiet_service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
        yield stack.enter_context(serving(folder, url, mem0_namespace=SHARED))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("quiet_service", "examples", "steps"),
    [("sqlite", rounds(3, 200), rounds(30, 100)), ("postgresql", rounds(2, 20), rounds(25, 100))],
    indirect=["quiet_service"],
)
def test_tenants_learn_nothing_of_each_other(quiet_service: Service, examples: int, steps: int) -> None:
    run(quiet_service, examples, steps)

    if examples >= 12:
        assert routes_of(quiet_service.app) == EXERCISED
