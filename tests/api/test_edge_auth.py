"""Keys: who gets in, as whom, and how soon nobody does any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from memsvc.auth import keys
from memsvc.auth.authenticate import RequireRole
from memsvc.core.errors import StartupRefused
from memsvc.http.routes import plain_routes
from memsvc.main import ROUTES, create_app
from tests.fixtures.edge import Edge, assert_problem, bearer, running
from tests.fixtures.routes import CONSOLE, NOT_REST

PUBLIC = {"/livez", "/readyz"}
# Starlette's own, which exist on loopback only, and files without data of anyone.
DOCUMENTATION = CONSOLE | {"/openapi.json", "/docs", "/docs/oauth2-redirect"}


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    with running(tmp_path, auth="keys") as made:
        yield made


@pytest.fixture
def admin(edge: Edge) -> dict[str, str]:
    return bearer(edge.container.admin_secret())


def make(edge: Edge, by: dict[str, str], **wanted: Any) -> dict[str, Any]:
    answer = edge.ask("POST", "/v1/keys", headers=by, json={"name": "made"} | wanted)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_every_route_declares_a_role_or_is_public(edge: Edge) -> None:
    app = create_app(edge.container, ROUTES, is_started=True)
    app.state.pool.close()
    found = 0
    for route in plain_routes(app.routes):
        if route.path in NOT_REST:  # takes any key; what it calls with it are these routes
            continue
        if isinstance(route, APIRoute):
            roles = [d.call.role for d in route.dependant.dependencies if isinstance(d.call, RequireRole)]
            assert len(roles) == (0 if route.path in PUBLIC else 1), route.path
            found += 1
        else:
            assert route.path in DOCUMENTATION
    assert found > 10


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer  ", "Bearer a b", "Bearer " + "x" * 10_000, "Bearer msk_é", "Basic YTpi",
     "msk_" + "A" * 43, "Bearer msk_" + "A" * 43, "Bearer msk_" + "A" * 42, "Bearer msk_" + "A" * 44, "Bearer null",
     "Bearer msk_" + "A" * 43 + "\x7f", "Bearer {nearly}"],
)  # fmt: skip
def test_all_bad_keys_get_the_same_answer(edge: Edge, header: str | None) -> None:
    secret = edge.container.admin_secret()
    nearly = secret[:-1] + ("A" if secret[-1] != "A" else "E")
    headers = {} if header is None else {b"authorization": header.format(nearly=nearly).encode()}
    body = assert_problem(edge.ask("GET", "/v1/things", headers=headers), 401, "unauthenticated")
    plain = assert_problem(edge.ask("GET", "/v1/things"), 401)
    assert {**body, "request_id": ""} == {**plain, "request_id": ""}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nope"), ("PUT", "/v1/things"), ("GET", "/metrics"), ("GET", "/v1/version")]
)
def test_without_a_key_nothing_is_told_but_the_probes(
    edge: Edge, admin: dict[str, str], method: str, path: str
) -> None:
    answer = edge.ask(method, path)
    assert_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "allow" not in answer.headers
    assert edge.ask(method, path, headers=admin).status_code != 401
    assert edge.ask("GET", "/livez").status_code == edge.ask("GET", "/readyz").status_code == 200


def test_the_key_is_checked_before_the_body(edge: Edge) -> None:
    assert_problem(edge.raw(b"not json at all"), 401)
    assert_problem(edge.ask("POST", "/v1/things", content=b"x", headers={"content-type": "text/plain"}), 401)


@pytest.mark.parametrize(
    "query",
    ["api_key={}", "apikey={}", "access_token={}", "token={}", "x={}", "x=Bearer%20{}", "x={}&y", "API-KEY=x",
     "authorization=x"],
)  # fmt: skip
def test_a_key_in_the_url_is_refused_and_not_repeated(edge: Edge, query: str) -> None:
    secret = edge.container.admin_secret()
    answer = edge.ask("GET", "/v1/things?" + query.format(secret), headers=bearer(secret))
    assert_problem(answer, 400, "malformed_request")
    assert secret not in answer.text


@pytest.mark.parametrize("cursor", ["msk_", "abMSK_cd", "mSk_" + "A" * 43, "amsk_" + "A" * 43, "msk_" + "A" * 150])
def test_a_cursor_that_looks_a_little_like_a_key_is_none(edge: Edge, cursor: str) -> None:
    answer = edge.ask("GET", f"/v1/things?cursor={cursor}", headers=bearer(edge.container.admin_secret()))
    assert "Authorization" not in answer.text


def test_two_keys_are_refused(edge: Edge) -> None:
    secret = edge.container.admin_secret()
    twice = [("authorization", f"Bearer {secret}"), ("authorization", f"Bearer {secret}")]
    assert_problem(edge.ask("GET", "/v1/things", headers=twice), 400)


def test_a_missing_role_is_named(edge: Edge, admin: dict[str, str]) -> None:
    reader = bearer(make(edge, admin, roles=["read"])["secret"])
    assert edge.ask("GET", "/v1/things", headers=reader).status_code == 200
    body = assert_problem(edge.ask("DELETE", "/v1/things", headers=reader), 403, "forbidden")
    assert "'erase'" in body["detail"]
    assert_problem(edge.ask("GET", "/metrics", headers=reader), 403)
    assert_problem(edge.ask("GET", "/v1/keys", headers=reader), 403)


def test_the_secret_is_shown_once_and_kept_nowhere(edge: Edge, admin: dict[str, str], tmp_path: Path) -> None:
    made = make(edge, admin)
    assert made["roles"] == ["read", "write"]
    listed = edge.ask("GET", "/v1/keys", headers=admin)
    assert made["secret"] not in listed.text
    assert made["prefix"] == made["secret"][:10]
    assert made["id"] in listed.text
    for file in tmp_path.iterdir():
        assert made["secret"].encode() not in file.read_bytes()


def test_a_key_lives_and_dies(edge: Edge, admin: dict[str, str]) -> None:
    made = make(edge, admin)
    assert edge.ask("GET", "/v1/things", headers=bearer(made["secret"])).status_code == 200
    assert edge.ask("DELETE", f"/v1/keys/{made['id']}", headers=admin).status_code == 204
    assert_problem(edge.ask("GET", "/v1/things", headers=bearer(made["secret"])), 401)
    assert_problem(edge.ask("DELETE", f"/v1/keys/{made['id']}", headers=admin), 404)
    (listed,) = [key for key in edge.ask("GET", "/v1/keys", headers=admin).json()["items"] if key["id"] == made["id"]]
    assert listed["revoked_at"].endswith("Z")


def test_a_key_expires_on_the_clock(edge: Edge, admin: dict[str, str]) -> None:
    soon = edge.container.clock.now() + timedelta(minutes=1)
    secret = make(edge, admin, expires_at=soon.isoformat())["secret"]
    assert edge.ask("GET", "/v1/things", headers=bearer(secret)).status_code == 200
    edge.container.clock.offset = timedelta(minutes=2)
    assert_problem(edge.ask("GET", "/v1/things", headers=bearer(secret)), 401)


def test_a_key_revoked_elsewhere_is_refused_within_the_delay(
    edge: Edge, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(keys, "monotonic", lambda: now[0])
    made = make(edge, admin)
    assert edge.ask("GET", "/v1/things", headers=bearer(made["secret"])).status_code == 200
    elsewhere = keys.KeyService(edge.container.database, edge.container.secrets, edge.container.clock)
    (record,) = [r for r in elsewhere.page(_tenant(edge, admin), None, 50) if str(r.id) == made["id"]]
    elsewhere.revoke(record.tenant_id, record.id)
    now[0] += keys.REVOCATION_DELAY_S
    assert_problem(edge.ask("GET", "/v1/things", headers=bearer(made["secret"])), 401)


def _tenant(edge: Edge, by: dict[str, str]) -> Any:
    return edge.container.keys.find(by["authorization"].removeprefix("Bearer ")).tenant_id  # type: ignore[union-attr]


def test_a_known_key_needs_no_look_at_the_database(
    edge: Edge, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert edge.ask("GET", "/v1/things", headers=admin).status_code == 200

    def gone() -> None:
        raise AssertionError("looked at the database")

    monkeypatch.setattr(edge.container.database, "read", gone)
    assert edge.ask("GET", "/v1/things", headers=admin).status_code == 200


def test_an_admin_gives_no_more_than_it_has(edge: Edge, admin: dict[str, str]) -> None:
    small = bearer(make(edge, admin, roles=["admin", "read"], namespaces=["user/*/notes", "team/**"])["secret"])
    assert_problem(edge.ask("POST", "/v1/keys", headers=small, json={"name": "x", "roles": ["erase"]}), 403)
    for pattern in ("**", "user/**", "user/*", "*/a/notes", "*", "teams"):
        wanted = {"name": "x", "roles": ["read"], "namespaces": [pattern]}
        assert_problem(edge.ask("POST", "/v1/keys", headers=small, json=wanted), 403)
    for pattern in ("user/ada/notes", "user/*/notes", "team/**", "team/a/**", "team/*/x", "team"):
        assert make(edge, small, roles=["read"], namespaces=[pattern])["namespaces"] == [pattern]


def test_tenants_do_not_see_each_other(edge: Edge, admin: dict[str, str]) -> None:
    other = bearer(edge.container.admin_secret("other"))
    made = make(edge, admin)
    assert_problem(edge.ask("DELETE", f"/v1/keys/{made['id']}", headers=other), 404)
    assert made["id"] not in edge.ask("GET", "/v1/keys", headers=other).text
    unknown = edge.ask("DELETE", "/v1/keys/0198c5a0-0000-7000-8000-000000000000", headers=other).json()
    foreign = edge.ask("DELETE", f"/v1/keys/{made['id']}", headers=other).json()
    assert {**unknown, "request_id": ""} == {**foreign, "request_id": ""}
    cursor = edge.ask("GET", "/v1/keys?limit=1", headers=admin).json()["next_cursor"]
    assert_problem(edge.ask("GET", f"/v1/keys?cursor={cursor}", headers=other), 400, "bad_cursor")


def test_pages_of_keys_hold_every_key_once(edge: Edge, admin: dict[str, str]) -> None:
    wanted = [make(edge, admin)["id"] for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = edge.ask("GET", "/v1/keys?limit=2" + cursor, headers=admin).json()
        seen += [key["id"] for key in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen[1:] == wanted
    for bad in ("x", "A" * 3000, cursor[8:-2]):
        assert_problem(edge.ask("GET", f"/v1/keys?cursor={bad}", headers=admin), 400, "bad_cursor")


@pytest.mark.parametrize(
    "wanted",
    [{}, {"name": ""}, {"name": " "}, {"name": "x" * 201}, {"name": "x", "roles": []}, {"name": "x", "roles": ["root"]},
     {"name": "x", "roles": "read"}, {"name": "x", "namespaces": []}, {"name": "x", "namespaces": ["a//b"]},
     {"name": "x", "namespaces": ["**/a"]}, {"name": "x", "namespaces": ["a*"]}, {"name": "x", "tenant_id": "y"},
     {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, {"name": "x", "secret": "mine"}],
)  # fmt: skip
def test_keys_are_made_strictly(edge: Edge, admin: dict[str, str], wanted: dict[str, Any]) -> None:
    assert_problem(edge.ask("POST", "/v1/keys", headers=admin, json=wanted), 422)


def test_a_bad_key_id_is_not_found(edge: Edge, admin: dict[str, str]) -> None:
    for text in ("nope", "{0198c5a0-0000-7000-8000-000000000000}", "1'%20OR%201=1", "%00"):
        assert_problem(edge.ask("DELETE", f"/v1/keys/{text}", headers=admin), 404)


def test_in_open_mode_a_key_is_optional_but_must_be_good(tmp_path: Path) -> None:
    with running(tmp_path) as edge:
        anonymous = edge.raw(b'{"text": "a"}').json()["tenant"]
        other = bearer(edge.container.admin_secret("other"))
        assert edge.raw(b'{"text": "a"}', **other).json()["tenant"] != anonymous
        assert edge.raw(b'{"text": "a"}', **bearer(edge.container.admin_secret())).json()["tenant"] == anonymous
        assert_problem(edge.raw(b'{"text": "a"}', **bearer("msk_" + "A" * 43)), 401)


def test_a_public_address_without_any_key_refuses_to_start(tmp_path: Path) -> None:
    with pytest.raises(StartupRefused, match="admin-key"), running(tmp_path, host="192.0.2.1"):
        pass


def test_keys_of_another_server_are_unknown(edge: Edge, tmp_path: Path) -> None:
    with running(tmp_path / "other", auth="keys") as other:
        foreign = bearer(other.container.admin_secret())
        assert_problem(edge.ask("GET", "/v1/things", headers=foreign), 401)
