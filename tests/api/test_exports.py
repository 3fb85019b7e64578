"""POST /v1/exports and /v1/imports: a namespace out as one file and back, whole, and nothing that was erased."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from memsvc.exports.parts import MEMORIES, PARTS, VERSIONS
from memsvc.exports.sealing import Written, opened, pieces
from tests.fixtures.service import DIM, Caller, Service, assert_problem, serving, timeless

TAR = {"content-type": "application/x-tar"}


@pytest.fixture
def bo(shared: Service) -> Caller:
    """A tenant of a service that others share: for what depends on no database."""
    return shared.tenant(f"bo-{uuid4().hex[:8]}")


def exported(caller: Caller, namespace: str | None = None) -> bytes:
    answer = caller.ask("POST", "/v1/exports", json={"namespace": namespace or caller.namespace})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-tar"
    assert int(answer.headers["content-length"]) == len(answer.content)
    return answer.content


def import_(caller: Caller, namespace: str, file: bytes, headers: dict[str, str] = TAR) -> Any:
    return caller.ask("POST", "/v1/imports", params={"namespace": namespace}, content=file, headers=headers)


def brought(caller: Caller, namespace: str, file: bytes) -> dict[str, Any]:
    answer = import_(caller, namespace, file)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def unpacked(file: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(file)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def packed(parts: dict[str, bytes], **kinds: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in parts.items():
            info = tarfile.TarInfo(name)
            info.size, info.type = len(content), kinds.get(name.partition(".")[0], tarfile.REGTYPE)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def resealed(service: Service, file: bytes, **changed: Any) -> bytes:
    """An export that somebody with the secret changed: parts by their name before the dot, else in the manifest."""
    parts = unpacked(file)
    manifest = json.loads(parts.pop("manifest.json"))
    parts.pop("manifest.sig")
    parts |= {name: changed.pop(name.partition(".")[0]) for name in list(parts) if name.partition(".")[0] in changed}
    written = [Written(n, io.BytesIO(c), len(c), hashlib.sha256(c).hexdigest()) for n, c in parts.items()]
    return b"".join(pieces(manifest | changed, written, service.container.secrets)[1])


def filled(caller: Caller) -> list[str]:
    """A namespace with some of everything; ids of the memories."""
    first = caller.remember("Ada lives in Paris", external_id="e1", metadata={"n": 2**53, "s": "\u00e9\u2028"})["id"]
    second = caller.remember("Ada moved to Rome", links=[{"relation": "follows", "memory_id": first}], session_id="s1")[
        "id"
    ]
    caller.edit(first, content="Ada lived in Paris until 2024")
    hidden = caller.remember("a secret of Bo")["id"]
    caller.forget(hidden)
    caller.ask("POST", f"/v1/memories/{second}:hold", json={"reason": "case 17"})
    care = {"namespace": caller.namespace, "policy": {"prior": 0.25}, "schedules": {"fade": "every 3600s"}}
    assert caller.ask("PUT", "/v1/policy", json=care).status_code == 200
    return [first, second, hidden]


def shown(caller: Caller) -> Any:
    """What a caller sees of a namespace."""
    listed = caller.list(limit=50)["items"]
    return timeless(
        {
            "items": [{k: v for k, v in item.items() if k not in ("id", "namespace")} for item in listed],
            "policy": caller.ask("GET", "/v1/policy", params={"namespace": caller.namespace}).json()["policy"],
            "hits": [
                (hit["memory"]["content"], round(hit["score"], 4), sorted(hit["channels"]))
                for hit in caller.recall("where did Ada live")["hits"]
            ],
            "histories": [
                [{k: v for k, v in one.items() if k != "id"} for one in caller.history(item["id"])] for item in listed
            ],
        }
    )


def test_a_copy_in_the_same_tenant_gets_ids_of_its_own(ada: Caller) -> None:
    ids = filled(ada)
    copy = Caller(ada.service, ada.secret, "user/copy")
    found = brought(ada, copy.namespace, exported(ada))

    assert found | {"seq": 0} == {
        "namespace": "user/copy", "memories": 3, "erased": 0, "ids_kept": False, "reembedded": 0,
        "redacted": 0, "quarantined": 0, "seq": 0,
    }  # fmt: skip
    assert shown(copy) == shown(ada)
    there = [item["id"] for item in copy.list()["items"]]
    assert not set(there) & set(ids)
    by_content = {item["content"]: item["id"] for item in copy.list()["items"]}
    moved, lived = by_content["Ada moved to Rome"], by_content["Ada lived in Paris until 2024"]
    assert ("follows", lived, "out") in copy.links(moved) or any(to == lived for _, to, _ in copy.links(moved))
    assert copy.get(moved).json()["legal_hold"] is True
    assert all(verdict.equal for verdict in ada.service.container.keeper.verify())


def test_ids_stay_where_the_tenant_has_them_no_more(database_url: str, tmp_path: Path) -> None:
    secret = "s" * 40
    with serving(tmp_path / "a", secret=secret) as first:
        one = first.tenant("one")
        ids = filled(one)
        file = exported(one)
        tenant = json.loads(unpacked(file)["manifest.json"])["tenant"]
    with serving(tmp_path / "b", database_url, secret=secret) as second:
        other = second.tenant("one")
        ours = json.loads(unpacked(exported_after(other))["manifest.json"])["tenant"]
        assert ours != tenant
        same = resealed(second, file, tenant=ours)
        assert brought(other, "user/back", same)["ids_kept"] is True
        back = Caller(second, other.secret, "user/back")
        assert {item["id"] for item in back.list()["items"]} == set(ids[:2])
        assert brought(other, "user/again", same)["ids_kept"] is False


def exported_after(caller: Caller) -> bytes:
    caller.namespace = "user/other"
    caller.remember("something")
    return exported(caller)


def test_what_was_erased_does_not_come_back(ada: Caller) -> None:
    first, _, hidden = filled(ada)
    file = exported(ada)
    for one in (first, hidden):
        assert ada.erase(one).status_code == 204
    copy = Caller(ada.service, ada.secret, "user/copy")
    found = brought(ada, copy.namespace, file)

    assert (found["memories"], found["erased"]) == (1, 2)
    assert copy.listed() == ["Ada moved to Rome"]
    assert copy.links(copy.list()["items"][0]["id"]) == set()
    assert ada.service.container.keeper.verify()


def test_a_text_that_was_read_in_the_light_of_something_erased_is_read_again(bo: Caller) -> None:
    first = bo.remember("Rome is warm in May", session_id="s")["id"]
    bo.remember("She lives there", session_id="s")
    file = exported(bo)
    assert bo.erase(first).status_code == 204
    found = brought(bo, "user/copy", file)

    assert (found["memories"], found["erased"], found["reembedded"]) == (1, 1, 1)
    copy, left = unpacked(exported(bo, "user/copy")), unpacked(exported(bo))
    before = unpacked(file)
    assert copy["vectors.safetensors"] == left["vectors.safetensors"] != before["vectors.safetensors"]
    codes = [json.loads(parts["tokens.ndjson"].splitlines()[-1])["codes"] for parts in (copy, left, before)]
    assert codes[0] == codes[1] != codes[2]


def test_another_model_reads_every_text_again(tmp_path: Path) -> None:
    secret = "s" * 40
    with serving(tmp_path / "a", secret=secret) as first:
        one = first.tenant("one")
        filled(one)
        file = exported(one)
    with (
        serving(tmp_path / "b", secret=secret, embedder=f"hashing:{DIM // 2}")
        if False
        else serving(tmp_path / "b", secret=secret) as second
    ):
        other = second.tenant("two")
        strange = resealed(second, file, space={"model": "another", "dim": DIM})
        found = brought(other, "user/new", strange)
        assert found["reembedded"] == 4
        there = Caller(second, other.secret, "user/new")
        assert there.found("where did Ada live")
        assert there.stats()["embedding_model"] == f"hashing-{DIM}"
        assert all(verdict.equal for verdict in second.container.keeper.verify())


def test_nothing_is_written_where_something_is(bo: Caller) -> None:
    filled(bo)
    file = exported(bo)
    assert_problem(import_(bo, bo.namespace, file), 409)


def test_rights(bo: Caller) -> None:
    filled(bo)
    file = exported(bo)
    assert_problem(bo.key(roles=["read", "write"]).ask("POST", "/v1/exports", json={"namespace": "user/ada"}), 403)
    narrow = bo.key(roles=["export", "admin"], namespaces=["user/bo"])
    assert_problem(narrow.ask("POST", "/v1/exports", json={"namespace": "user/ada"}), 403)
    assert_problem(import_(narrow, "user/ada", file), 403)
    assert_problem(import_(bo.key(roles=["export", "write"]), "user/x", file), 403)
    assert_problem(bo.ask("POST", "/v1/exports", json={"namespace": "user/none"}), 404)
    assert_problem(
        bo.service.tenant(f"two-{uuid4().hex[:8]}").ask("POST", "/v1/exports", json={"namespace": "user/ada"}), 404
    )


def test_the_file_is_what_it_says(bo: Caller) -> None:
    filled(bo)
    parts = unpacked(exported(bo))

    assert {part.name for part in PARTS} | {"manifest.json", "manifest.sig", "vectors.safetensors"} == parts.keys()
    safetensors = pytest.importorskip("safetensors.numpy").load(parts["vectors.safetensors"])
    assert safetensors["vectors"].shape == (len(parts["vectors.ndjson"].splitlines()), DIM)
    manifest = json.loads(parts["manifest.json"])
    assert manifest["space"] == {"model": f"hashing-{DIM}", "dim": DIM}
    assert manifest["seq"] == bo.stats()["head_seq"]
    assert len(parts[VERSIONS.name].splitlines()) == 5


@pytest.mark.parametrize("at", [600, 3_000, -3_000])
def test_a_changed_byte_is_seen(bo: Caller, at: int) -> None:
    filled(bo)
    file = bytearray(exported(bo))
    file[at] ^= 1
    before = bo.ask("GET", "/v1/namespaces").json()
    assert_problem(import_(bo, "user/x", bytes(file)), 422)
    assert bo.ask("GET", "/v1/namespaces").json() == before


def test_what_is_no_export_is_refused(bo: Caller) -> None:
    filled(bo)
    file = exported(bo)
    parts = unpacked(file)
    bad = [
        b"", b"garbage" * 500, file[: len(file) // 2], file[:512], bytes(10_240),
        packed(parts | {"../../etc/passwd": b"x"}), packed({"/etc/x": b"x"}), packed({"manifest.json": b"{}"}),
        packed({name: c for name, c in parts.items() if name != "links.ndjson"}),
        packed(parts, memories=tarfile.SYMTYPE), packed(parts, memories=tarfile.DIRTYPE),
        packed(parts | {"manifest.sig": b"0" * 64}), packed(parts | {"manifest.json": b"[" * 100_000}),
        gzip.compress(file),
    ]  # fmt: skip
    for one in bad:
        assert_problem(import_(bo, "user/x", one), 422)
    assert_problem(import_(bo, "user/x", file, {"content-type": "application/json"}), 415)
    assert_problem(import_(bo, "user/x", file, TAR | {"content-encoding": "gzip"}), 415)
    assert [one["namespace"] for one in bo.ask("GET", "/v1/namespaces").json()["items"]] == ["user/ada"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"not json\n", "not JSON"),
        (b"[]\n", "not the columns"),
        (b"\xff\xfe\n", "not JSON"),
        (b'{"id": 1}\n', "not the columns"),
        (b"[" * 100_000 + b"\n", "nested"),
    ],
)
def test_a_broken_line_is_named_even_by_whoever_can_sign(bo: Caller, line: bytes, said: str) -> None:
    filled(bo)
    file = exported(bo)
    rows = unpacked(file)[MEMORIES.name].splitlines(keepends=True)
    answer = import_(bo, "user/x", resealed(bo.service, file, memories=rows[0] + line + b"".join(rows[1:])))

    problem = assert_problem(answer, 422)
    assert "memories.ndjson, line 2" in problem["detail"]
    assert said in problem["detail"]


def test_a_wrong_value_is_named(bo: Caller) -> None:
    filled(bo)
    file = exported(bo)
    row = json.loads(unpacked(file)[MEMORIES.name].splitlines()[0])
    for name, value in {
        "id": 7,
        "recorded_at": "soon",
        "pinned": 1,
        "kind": True,
        "tags": "x",
        "version": None,
    }.items():
        line = json.dumps(row | {name: value}).encode() + b"\n"
        problem = assert_problem(import_(bo, "user/x", resealed(bo.service, file, memories=line)), 422)
        assert f"`{name}`" in problem["detail"]


def test_rows_that_do_not_hold_together_are_refused_whole(ada: Caller) -> None:
    filled(ada)
    file = exported(ada)
    twice = unpacked(file)[VERSIONS.name] * 2
    assert_problem(import_(ada, "user/x", resealed(ada.service, file, versions=twice)), 409)
    assert [one["namespace"] for one in ada.ask("GET", "/v1/namespaces").json()["items"]] == ["user/ada"]


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with serving(tmp_path, import_max_bytes=2_048) as service:
        caller = service.tenant("one")
        assert_problem(import_(caller, "user/x", bytes(4_096)), 413)


def test_another_server_does_not_take_it(tmp_path: Path, bo: Caller) -> None:
    filled(bo)
    file = exported(bo)
    with serving(tmp_path / "other", secret="t" * 40) as service:
        problem = assert_problem(import_(service.tenant("one"), "user/x", file), 422)
        assert "signature" in problem["detail"]
    opened(io.BytesIO(file), bo.service.container.secrets)
