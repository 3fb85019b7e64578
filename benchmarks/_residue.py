"""Looks for what should be gone: in every answer of the API, and in the bytes of files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import orjson

CANARY = re.compile(rb"canary[0-9a-f]{12}")
EVERY_STATE = {"state": {"exists": True}}


def canaries(data: bytes) -> set[str]:
    """The canaries in some bytes, in small letters or not."""
    return {one.decode() for one in CANARY.findall(data.lower())}


def pages(client: httpx.Client, path: str, **params: str) -> Iterator[bytes]:
    """Every page of a list."""
    cursor = None
    while True:
        answer = client.get(path, params=params | ({} if cursor is None else {"cursor": cursor})).raise_for_status()
        yield answer.content
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return


def surfaces(
    client: httpx.Client, namespace: str, questions: Sequence[str], ids: Collection[str], as_of: str
) -> Iterator[tuple[str, bytes]]:
    """(name, body) of every answer in which something of the memories could stand.

    Args:
        questions: asked one by one.
        ids: of memories, looked up one by one.
        as_of: a time at which the memories were there.
    """
    where = {"namespace": namespace}
    yield from _lists(client, where)
    for path in ("/v1/stats", "/v1/fusion", "/v1/policy"):
        yield path, client.get(path, params=where).content
    for path in ("/v1/namespaces", "/metrics", "/openapi.json", "/v1/version"):
        yield path, client.get(path).content
    for memory_id in ids:
        for suffix in ("", "/history", "/links"):
            answer = client.get(f"/v1/memories/{memory_id}{suffix}")
            yield "history" if suffix else "get", b"" if answer.status_code == 404 else answer.content
    for place, question in enumerate(questions):
        asked: dict[str, Any] = {**where, "query": question, "top_k": 5, "profile": "fast"}
        yield "recall", client.post("/v1/recall", json=asked).raise_for_status().content
        yield "recall in every state", client.post("/v1/recall", json={**asked, "filter": EVERY_STATE}).content
        if place % 10 == 0:
            yield "recall as_of", client.post("/v1/recall", json={**asked, "as_of": as_of}).content
            yield "context", client.post("/v1/context", json={**where, "query": question}).content


def _lists(client: httpx.Client, where: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    for body in pages(client, "/v1/memories", **where, filter=orjson.dumps(EVERY_STATE).decode(), limit="200"):
        yield "list", body
    for body in pages(client, "/v1/entities", **where, limit="200"):
        yield "entities", body
    for body in pages(client, "/v1/job-runs", **where, limit="200"):
        yield "job runs", body
        for run in orjson.loads(body)["items"]:
            for effects in pages(client, f"/v1/job-runs/{run['id']}/effects", limit="200"):
                yield "effects of jobs", effects
    for body in pages(client, "/v1/erasures"):
        yield "erasures", body
        for erasure in orjson.loads(body)["items"]:
            yield "receipts", client.get(f"/v1/erasures/{erasure['id']}").content


def found_in(answers: Iterable[tuple[str, bytes]], wanted: Collection[str]) -> dict[str, set[str]]:
    """By surface, which canaries were seen there."""
    found: dict[str, set[str]] = {}
    for name, body in answers:
        found.setdefault(name, set()).update(canaries(body) & set(wanted))
    return found


def in_files(folder: Path, wanted: Collection[str], vectors: Collection[bytes]) -> dict[str, int]:
    """How many canaries and vectors stand in the bytes of the files below a folder."""
    texts: set[str] = set()
    seen: set[bytes] = set()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            texts |= canaries(data) & set(wanted)
            seen |= {vector for vector in set(vectors) - seen if vector in data}
    return {"canaries": len(texts), "vectors": len(seen)}
