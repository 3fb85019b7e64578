"""R-08: a full disk: writes are refused with 507, reads and erasures go on, and with room again it goes on as before.

The server gets a file system of a few MiB to itself (a tmpfs in a mount namespace of its own), which is filled to
another rest each time, while it is written to.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import time
from pathlib import Path

from benchmarks.faults.asking import Caller, compare
from benchmarks.faults.row import Findings, Row
from benchmarks.faults.stage import Stage

_MIB = 12
_RESERVE_BYTES = 2 << 20
_ERASED = 3
_NEW_NAMESPACES = 0x00020000 | 0x10000000  # CLONE_NEWNS, CLONE_NEWUSER
_REFUSED_S = 1.0
_RECOVERED_S = 10.0


def mount_small(data_dir: Path, mib: int) -> None:
    """In a server that has one thread yet: a file system of its own at its data folder.

    Raises:
        OSError: the system does not allow it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEW_NAMESPACES) != 0:
        raise OSError(ctypes.get_errno(), "no namespaces of its own")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    if libc.mount(b"none", bytes(data_dir), b"tmpfs", 0, f"size={mib}m".encode()) != 0:
        raise OSError(ctypes.get_errno(), "no file system of its own")


def run(stage: Stage, n: int) -> Findings:
    """Fill the disk so many times."""
    findings, chance = Findings(), stage.chance("full disk")
    server = stage.unstarted("full-disk", before=mount_small, given=(_MIB,), jobs="off", reserve_bytes=_RESERVE_BYTES)
    server.data_dir.mkdir()
    server.start()
    seen = Path(f"/proc/{server.pid}/root{server.data_dir}")  # the disk, as the server sees it
    acknowledged: dict[str, str] = {}
    slowest, back, erased = 0.0, 0.0, 0
    with Caller(server.url) as caller:
        for turn in range(n):
            for k in range(2 * _ERASED):
                content = f"before {turn} number {k}"
                acknowledged[content] = caller.add("user/ada", content).body["memory"]["id"]
            _fill(seen / "filler", chance.choice((0, 4096, 65_536, 400_000)))
            slowest = max(slowest, _write_until_full(caller, turn, acknowledged, findings))
            _read(caller, acknowledged, findings)
            for _ in range(_ERASED):  # again and again: the reserve is there for each
                erased += _erase_one(caller, acknowledged, findings)
            erased += _erase_some(caller, acknowledged, findings)
            (seen / "filler").unlink()
            back = max(back, _until_written(caller, turn, acknowledged, findings))
            for content in [c for c in acknowledged if "large" in c][:-1]:  # room for the next turn
                caller.ask("DELETE", f"/v1/memories/{acknowledged.pop(content)}")
        copy = _copied(seen, stage.place("copy"))
    server.kill()
    compare(f"sqlite:///{copy}", acknowledged, findings)
    findings.figures |= {
        "fills": n,
        "slowest_refusal_s": round(slowest, 3),
        "slowest_recovery_s": round(back, 3),
        "erased_while_full": erased,
    }
    return findings


def _fill(path: Path, rest: int) -> None:
    """Take all the room but a rest.

    Raises:
        RuntimeError: it is not the small disk that would be filled.
    """
    if shutil.disk_usage(path.parent).total > _MIB << 20:
        raise RuntimeError("the server has no disk of its own")
    with contextlib.suppress(OSError), path.open("wb") as filler:
        while True:
            filler.write(bytes(4096))
            filler.flush()
    os.truncate(path, max(0, path.stat().st_size - rest))


def _write_until_full(caller: Caller, turn: int, acknowledged: dict[str, str], findings: Findings) -> float:
    slowest, refused = 0.0, 0
    for n in range(400):
        content = f"large {turn} number {n} " + "word " * 2000
        answer = caller.add("user/ada", content)
        if answer.status == 201:
            acknowledged[content] = answer.body["memory"]["id"]
            refused = 0
            continue
        refused += 1
        slowest = max(slowest, answer.seconds)
        findings.check(answer.status == 507, "an unexpected answer on a full disk", (answer.status, answer.body))
        if answer.seconds > _REFUSED_S:
            findings.broke("a refusal took more than a second", round(answer.seconds, 2))
        if refused == 3:
            return slowest
    findings.broke("the disk was never full", turn)
    return slowest


def _read(caller: Caller, acknowledged: dict[str, str], findings: Findings) -> None:
    for content, memory_id in list(acknowledged.items())[-5:]:
        answer = caller.ask("GET", f"/v1/memories/{memory_id}")
        findings.check(
            answer.status == 200 and answer.body["content"] == content, "a read failed on a full disk", answer.status
        )
        found = caller.recalled("user/ada", content[:40])
        findings.check(bool(found), "a recall found nothing on a full disk", content[:40])


def _erase_one(caller: Caller, acknowledged: dict[str, str], findings: Findings) -> int:
    content, memory_id = next(iter(acknowledged.items()))
    answer = caller.ask("DELETE", f"/v1/memories/{memory_id}")
    is_done = answer.status == 204
    findings.check(is_done, "an erasure was refused on a full disk", (answer.status, answer.body))
    if is_done:
        del acknowledged[content]
        gone = caller.ask("GET", f"/v1/memories/{memory_id}").status
        findings.check(gone == 404, "what was erased on a full disk is still there", gone)
    return int(is_done)


def _erase_some(caller: Caller, acknowledged: dict[str, str], findings: Findings) -> int:
    """An erasure of several memories, which is kept and carried out in steps."""
    some = dict(list(acknowledged.items())[:_ERASED])
    answer = caller.post("/v1/erasures", {"memory_ids": list(some.values())})
    is_done = answer.status < 300 and answer.body["state"] == "erased"
    findings.check(is_done, "an erasure of several was not carried out on a full disk", (answer.status, answer.body))
    for content in some if is_done else ():
        del acknowledged[content]
    return len(some) if is_done else 0


def _until_written(caller: Caller, turn: int, acknowledged: dict[str, str], findings: Findings) -> float:
    begun = time.monotonic()
    while time.monotonic() < begun + _RECOVERED_S:
        answer = caller.add("user/ada", f"room again {turn} {time.monotonic_ns()}")
        if answer.status == 201:
            acknowledged[answer.body["memory"]["content"]] = answer.body["memory"]["id"]
            findings.tried()
            return time.monotonic() - begun
        time.sleep(0.05)
    findings.check(False, "no write 10 s after there was room again", turn)
    return _RECOVERED_S


def _copied(seen: Path, place: Path) -> Path:
    for path in seen.glob("memsvc.db*"):
        if not path.name.endswith((".lock", "-shm")):
            shutil.copyfile(path, place / path.name)
    return place / "memsvc.db"


ROW = Row("R-08", "a full disk: 507, reads and erasures go on, nothing lost", run, 2, 50, "answers")
