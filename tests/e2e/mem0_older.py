"""What a program does with an older client of mem0, in a process of its own; writes what it saw as JSON.

    python mem0_older.py HOST KEY

Two versions of one package do not go into one process. What differs between the versions is asked of each as it
offers it.
"""

from __future__ import annotations

import inspect
import json
import sys
import warnings
from typing import Any


def main(host: str, key: str) -> dict[str, Any]:
    """The life of some memories."""
    from mem0 import MemoryClient

    client = MemoryClient(api_key=key, host=host)
    say = {"output_format": "v1.1"}
    added = client.add(
        [{"role": "user", "content": "I am allergic to nuts."}, {"role": "assistant", "content": "Noted, Alex."}],
        user_id="alex", metadata={"food": "vegan"}, **say,
    )  # fmt: skip
    client.add([{"role": "user", "content": "I live in Oslo."}], user_id="bob", run_id="trip", **say)
    ids = {one["memory"]: one["id"] for one in added["results"]}
    nuts = ids["I am allergic to nuts."]
    seen: dict[str, Any] = {"added": sorted(ids)}
    seen["found"] = client.search("What is Alex allergic to?", **_whose(client.search, "alex"))
    seen["found_of_nobody"] = client.search("What is Alex allergic to?", **_whose(client.search, "eve"))
    seen["all"] = client.get_all(**_whose(client.get_all, "alex"))
    seen["page"] = client.get_all(**_whose(client.get_all, "alex"), page=1, page_size=1)
    if "version" in inspect.signature(client.search).parameters:
        by = {"filters": {"AND": [{"user_id": "bob"}, {"run_id": "trip"}]}}
        seen["found_v2"] = client.search("Where does Bob live?", version="v2", **by)
    if "version" in inspect.signature(client.get_all).parameters:
        by = {"filters": {"OR": [{"user_id": "bob"}, {"run_id": "none"}]}}
        seen["all_v2"] = client.get_all(version="v2", **by)
    said = "data" if "data" in inspect.signature(client.update).parameters else "text"
    client.update(nuts, **{said: "I am allergic to peanuts."})
    seen["got"] = client.get(nuts)["memory"]
    seen["history"] = [one["event"] for one in client.history(nuts)]
    client.delete(ids["Noted, Alex."])
    seen["users"] = [(one["type"], one["name"], one["total_memories"]) for one in client.users()["results"]]
    client.delete_all(user_id="bob")
    client.delete_users()
    seen["left"] = client.users()["results"]
    return seen


def _whose(call: Any, user: str) -> dict[str, Any]:
    """Before 1.0 a user is named beside the question, from then on in the filter."""
    return {"user_id": user} if "version" in inspect.signature(call).parameters else _by_age(user)


def _by_age(user: str) -> dict[str, Any]:
    from importlib.metadata import version

    return {"user_id": user} if version("mem0ai").startswith("0.") else {"filters": {"user_id": user}}


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.stdout.write(json.dumps(main(*sys.argv[1:])))
