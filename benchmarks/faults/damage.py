"""R-05: a damaged SQLite file is refused by name and left alone, or served with exactly what was in it.

Each damaged copy is given to a real server. It may end with a reason that names the file, and then not a byte of it has
changed; or serve, and then every memory is as it was written. Text that was altered inside of its page can be told from
the original by nothing that SQLite keeps: pages have no checksums. Such copies are counted apart.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks._killable import ServerProcess
from benchmarks.faults.asking import Caller
from benchmarks.faults.row import Findings, Row
from benchmarks.faults.stage import Stage

PAGE = 4096
_MEMORIES = 150

Damage = Callable[[bytearray, random.Random], bytes]


def _flip(content: bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(len(content))
    content[at] ^= 1 << chance.randrange(8)
    return bytes(content)


def _flip_in_head(content: bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(100)
    content[at] ^= 1 << chance.randrange(8)
    return bytes(content)


def _page(content: bytearray, chance: random.Random, new: bytes) -> bytes:
    at = chance.randrange(len(content) // PAGE) * PAGE
    content[at : at + PAGE] = new
    return bytes(content)


def _zeroed(content: bytearray, chance: random.Random) -> bytes:
    return _page(content, chance, bytes(PAGE))


def _noise(content: bytearray, chance: random.Random) -> bytes:
    return _page(content, chance, chance.randbytes(PAGE))


def _swapped(content: bytearray, chance: random.Random) -> bytes:
    a, b = (n * PAGE for n in chance.sample(range(len(content) // PAGE), 2))
    content[a : a + PAGE], content[b : b + PAGE] = content[b : b + PAGE], content[a : a + PAGE]
    return bytes(content)


def _cut(content: bytearray, chance: random.Random) -> bytes:
    return bytes(content[: chance.randrange(1, len(content) // PAGE) * PAGE])


def _cut_anywhere(content: bytearray, chance: random.Random) -> bytes:
    return bytes(content[: chance.randrange(1, len(content))])


def _empty(content: bytearray, chance: random.Random) -> bytes:
    return b""


def _longer(content: bytearray, chance: random.Random) -> bytes:
    return bytes(content) + chance.randbytes(PAGE)


DAMAGES: dict[str, Damage] = {
    "a bit flipped": _flip,
    "a page zeroed": _zeroed,
    "cut at a page": _cut,
    "a page of noise": _noise,
    "two pages swapped": _swapped,
    "cut anywhere": _cut_anywhere,
    "a bit of the head flipped": _flip_in_head,
    "empty": _empty,
    "longer": _longer,
}
_SCHEMAS = ("newer schema", "another program's tables", "missing beside its log")


def run(stage: Stage, n: int) -> Findings:
    """Damage so many copies, in each way in turn, and the schema in a few ways beside."""
    findings, chance = Findings(), stage.chance("damage")
    whole = _filled(stage)
    with closing(sqlite3.connect(f"file:{whole}?mode=ro&immutable=1", uri=True)) as connection:
        contents = {row[0] for row in connection.execute("SELECT content FROM memory_version")}
    outcomes: Counter[str] = Counter()
    ways = [*DAMAGES, *_SCHEMAS]
    for turn in range(n):
        name = ways[turn % len(ways)]
        server = stage.unstarted("damaged", jobs="off")
        path = server.data_dir / "memsvc.db"
        server.data_dir.mkdir(mode=0o700)
        _damage(whole, path, name, chance)
        outcomes[_outcome(server, path, name, contents, findings)] += 1
        shutil.rmtree(server.data_dir.parent)
    findings.figures["outcomes"] = dict(sorted(outcomes.items()))
    return findings


def _filled(stage: Stage) -> Path:
    """A file with memories in it, closed in order."""
    server = stage.server("whole", jobs="off")
    with Caller(server.url) as caller:
        memories = [{"content": f"memory number {k} of a life that was lived in full"} for k in range(_MEMORIES)]
        caller.post("/v1/memories:batch", {"namespace": "user/ada", "memories": memories})
    server.send(15)
    server.wait()
    return server.data_dir / "memsvc.db"


def _damage(whole: Path, path: Path, name: str, chance: random.Random) -> None:
    if name in DAMAGES:
        path.write_bytes(DAMAGES[name](bytearray(whole.read_bytes()), chance))
        return
    shutil.copyfile(whole, path)
    if name == "missing beside its log":
        path.rename(path.with_name(path.name + "-wal"))
        return
    with closing(sqlite3.connect(path)) as connection:
        if name == "newer schema":
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        else:
            connection.execute("ALTER TABLE memory RENAME TO memories_of_another_program")
            connection.execute("DROP TABLE alembic_version")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for beside in path.parent.glob("memsvc.db-*"):
        beside.unlink()


def _outcome(server: ServerProcess, path: Path, name: str, contents: set[str], findings: Findings) -> str:
    before = _digests(path)
    try:
        server.start()
    except RuntimeError:
        said = server.said()
        findings.check(_digests(path) == before, "a refused file was changed", name)
        if path.name not in said and "schema" not in said and "database" not in said:
            findings.broke("a refusal that does not name the file", said[-300:])
        if "Traceback" in said:
            findings.broke("a start that ends with a stack trace", (name, said[-600:]))
        return f"{name}: refused"
    try:
        with Caller(server.url) as caller:
            return f"{name}: {_served(caller, name, contents, findings)}"
    finally:
        server.kill()


def _served(caller: Caller, name: str, contents: set[str], findings: Findings) -> str:
    found: list[str] = []
    cursor = ""
    while True:
        page = caller.ask("GET", f"/v1/memories?namespace=user%2Fada&limit=200{cursor}")
        if page.status != 200:
            findings.check(page.status == 503, "a damaged file is answered for with a failure", (name, page.status))
            return "served, the list is refused"
        found += [memory["content"] for memory in page.body["items"]]
        if not page.body["next_cursor"]:
            break
        cursor = f"&cursor={page.body['next_cursor']}"
    if set(found) == contents and len(found) == len(contents):
        findings.tried()
        return "served as it was"
    if len(found) < len(contents):
        findings.check(False, "served with less than there was", (name, len(found), len(contents)))
        return "served with less"
    findings.tried()
    return "served with a letter altered"


def _digests(path: Path) -> dict[str, str]:
    return {
        one.name: hashlib.sha256(one.read_bytes()).hexdigest()
        for one in path.parent.glob(f"{path.name}*")
        if not one.name.endswith((".lock", "-shm"))
    }


ROW = Row("R-05", "a damaged file is refused and left alone, or served as it was", run, 12, 500, "damaged files")
