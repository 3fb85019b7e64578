"""Rules for the routes of mem0's clients: another way to the memories of one namespace."""

from __future__ import annotations

import time

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.fixtures.routes import MEM0_ELSE, Example
from tests.property.tenants.tenant import SHARED, Tenant
from tests.property.tenants.world import World, numbers, tenants, users, whose

_COMPAT = "/compat/mem0"
_MEMORY = f"{_COMPAT}/v1/memories/{{memory_id}}/"
_BATCH = f"{_COMPAT}/v1/batch/"
_ERASED_WITHIN_S = 60.0


class Mem0(World):
    """The same by the routes of mem0's clients."""

    @rule(name=tenants, number=numbers, user=users, template=st.sampled_from(("/v1/memories/", "/v3/memories/add/")))
    def mem0_add(self, name: str, number: int, user: str, template: str) -> None:
        tenant = self.tenants[name]
        texts = [self.text(tenant, number + i) for i in range(2)]
        body = {"user_id": user, "messages": [{"role": "user", "content": text} for text in texts]}
        made = self.ask(tenant, "POST", f"{_COMPAT}{template}", json=body).json()["results"]
        for item, text in zip(made, texts, strict=True):
            tenant.note(item["id"], SHARED, text, None, user)

    @rule(
        name=tenants,
        number=numbers,
        user=users,
        foreign_words=st.booleans(),
        version=st.sampled_from(("v1", "v2", "v3")),
    )
    def mem0_search(self, name: str, number: int, user: str, foreign_words: bool, version: str) -> None:
        tenant = self.tenants[name]
        words = self.other(tenant).canary if foreign_words else tenant.canary
        wanted = {m.id: m.content for m in tenant.active(SHARED) if m.user == user}
        body = {"query": f"{words} word{number % 5}", "filters": {"user_id": user}, "top_k": 200}
        body |= {} if version == "v3" else {"output_format": "v1.1"}
        found = self.ask(tenant, "POST", f"{_COMPAT}/{version}/memories/search/", json=body).json()["results"]
        shown = {one["id"]: one["memory"] for one in found}
        assert shown.items() <= wanted.items()
        if not foreign_words:
            assert shown == wanted

    @rule(name=tenants, user=users, version=st.sampled_from(("v1", "v2", "v3")))
    def mem0_list(self, name: str, user: str, version: str) -> None:
        tenant = self.tenants[name]
        wanted = sorted(m.id for m in tenant.active(SHARED) if m.user == user)[::-1]
        page = {"page_size": 100}
        if version == "v1":
            answer = self.ask(tenant, "GET", f"{_COMPAT}/v1/memories/", params={"user_id": user, **page})
        else:
            body = {"filters": {"user_id": user}}
            answer = self.ask(tenant, "POST", f"{_COMPAT}/{version}/memories/", json=body, params=page)
        shown = answer.json()
        assert shown["count"] == len(wanted)
        assert [one["id"] for one in shown["results"]] == wanted[:100]

    @rule(name=tenants, user=users)
    def mem0_entities(self, name: str, user: str) -> None:
        tenant = self.tenants[name]
        wanted = sum(m.user == user for m in tenant.active(SHARED))
        listed = self.ask(tenant, "GET", f"{_COMPAT}/v1/entities/").json()["results"]
        counts = {one["name"]: one["total_memories"] for one in listed if one["type"] == "user"}
        assert counts.get(user, 0) == wanted

    @rule(name=tenants, example=st.sampled_from(MEM0_ELSE))
    def mem0_else(self, name: str, example: Example) -> None:
        tenant = self.tenants[name]
        assert self.ask(tenant, "GET", f"{_COMPAT}/v1/ping/").json()["project_id"] == SHARED
        assert self.ask(tenant, example.method, example.template).status_code == 404

    @rule(name=tenants, which=whose, number=numbers, past=st.booleans())
    def mem0_read(self, name: str, which: str, number: int, past: bool) -> None:
        """A memory by its id: one of another namespace is as unknown as one of another tenant."""
        tenant = self.tenants[name]
        memory_id = self.pick(tenant, which, number)
        known = tenant.memories.get(memory_id)
        path = f"{_MEMORY}history/" if past else _MEMORY
        answer = self.ask(tenant, "GET", path, identifier=memory_id)
        if known is None or known.namespace != SHARED or known.state != "active":
            self.like_unknown(tenant, answer, "GET", path)
        elif past:
            assert answer.json()[-1]["new_memory"] == known.content
        else:
            assert answer.json()["memory"] == known.content

    @rule(name=tenants, which=whose, number=numbers)
    def mem0_update(self, name: str, which: str, number: int) -> None:
        tenant = self.tenants[name]
        memory_id = self.pick(tenant, which, number)
        known = tenant.memories.get(memory_id)
        body = {"text": self.text(tenant, number)}
        answer = self.ask(tenant, "PUT", _MEMORY, identifier=memory_id, json=body)
        if known is None or known.namespace != SHARED or known.state != "active":
            self.like_unknown(tenant, answer, "PUT", _MEMORY, json=body)
        else:
            assert answer.json()["memory"] == body["text"]
            tenant.note(memory_id, SHARED, body["text"], known.external_id)

    @rule(name=tenants, which=whose, number=numbers)
    def mem0_delete(self, name: str, which: str, number: int) -> None:
        tenant = self.tenants[name]
        memory_id = self.pick(tenant, which, number)
        known = tenant.memories.get(memory_id)
        answer = self.ask(tenant, "DELETE", _MEMORY, identifier=memory_id)
        if known is None or known.namespace != SHARED:
            self.like_unknown(tenant, answer, "DELETE", _MEMORY)
        else:
            assert answer.status_code == 200
            tenant.gone(memory_id)

    @rule(name=tenants, which=whose, number=numbers)
    def mem0_several(self, name: str, which: str, number: int) -> None:
        """A batch that names a memory which is not there changes nothing, and deletes only what is there."""
        tenant = self.tenants[name]
        own = [m for m in tenant.active(SHARED) if m.user is not None]
        if not own:
            return
        mine, other = own[number % len(own)], self.pick(tenant, which, number)
        known = tenant.memories.get(other)
        texts = [self.text(tenant, number + i) for i in range(2)]
        items = [{"memory_id": i, "text": text} for i, text in zip((mine.id, other), texts, strict=True)]
        answer = self.ask(tenant, "PUT", _BATCH, json={"memories": items})
        if known is None or known.namespace != SHARED or known.state != "active":
            assert answer.status_code == 404
        else:
            assert answer.status_code == 200
            for item in items:
                held = tenant.memories[item["memory_id"]]
                tenant.note(held.id, SHARED, item["text"], held.external_id)
        answer = self.ask(tenant, "DELETE", _BATCH, json={"memories": [{"memory_id": i} for i in (mine.id, other)]})
        self._erased(tenant, answer)
        for memory_id in {mine.id} | ({other} if known is not None and known.namespace == SHARED else set()):
            tenant.gone(memory_id)

    def _erased(self, tenant: Tenant, answer: httpx.Response) -> None:
        """What was to be erased is gone: at once, or, where the machine was held up, after the answer."""
        assert answer.status_code in (200, 202), answer.text
        by = time.monotonic() + _ERASED_WITHIN_S
        while answer.status_code == 202 and any(
            one["ended_at"] is None for one in self.ask(tenant, "GET", "/v1/erasures").json()["items"]
        ):
            assert time.monotonic() < by
            time.sleep(0.05)

    @rule(name=tenants, user=users, way=st.sampled_from(("all", "v1", "v2")))
    def mem0_delete_user(self, name: str, user: str, way: str) -> None:
        """The other tenant has a user of the same name."""
        tenant = self.tenants[name]
        if way == "all":
            answer = self.ask(tenant, "DELETE", f"{_COMPAT}/v1/memories/", params={"user_id": user})
        else:
            named = "entity_id:path" if way == "v1" else "name:path"
            template = f"{_COMPAT}/{way}/entities/{{kind}}/{{{named}}}/"
            shown = f"user:{user}" if way == "v1" else user
            answer = self.ask(tenant, "DELETE", f"{_COMPAT}/{way}/entities/user/{shown}/", route=template)
        self._erased(tenant, answer)
        for memory in [m for m in tenant.memories.values() if m.user == user and m.namespace == SHARED]:
            tenant.gone(memory.id)
