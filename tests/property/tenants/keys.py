"""Rules for keys: what one may not do, or not there, it learns nothing by."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.fixtures.routes import BO, EXAMPLES, MEM0, MEM0_ELSE, Example
from tests.fixtures.service import Caller
from tests.property.tenants.tenant import Tenant
from tests.property.tenants.world import World, numbers, tenants

_ALL = (*EXAMPLES, *MEM0)
_SHARES = 12
"""A step asks one in so many routes."""

shares = st.integers(0, _SHARES - 1)


class Keys(World):
    """Keys of every kind, over every route."""

    def teardown(self) -> None:
        """Whatever was done, who has no key is refused everywhere."""
        if hasattr(self, "tenants"):  # a run may be broken off before it begins
            tenant = self.tenants["one" if self.written % 2 else "two"]
            for example in _ALL:
                self._lesser_key(tenant, example, "none", 0)

    @rule(name=tenants, foreign=st.booleans())
    def make_and_revoke(self, name: str, foreign: bool) -> None:
        tenant = self.tenants[name]
        body = {"name": f"short {tenant.canary}", "roles": ["read"]}
        made = self.ask(tenant, "POST", "/v1/keys", json=body).json()
        tenant.has_key(made["id"], made["secret"])
        target = self.other(tenant).key_ids[0] if foreign else made["id"]
        answer = self.ask(tenant, "DELETE", "/v1/keys/{key_id}", identifier=target)
        if foreign:
            self.like_unknown(tenant, answer, "DELETE", "/v1/keys/{key_id}")
        else:
            assert answer.status_code == 204

    @rule(name=tenants)
    def list_keys(self, name: str) -> None:
        tenant = self.tenants[name]
        page = self.ask(tenant, "GET", "/v1/keys", params={"limit": 200})
        assert not any(secret in page.text for secret in tenant.secrets)
        assert {item["id"] for item in page.json()["items"]} >= set(tenant.key_ids[-100:])

    @rule(name=tenants, label=st.sampled_from(("reader", "writer", "revoked", "none")), share=shares, number=numbers)
    def lesser_key(self, name: str, label: str, share: int, number: int) -> None:
        for example in _ALL[share::_SHARES]:
            self._lesser_key(self.tenants[name], example, label, number)

    def _lesser_key(self, tenant: Tenant, example: Example, label: str, number: int) -> None:
        allowed = {"reader": {"read"}, "writer": {"read", "write"}}.get(label, set())
        if example.role in allowed and example.role != "read":
            label = "none"  # what it may write, the other rules write
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
            needs_a_query = example.template == "/compat/mem0/v1/memories/"
            assert answer.status_code in (200, 404) or needs_a_query

    @rule(name=tenants, share=shares, number=numbers)
    def narrow_key(self, name: str, share: int, number: int) -> None:
        for example in _ALL[share::_SHARES]:
            self._narrow_key(self.tenants[name], example, number)

    def _narrow_key(self, tenant: Tenant, example: Example, number: int) -> None:
        """A key for one namespace meets what lies in another."""
        caller = tenant.callers["narrow"]
        if example in MEM0:
            own = self.pick(tenant, "own", number)
            answer = self.ask(
                tenant, example.method, example.template, identifier=own, caller=caller, **example.given()
            )
            assert answer.status_code == (404 if example in MEM0_ELSE else 403)
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
