"""R-26: whoever pages through a namespace sees everything that was there throughout, once, whatever others write."""

from __future__ import annotations

import threading
from urllib.parse import quote

from benchmarks.faults.asking import GONE, Caller
from benchmarks.faults.row import Findings, Row
from benchmarks.faults.stage import Stage

_SHORT_ROWS, _LONG_ROWS = 300, 10_000
_LONG_FROM = 100
_PAGE = 100
_BESIDE_PER_S = 50
_ORDERS = ("newest", "oldest")


def run(stage: Stage, n: int) -> Findings:
    """Page through the namespace so many times."""
    findings = Findings()
    server = stage.server("pages", url=stage.postgres.new_database(), jobs="off")
    rows = _LONG_ROWS if n >= _LONG_FROM else _SHORT_ROWS
    stop = threading.Event()
    with Caller(server.url) as caller:
        lasting = _fill(caller, rows)
        beside = threading.Thread(target=_write_beside, args=(server.url, stop), daemon=True)
        beside.start()
        size = _PAGE if n >= _LONG_FROM else _PAGE // 4
        for turn in range(n):
            _scan(caller, _ORDERS[turn % 2], size, lasting, findings)
        stop.set()
        beside.join(30)
        _forged(caller, findings)
    server.kill()
    findings.figures |= {"rows": rows, "writes_per_s_beside": _BESIDE_PER_S}
    return findings


def _fill(caller: Caller, rows: int) -> set[str]:
    found: set[str] = set()
    for at in range(0, rows, 500):
        memories = [{"content": f"lasting number {k}"} for k in range(at, min(rows, at + 500))]
        answer = caller.post("/v1/memories:batch", {"namespace": "user/ada", "memories": memories})
        found |= {item["id"] for item in answer.body["items"]}  # one moment for all of them: ties
    return found


def _write_beside(url: str, stop: threading.Event) -> None:
    """Creates, edits and erases memories of its own."""
    mine: list[str] = []
    with Caller(url) as caller:
        n = 0
        while not stop.wait(1 / _BESIDE_PER_S):
            n += 1
            try:
                if n % 3 == 2 and mine:
                    caller.ask("DELETE", f"/v1/memories/{mine.pop(0)}")
                elif n % 3 == 1 and mine:
                    caller.ask("PATCH", f"/v1/memories/{mine[-1]}", {"content": f"passing, edited {n}"})
                else:
                    mine.append(caller.add("user/ada", f"passing {n}").body["memory"]["id"])
            except GONE:
                return


def _scan(caller: Caller, order: str, size: int, lasting: set[str], findings: Findings) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = caller.ask("GET", f"/v1/memories?namespace=user%2Fada&limit={size}&order={order}{cursor}")
        if page.status != 200:
            findings.check(False, "a page was refused", (page.status, page.body))
            return
        seen += [memory["id"] for memory in page.body["items"]]
        if not page.body["next_cursor"]:
            break
        cursor = f"&cursor={quote(page.body['next_cursor'])}"
    findings.tried()
    if missed := len(lasting - set(seen)):
        findings.broke("missed in a scan", order, missed)
    if repeated := len(seen) - len(set(seen)):
        findings.broke("seen twice in a scan", order, repeated)


def _forged(caller: Caller, findings: Findings) -> None:
    """A cursor with any character changed is refused, and so is one of another list."""
    cursor = caller.ask("GET", "/v1/memories?namespace=user%2Fada&limit=5").body["next_cursor"]
    for at in range(0, len(cursor), max(1, len(cursor) // 16)):
        other = "A" if cursor[at] != "A" else "B"
        forged = cursor[:at] + other + cursor[at + 1 :]
        answer = caller.ask("GET", f"/v1/memories?namespace=user%2Fada&limit=5&cursor={quote(forged)}")
        findings.check(answer.status in {400, 422}, "a forged cursor was taken", answer.status)
    answer = caller.ask("GET", f"/v1/memories?namespace=user%2Fbob&limit=5&cursor={quote(cursor)}")
    findings.check(answer.status in {400, 422}, "a cursor of another list was taken", answer.status)


ROW = Row("R-26", "pages are stable while others write", run, 4, 300, "scans")
