"""mem0's own client, as it is published, against the service on a port; `make mem0-client` gets it."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from memsvc_client.importers import KINDS, Kind
from tests.fixtures.listening import listening
from tests.fixtures.service import Service, serving

FOLDER = Path(os.environ.get("MEMSVC_TEST_MEM0", Path(__file__).parents[2] / ".mem0-client"))
OLDER = [line for line in Path(__file__).with_name("mem0-older.txt").read_text().split("\n") if line[:1].isdigit()]
pytestmark = pytest.mark.skipif(not (FOLDER / "mem0").is_dir(), reason="mem0's client is not there: make mem0-client")


@pytest.fixture(scope="module")
def mem0(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are about the client's own dependencies
        patch.setenv("MEM0_TELEMETRY", "False")
        patch.setenv("MEM0_DIR", str(tmp_path_factory.mktemp("mem0")))
        patch.setattr(sys, "path", [*sys.path, str(FOLDER)])
        yield importlib.import_module("mem0")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service"), mem0_namespace="mem0") as running:
        yield running


@pytest.fixture(scope="module")
def host(service: Service) -> Iterator[str]:
    with listening(service.app) as port:
        yield f"http://127.0.0.1:{port}/compat/mem0"


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client() as connection:  # the client closes none of its own
        yield connection


@pytest.fixture
def client(mem0: Any, service: Service, host: str, http: httpx.Client, request: pytest.FixtureRequest) -> Any:
    return mem0.MemoryClient(api_key=service.tenant(request.node.name[:60]).secret, host=host, client=http)


def test_the_quick_start(client: Any) -> None:
    """Add, search, get_all: https://docs.mem0.ai/platform/quickstart."""
    messages = [
        {"role": "user", "content": "Hi, I'm Alex. I'm a vegetarian and I'm allergic to nuts."},
        {"role": "assistant", "content": "Hello Alex! I see that you're a vegetarian with a nut allergy."},
        {"role": "user", "content": "What should I cook?"},
    ]

    added = client.add(messages, user_id="alex", metadata={"food": "vegan"})

    assert [(one["event"], one["memory"]) for one in added["results"]] == [
        ("ADD", messages[0]["content"]),
        ("ADD", messages[1]["content"]),
    ]
    found = client.search("What is Alex allergic to?", filters={"user_id": "alex"})["results"]
    assert {one["id"] for one in found} == {one["id"] for one in added["results"]}
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    assert all(0 <= one["score"] <= 1 and one["user_id"] == "alex" for one in found)
    everything = client.get_all(filters={"AND": [{"user_id": "alex"}, {"metadata": {"food": "vegan"}}]})
    assert everything["count"] == 2
    assert everything["next"] is everything["previous"] is None
    assert client.search("What is Alex allergic to?", filters={"user_id": "bob"}) == {"results": []}


def test_the_life_of_a_memory(client: Any, mem0: Any) -> None:
    (added,) = client.add("I live in Oslo", user_id="ada", run_id="trip", infer=False)["results"]

    updated = client.update(added["id"], text="I live in Rome", metadata={"sure": True})
    client.update(added["id"], expiration_date="2099-12-31")

    assert updated["memory"] == "I live in Rome"
    kept = client.get(added["id"])
    assert (kept["memory"], kept["run_id"], kept["metadata"]) == ("I live in Rome", "trip", {"sure": True})
    assert kept["expiration_date"] is not None
    changes = client.history(added["id"])
    assert [(one["event"], one["old_memory"], one["new_memory"]) for one in changes[:2]] == [
        ("ADD", None, "I live in Oslo"),
        ("UPDATE", "I live in Oslo", "I live in Rome"),
    ]
    assert client.delete(added["id"])["message"]
    with pytest.raises(importlib.import_module("mem0.exceptions").MemoryNotFoundError) as gone:
        client.get(added["id"])
    assert gone.value.message == "there is no such memory"


def test_pages_batches_and_entities(client: Any) -> None:
    ids = [
        client.add(f"Number {n} is mine", user_id=f"u/{n % 2}", agent_id="bot")["results"][0]["id"] for n in range(5)
    ]
    filters = {"OR": [{"user_id": "u/0"}, {"user_id": "u/1"}]}

    first = client.get_all(filters=filters, page=1, page_size=3)
    second = client.get_all(filters=filters, page=2, page_size=3)

    assert [one["id"] for one in first["results"] + second["results"]] == ids[::-1]
    assert (first["count"], second["next"]) == (5, None)
    assert "page=2" in first["next"]
    client.batch_update([{"memory_id": one, "text": f"changed {n}"} for n, one in enumerate(ids[:2])])
    assert client.get(ids[1])["memory"] == "changed 1"
    client.batch_delete([{"memory_id": ids[0]}])
    users = {(one["type"], one["name"]): one["total_memories"] for one in client.users()["results"]}
    assert users == {("agent", "bot"): 4, ("user", "u/0"): 2, ("user", "u/1"): 2}
    client.delete_users(user_id="u/0")
    client.delete_all(user_id="u/1")
    assert client.get_all(filters={"agent_id": "*"})["count"] == 0


def test_what_is_refused_comes_as_its_own_exceptions(client: Any, mem0: Any, host: str, http: httpx.Client) -> None:
    exceptions = importlib.import_module("mem0.exceptions")
    with pytest.raises(exceptions.ValidationError, match="user_id"):
        client.delete_all()
    with pytest.raises(exceptions.ValidationError, match="user_id"):
        client.add("nobody's")
    with pytest.raises(exceptions.MemoryNotFoundError, match="not offered"):
        client.get_profile("alex")
    with pytest.raises(ValueError, match="API key"):
        mem0.MemoryClient(api_key="msk_wrong", host=host, client=http)


@pytest.mark.parametrize("version", OLDER)
def test_older_versions_need_no_change_but_the_host(service: Service, host: str, tmp_path: Path, version: str) -> None:
    folder = FOLDER / "older" / version
    if not folder.is_dir():
        pytest.skip("this version is not there: make mem0-client")
    paths = {"PYTHONPATH": f"{folder}{os.pathsep}{FOLDER}", "MEM0_DIR": str(tmp_path), "HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", str(Path(__file__).with_name("mem0_older.py")),
         host + ("/v1" if version.startswith("0.0.") else ""), service.tenant(f"older {version}").secret],
        env={**os.environ, **paths, "MEM0_TELEMETRY": "False"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)

    def texts(answer: Any) -> list[str]:
        is_plain = version.startswith("0.")
        assert isinstance(answer, list if is_plain else dict)
        return [one["memory"] for one in (answer if is_plain else answer["results"])]

    nuts, noted, oslo = "I am allergic to nuts.", "Noted, Alex.", "I live in Oslo."
    assert seen["added"] == [nuts, noted]
    assert texts(seen["found"])[0] == nuts
    assert texts(seen["found_of_nobody"]) == []
    assert texts(seen["all"]) == [noted, nuts]
    assert (seen["page"]["count"], [one["memory"] for one in seen["page"]["results"]]) == (2, [noted])
    for name in {"found_v2", "all_v2"} & seen.keys():
        assert texts(seen[name]) == [oslo], name
    assert seen["got"] == "I am allergic to peanuts."
    assert seen["history"] == ["ADD", "UPDATE"]
    assert seen["users"] == [["run", "trip", 1], ["user", "alex", 1], ["user", "bob", 1]]
    assert seen["left"] == []


def test_its_history_can_be_imported(mem0: Any, tmp_path: Path) -> None:
    storage = importlib.import_module("mem0.memory.storage").SQLiteManager(str(tmp_path / "history.db"))
    storage.add_history("m1", None, "Likes tea", "ADD", created_at="2026-01-31T09:00:00+00:00")
    storage.add_history("m1", "Likes tea", "Likes coffee", "UPDATE", created_at="2026-01-31T09:00:00+00:00")
    storage.add_history("m2", None, "Sings", "ADD")
    storage.add_history("m2", "Sings", None, "DELETE", is_deleted=1)
    storage.close()

    (item,) = KINDS[Kind.MEM0](tmp_path / "history.db")

    assert item.memory is not None
    assert (item.external_id, item.memory["content"]) == ("mem0:m1", "Likes coffee")
    assert item.memory["occurred_at"] == "2026-01-31T09:00:00+00:00"
