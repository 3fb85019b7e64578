"""Clients that keep their own account of what they asked for and what they were told."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from benchmarks._killable import ServerProcess

State = Literal["active", "forgotten", "erased"]
_WORDS = ("amber", "birch", "copper", "dune", "elm", "flint", "garnet", "heron", "iris", "jade", "kelp", "lark", "moss")


class Ledger:
    """An append-only file outside of the server: an intent before each request, its outcome after."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, **entry: Any) -> None:
        """One line, whole: appends of this size are atomic."""
        os.write(self._file, json.dumps(entry, default=str).encode() + b"\n")

    def close(self) -> None:
        """No more entries."""
        os.close(self._file)


@dataclass(slots=True)
class Known:
    """A memory as its client knows it. Nobody else touches it."""

    id: str | None
    namespace: str
    token: str
    content: str
    version: int
    state: State


@dataclass(slots=True)
class Doubt:
    """A request without an answer: the memories as they were before (None: not there) and as they would be after."""

    before: list[Known | None]
    after: list[Known]
    repeat: tuple[str, dict[str, Any], str] | None = None
    """Path, body and idempotency key, for the requests that carried one."""


class Client:
    """One client; does one thing at a time.

    Args:
        number: of the client.
        seed: of its choices.
        ledger: where it writes.
    """

    def __init__(self, number: int, seed: int, ledger: Ledger) -> None:
        self.number = number
        self.known: list[Known] = []
        self.doubt: Doubt | None = None
        self.acknowledged = 0
        self.recalls = 0
        self.misses = 0
        self.unexpected: list[str] = []
        self._chance = random.Random(seed)
        self._ledger = ledger
        self._made = 0
        self._asked = 0

    def work(self, server: ServerProcess, until: threading.Event) -> None:
        """Ask until the server is gone."""
        with server.client() as http:
            while not until.is_set():
                try:
                    self._step(http)
                except httpx.TransportError:
                    return
                self.doubt = None

    def _step(self, http: httpx.Client) -> None:
        dice = self._chance.random()
        mine = [m for m in self.known if m.state != "erased"]
        if dice < 0.70 or not mine:
            self._create(http)
        elif dice < 0.85:
            self._edit(http, self._chance.choice(mine))
        elif dice < 0.90:
            self._move(http, self._chance.choice(mine))
        elif dice < 0.95:
            self._erase(http, self._chance.choice(mine))
        else:
            self._recall(http, self._chance.choice(mine))

    def _create(self, http: httpx.Client) -> None:
        namespace = f"user/u{self._chance.randrange(3)}"
        count = self._chance.choice((1, 1, 1, 1, 1, 4, 12))
        made = [self._new(namespace) for _ in range(count)]
        bodies = [{"content": m.content, "metadata": {"token": m.token}} for m in made]
        path, body = "/v1/memories:batch", {"namespace": namespace, "memories": bodies}
        if count == 1:
            path, body = "/v1/memories", {"namespace": namespace, **bodies[0]}
        key = f"{self.number}-{self._made}" if self._chance.random() < 0.5 else None
        doubt = Doubt([None] * count, made, (path, body, key) if key else None)
        answer = self._ask(http, "POST", path, doubt, json=body, key=key)
        if answer is None:
            return
        self.learn(made, answer)

    def learn(self, made: list[Known], answer: dict[str, Any]) -> None:
        """Take over what an answer says of new memories."""
        items = answer["items"] if "items" in answer else [answer["memory"]]
        for memory, item in zip(made, items, strict=True):
            memory.id = item["id"]
        self.known += made

    def _edit(self, http: httpx.Client, memory: Known) -> None:
        if memory.state != "active":
            return
        self._made += 1
        content = f"{memory.token} {self._words()} edit {self._made}"
        after = Known(memory.id, memory.namespace, memory.token, content, memory.version + 1, memory.state)
        headers = {"if-match": f'"{memory.version}"'} if self._chance.random() < 0.5 else {}
        body = {"content": content}
        self._change(http, "PATCH", f"/v1/memories/{memory.id}", memory, after, json=body, headers=headers)

    def _move(self, http: httpx.Client, memory: Known) -> None:
        state: State = "forgotten" if memory.state == "active" else "active"
        name = "forget" if state == "forgotten" else "restore"
        after = Known(memory.id, memory.namespace, memory.token, memory.content, memory.version + 1, state)
        self._change(http, "POST", f"/v1/memories/{memory.id}:{name}", memory, after)

    def _erase(self, http: httpx.Client, memory: Known) -> None:
        after = Known(memory.id, memory.namespace, memory.token, memory.content, memory.version, "erased")
        self._change(http, "DELETE", f"/v1/memories/{memory.id}", memory, after)

    def _change(self, http: httpx.Client, method: str, path: str, before: Known, after: Known, **given: Any) -> None:
        if self._ask(http, method, path, Doubt([before], [after]), **given) is not None:
            self.known[self.known.index(before)] = after

    def _recall(self, http: httpx.Client, memory: Known) -> None:
        """What was acknowledged is findable now; what was forgotten is not."""
        self.recalls += 1
        body = {"namespace": memory.namespace, "query": memory.token, "top_k": 5}
        answer = http.post("/v1/recall", json=body)
        if answer.status_code != 200:
            self.unexpected.append(f"recall: {answer.status_code} {answer.text[:300]}")
            return
        is_found = any(hit["memory"]["content"] == memory.content for hit in answer.json()["hits"])
        if is_found != (memory.state == "active"):
            self.misses += 1
            self.unexpected.append(f"recall of {memory}: found {is_found}")

    def _ask(
        self, http: httpx.Client, method: str, path: str, doubt: Doubt, *, key: str | None = None, **given: Any
    ) -> dict[str, Any] | None:
        """One request with its intent before and its outcome after; None if it was refused."""
        self._asked += 1
        name = f"{self.number}-{self._asked}"
        self._ledger.write(at=time.time(), intent=name, method=method, path=path, key=key, body=given.get("json"))
        self.doubt = doubt
        headers = given.pop("headers", {}) | ({"idempotency-key": key} if key else {})
        answer = http.request(method, path, headers=headers, **given)
        self._ledger.write(at=time.time(), answer=name, status=answer.status_code, body=answer.text[:4000])
        if answer.status_code not in {200, 201, 204}:
            if answer.status_code != 503:  # a server that is told to stop may say so
                self.unexpected.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
            return None
        self.acknowledged += 1
        content: dict[str, Any] = answer.json() if answer.content else {}
        return content

    def _new(self, namespace: str) -> Known:
        self._made += 1
        token = f"tok{self.number}x{self._made}"
        return Known(None, namespace, token, f"{token} {self._words()}", 1, "active")

    def _words(self) -> str:
        return " ".join(self._chance.choices(_WORDS, k=self._chance.randrange(3, 12)))


def run_clients(clients: list[Client], server: ServerProcess, kill_after_s: float) -> None:
    """Let all clients work, and kill the server in the middle of it."""
    stop = threading.Event()
    threads = [threading.Thread(target=client.work, args=(server, stop), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    time.sleep(kill_after_s)
    server.send(signal.SIGKILL)
    server.wait()
    stop.set()
    for thread in threads:
        thread.join(60)
        if thread.is_alive():
            raise RuntimeError("a client hangs")
