"""Looks up, over HTTP, everything that the clients of a killed server were told, and settles what was in doubt."""

from __future__ import annotations

import json
from typing import Any, Protocol

import httpx

from benchmarks._kill_clients import Client, Known
from benchmarks._killable import ServerProcess

_STATES = ("active", "forgotten")
_RECALLS = 3


class Findings(Protocol):
    """What is counted."""

    lost: int
    resurrected: int
    half_applied: int
    duplicated: int
    in_doubt: int
    in_doubt_present: int
    repeated_with_key: int
    recalls: int
    recall_misses: int


class Lookup:
    """One look at a server that has just become ready."""

    def __init__(self, server: ServerProcess, clients: list[Client]) -> None:
        self._server = server
        self._clients = clients

    def check(self, findings: Findings) -> None:
        """Compare everything; afterwards the clients know what became of what they were in doubt about."""
        with self._server.client() as http:
            there = self._everything(http)
            doubted = self._settle(http, there, findings)
            for client in self._clients:
                for memory in client.known:
                    if id(memory) not in doubted:
                        self._compare(memory, there.get(memory.token, []), findings)
            expected = {m.token for c in self._clients for m in c.known if m.state != "erased"}
            findings.resurrected += len(there.keys() - expected - {m.token for m in self._settled})
            for client in self._clients:
                self._recall(http, client, findings)

    def _everything(self, http: httpx.Client) -> dict[str, list[dict[str, Any]]]:
        """All memories in every state, by token."""
        found: dict[str, list[dict[str, Any]]] = {}
        for namespace in (n["namespace"] for n in http.get("/v1/namespaces").raise_for_status().json()["items"]):
            asked: dict[str, Any] = {"namespace": namespace, "limit": 200, "order": "oldest"}
            asked["filter"] = json.dumps({"state": {"in": list(_STATES)}})
            while True:
                page = http.get("/v1/memories", params=asked).raise_for_status().json()
                for memory in page["items"]:
                    found.setdefault(memory["metadata"]["token"], []).append(memory)
                if not page["next_cursor"]:
                    break
                asked["cursor"] = page["next_cursor"]
        return found

    def _settle(self, http: httpx.Client, there: dict[str, list[dict[str, Any]]], findings: Findings) -> set[int]:
        """Decide what each unanswered request did, all or nothing. Returns the identities of what it concerns."""
        doubted: set[int] = set()
        self._settled: list[Known] = []
        repeated: list[Known] = []
        for client in self._clients:
            doubt, client.doubt = client.doubt, None
            if doubt is None:
                continue
            findings.in_doubt += 1
            doubted |= {id(m) for m in doubt.before if m is not None}
            done = [_is(m, there.get(m.token, [])) for m in doubt.after]
            undone = [_is(m, there.get(a.token, [])) for m, a in zip(doubt.before, doubt.after, strict=True)]
            if not (all(done) or all(undone)):
                findings.half_applied += 1
            findings.in_doubt_present += all(done)
            if doubt.repeat is not None:
                findings.repeated_with_key += 1
                doubted |= {id(m) for m in doubt.after}  # looked up there, after the repetition
                self._repeat(http, client, doubt.after, doubt.repeat, all(done))
                repeated += doubt.after
            elif all(done):
                self._take_over(client, doubt.before, doubt.after, there)
            self._settled += doubt.after
        again = self._everything(http) if repeated else {}
        findings.duplicated += sum(len(again.get(m.token, [])) != 1 for m in repeated)
        return doubted

    @staticmethod
    def _repeat(
        http: httpx.Client, client: Client, made: list[Known], repeat: tuple[str, dict[str, Any], str], was_done: bool
    ) -> None:
        """The same request with the same key: one effect in all, whether the first one had its own or not."""
        path, body, key = repeat
        answer = http.post(path, json=body, headers={"idempotency-key": key}).raise_for_status().json()
        client.learn(made, answer)
        client.acknowledged += not was_done

    @staticmethod
    def _take_over(
        client: Client, before: list[Known | None], after: list[Known], there: dict[str, list[dict[str, Any]]]
    ) -> None:
        for old, new in zip(before, after, strict=True):
            if old is None:
                new.id = there[new.token][0]["id"]
                client.known.append(new)
            else:
                client.known[client.known.index(old)] = new

    @staticmethod
    def _compare(memory: Known, found: list[dict[str, Any]], findings: Findings) -> None:
        if _is(memory, found):
            return
        if memory.state == "erased":
            findings.resurrected += 1
        elif len(found) > 1:
            findings.duplicated += 1
        else:
            findings.lost += 1

    @staticmethod
    def _recall(http: httpx.Client, client: Client, findings: Findings) -> None:
        """The memories that the client wrote last are found by asking for them."""
        for memory in [m for m in client.known if m.state == "active"][-_RECALLS:]:
            findings.recalls += 1
            body = {"namespace": memory.namespace, "query": memory.token, "top_k": 5}
            hits = http.post("/v1/recall", json=body).raise_for_status().json()["hits"]
            findings.recall_misses += not any(h["memory"]["content"] == memory.content for h in hits)


def _is(memory: Known | None, found: list[dict[str, Any]]) -> bool:
    """Whether the server has exactly this."""
    if memory is None or memory.state == "erased":
        return not found
    if len(found) != 1:
        return False
    row = found[0]
    is_same = row["content"] == memory.content and row["version"] == memory.version and row["state"] == memory.state
    return is_same and memory.id in {None, row["id"]}
