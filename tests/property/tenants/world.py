"""Where the rules play: the service, the two tenants, and what is looked for in every answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID, uuid4

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from tests.fixtures.routes import path_of
from tests.fixtures.service import Caller, Service, without_request_id
from tests.property.tenants.tenant import CANARIES, NAMESPACES, Tenant

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ALL_ROLES = ["read", "write", "erase", "export", "admin"]

tenants = st.sampled_from(tuple(CANARIES))
namespaces = st.sampled_from(NAMESPACES)
numbers = st.integers(0, 10**6)
users = st.sampled_from(("u1", "u2"))
# Whose id is named: one's own that is there, one's own that is hidden or gone, the other tenant's, nobody's.
whose = st.sampled_from(("own", "foreign", "forgotten", "erased", "unknown"))


@dataclass(slots=True)
class Played:
    """What was played so far.

    Attributes:
        steps: rules.
        requests: that they sent.
        routes: (method, template) of every route that was asked.
    """

    steps: int = 0
    requests: int = 0
    routes: set[tuple[str, str]] = field(default_factory=set)


class World(RuleBasedStateMachine):
    """What all rules share.

    Attributes:
        service: what is asked; set by who runs it.
        played: where what was played is counted; likewise.
    """

    service: ClassVar[Service]
    played: ClassVar[Played]

    @initialize()
    def begin(self) -> None:
        run = uuid4().hex[:8]
        self.tenants = {name: self._tenant(name, run) for name in CANARIES}
        self.written = 0
        for tenant in self.tenants.values():
            self._fill(tenant)
        self.played.steps -= 1  # the beginning is none

    @invariant()
    def counted(self) -> None:
        self.played.steps += 1

    def _tenant(self, name: str, run: str) -> Tenant:
        admin = self.service.tenant(f"{name}-{run}")
        tenant = Tenant(name, admin, {"admin": admin})
        for label, asked in {
            "reader": {"roles": ["read"]},
            "writer": {"roles": ["read", "write"]},
            "narrow": {"roles": _ALL_ROLES, "namespaces": ["user/ada/**"]},
            "revoked": {"roles": _ALL_ROLES},
        }.items():
            made = admin.ask("POST", "/v1/keys", json={"name": f"{label} {tenant.canary}", **asked}).json()
            tenant.callers[label] = Caller(self.service, made["secret"])
            tenant.has_key(made["id"], made["secret"])
            if label == "revoked":
                assert admin.ask("DELETE", f"/v1/keys/{made['id']}").status_code == 204
        return tenant

    def _fill(self, tenant: Tenant) -> None:
        """Memories in every state from the first step on, called the same as the other tenant's."""
        for namespace in NAMESPACES:
            texts = [self.text(tenant, i) for i in range(4)]
            items = [{"content": text, "external_id": f"x{i}"} for i, text in enumerate(texts)]
            body = {"namespace": namespace, "memories": items}
            made = tenant.admin.ask("POST", "/v1/memories:batch", json=body).json()["items"]
            for item, text in zip(made, texts, strict=True):
                tenant.note(item["id"], namespace, text, item["external_id"])
            if namespace != NAMESPACES[0]:
                continue  # changes cost more than all the rest of a beginning
            forgotten, erased = made[2]["id"], made[3]["id"]
            assert tenant.admin.forget(forgotten).status_code == 200
            tenant.memories[forgotten].state, tenant.memories[forgotten].version = "forgotten", 2
            assert tenant.admin.erase(erased).status_code == 204
            tenant.gone(erased)

    def other(self, tenant: Tenant) -> Tenant:
        """The tenant that must learn nothing of this one."""
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
        self.played.routes.add((method, route or template))
        self.played.requests += 1
        answer = (caller or tenant.admin).ask(method, path_of(template, identifier), **given)
        assert answer.status_code < 500, answer.text
        shown, other = answer.text + str(answer.headers), self.other(tenant)
        assert other.canary not in shown, (template, answer.text)
        assert other.ids.isdisjoint(_ID.findall(shown)), (template, answer.text)
        assert not any(secret in shown for secret in other.secrets), (template, answer.text)
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
        """Of a memory to come: none like it was there before."""
        self.written += 1
        return f"{tenant.canary} step{self.written} word{number % 5}"
