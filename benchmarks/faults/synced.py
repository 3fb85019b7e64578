"""R-07: an answer follows the fsync that makes its commit durable, and a failed fsync is never acknowledged.

`strace` is attached to the server (SQLite) or to every process of PostgreSQL. One client writes, one request after the
other, so that between two acknowledgements the log must have been written and, after the last of these writes, synced
with success. Then the k-th fsync is made to fail (EIO, without being carried out): the write that waited for it must
not be acknowledged, nor any after it: the process ends, and after a new start everything that was acknowledged is
there.

Without a device that forgets what was not synced this shows the order of system calls, not what a disk does with them.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks._killable import ServerProcess
from benchmarks.faults.asking import GONE, Caller, compare
from benchmarks.faults.postgres import Postgres
from benchmarks.faults.row import Findings, Row
from benchmarks.faults.stage import Stage, sqlite_of
from memsvc.db.unsynced import EXIT_CODE

SYNCS = ("fsync", "fdatasync")
BESIDE = "written beside"
"""A write to the log by a process that is nobody's: of what was not committed, or need not be waited for."""
_FAILING = 6
"""So many different fsyncs fail in a short run; 50 in a long one."""
_ENDS_S = 10.0
_LINE = re.compile(r"^(?P<pid>\d+) +(?P<at>[\d.]+) (?P<call>\w+)\((?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<pid>\d+) +(?P<at>[\d.]+) <\.\.\. (?P<call>\w+) resumed>(?P<rest>.*)$")
_RESULT = re.compile(r"\) += (-?\d+)")


def run(stage: Stage, n: int) -> Findings:
    """Trace so many acknowledged writes on each database, and fail fsyncs.

    Raises:
        RuntimeError: this machine has no strace, or does not let it attach.
    """
    if shutil.which("strace") is None:
        raise RuntimeError("this row needs strace")
    findings = Findings()
    findings.figures["sqlite"] = _sqlite(stage, n, findings)
    findings.figures["postgres"] = _postgres(stage, n, findings)
    findings.figures["failed_fsyncs"] = _failing(stage, 50 if n > 100 else _FAILING, findings)
    return findings


def _sqlite(stage: Stage, n: int, findings: Findings) -> dict[str, int]:
    server = stage.server("synced", jobs="off")
    trace = stage.place("trace") / "sqlite"
    with Caller(server.url) as caller:
        caller.add("user/ada", "the namespace is there")
        with traced([server.pid], trace):
            acknowledged = _write(caller, n)
    server.kill()
    return judge(list(calls(trace)), "memsvc.db-wal", acknowledged, findings)


def _postgres(stage: Stage, n: int, findings: Findings) -> dict[str, int]:
    postgres: Postgres = stage.postgres
    postgres.sync(is_on=True)
    server = stage.server("synced", url=postgres.new_database(), jobs="off")
    trace = stage.place("trace") / "postgres"
    with Caller(server.url) as caller:
        caller.add("user/ada", "the namespace is there")
        postmaster = postgres.postmaster
        children = postmaster.children()
        beside = {str(child.pid) for child in children if "walwriter" in " ".join(child.cmdline())}
        pids = [server.pid, postmaster.pid, *(child.pid for child in children)]
        with traced(pids, trace):
            acknowledged = _write(caller, n)
    server.kill()
    postgres.sync(is_on=stage.is_fresh)
    return judge(list(calls(trace, beside)), "/pg_wal/", acknowledged, findings)


def _write(caller: Caller, n: int) -> int:
    return sum(caller.add("user/ada", f"traced number {k}").status == 201 for k in range(n))


def judge(seen: Sequence[tuple[str, str, bool]], log: str, acknowledged: int, findings: Findings) -> dict[str, int]:
    """Whether each acknowledgement in a trace came after a sync of the log that followed the last write to it.

    Args:
        seen: (call, its arguments, whether it succeeded), in the order of their ends.
        log: part of the name of the file that a commit is written to.
        acknowledged: how many acknowledgements there must be.
    """
    is_written = is_synced = False
    answers = syncs = 0
    for call, arguments, is_done in seen:
        if log in arguments and call.startswith("pw"):
            is_written, is_synced = True, False
        elif log in arguments and call == BESIDE:  # it may have a commit in it, but the last one was synced before
            is_written = True
        elif log in arguments and call in SYNCS and is_done:
            is_synced, syncs = is_written, syncs + 1
        elif "HTTP/1.1 201" in arguments:
            answers += 1
            findings.check(is_written and is_synced, "acknowledged before its commit was synced", answers)
            is_written = is_synced = False
    if answers != acknowledged:
        findings.broke("the trace does not show every acknowledgement", (answers, acknowledged))
    return {"acknowledged": answers, "syncs_of_the_log": syncs}


def calls(trace: Path, beside: Collection[str] = ()) -> Iterator[tuple[str, str, bool]]:
    """(call, its arguments, whether it succeeded) of a trace, each at its end; an answer at its beginning.

    Args:
        trace: what strace wrote.
        beside: processes that write the log in the background, whose writes are told as `BESIDE`.
    """
    begun: dict[tuple[str, str], str] = {}
    for line in trace.read_text(errors="replace").splitlines():
        if found := _LINE.match(line):
            pid, call, rest = found["pid"], found["call"], found["rest"]
            if pid in beside and call.startswith("pw"):
                yield BESIDE, rest, True
            elif "HTTP/1.1 201" in rest:  # what counts is when it could first be seen
                yield call, rest, True
            elif "<unfinished" in rest:
                begun[pid, call] = rest
                if call.startswith("pw"):  # written from here on; its sync must come later
                    yield call, rest, True
            else:
                yield call, rest, _is_success(rest)
        elif found := _RESUMED.match(line):
            first = begun.pop((found["pid"], found["call"]), "")
            if found["call"] in SYNCS:
                yield found["call"], first, _is_success(found["rest"])


def _is_success(rest: str) -> bool:
    result = _RESULT.search(rest)
    return result is not None and int(result[1]) >= 0


@contextmanager
def traced(pids: Sequence[int], trace: Path, *more: str) -> Iterator[None]:
    """Trace processes with all their threads and children."""
    wanted = "fsync,fdatasync,pwrite64,pwritev,pwritev2,sendto,sendmsg,write,writev"
    attached = [argument for pid in pids for argument in ("-p", str(pid))]
    command = ["strace", "-f", "-y", "-ttt", "-s", "40", "-e", f"trace={wanted}", *more, "-o", str(trace), *attached]
    tracer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _until_attached(tracer, pids)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=30)


def _until_attached(tracer: subprocess.Popen[bytes], pids: Sequence[int]) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if tracer.poll() is not None:
            said = tracer.stderr.read() if tracer.stderr else b""
            raise RuntimeError(f"strace does not attach: {said.decode(errors='replace')[:300]}")
        if all(_is_traced(pid) for pid in pids):
            time.sleep(0.2)  # its other threads
            return
        time.sleep(0.02)
    raise RuntimeError("strace did not attach in time")


def _is_traced(pid: int) -> bool:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return all("TracerPid:\t0\n" not in (task / "status").read_text() for task in tasks)
    except OSError:  # it ended meanwhile
        return True


def _failing(stage: Stage, times: int, findings: Findings) -> dict[str, int]:
    """On SQLite: each time another fsync fails. The process ends by itself, and is started again by its supervisor."""
    server = stage.server("failing", jobs="off")
    acknowledged: dict[str, str] = {}
    refused = 0
    for k in range(1, times + 1):
        trace = stage.place("trace") / "failing"
        with Caller(server.url) as caller:
            caller.add("user/ada", "the namespace is there", idempotency_key="first")
            with traced([server.pid], trace, "-e", f"inject=fsync,fdatasync:error=EIO:when={1 + (k - 1) % 5}"):
                for n in range(8):
                    content = f"round {k} told {n}"
                    try:
                        answer = caller.add("user/ada", content)
                    except GONE:
                        break
                    if answer.status == 201:
                        acknowledged[content] = answer.body["memory"]["id"]
                    else:
                        refused += 1
                        findings.check(answer.status == 503, "an unexpected answer", (answer.status, answer.body))
                code = _ended(server)
        seen = list(calls(trace))
        failed = [arguments for call, arguments, is_done in seen if call in SYNCS and not is_done]
        findings.check(bool(failed), "no fsync failed", k)
        judge_failures(seen, code, findings)
        server.kill()
        server.start()
    server.kill()
    compare(sqlite_of(server), acknowledged, findings)
    return {"rounds": times, "acknowledged": len(acknowledged), "refused": refused}


def _ended(server: ServerProcess) -> int | None:
    """How it ended by itself; None if it did not."""
    try:
        return server.wait(_ENDS_S)
    except (TimeoutError, subprocess.TimeoutExpired):
        return None


def judge_failures(seen: Sequence[tuple[str, str, bool]], code: int | None, findings: Findings) -> None:
    """After a failed sync of the log nothing is acknowledged, whatever succeeds later, and the process ends.

    One that had nothing to sync says nothing: SQLite syncs the log again before it copies pages out of it, and does not
    tell when that fails; all of it was synced with the commits.
    """
    is_failed = is_written = False
    for call, arguments, is_done in seen:
        if "memsvc.db-wal" in arguments and call.startswith("pw"):
            is_written = True
        elif "memsvc.db-wal" in arguments and call in SYNCS:
            is_failed = is_failed or (is_written and not is_done)
            is_written = is_written and not is_done
        elif "HTTP/1.1 201" in arguments and is_failed:
            findings.broke("acknowledged after a failed fsync", arguments[:80])
    if is_failed:
        findings.check(code == EXIT_CODE, "the process went on after a failed fsync", code)


ROW = Row(
    "R-07", "durable before it is acknowledged, and a failed fsync is never acknowledged", run, 25, 1_000, "writes"
)
