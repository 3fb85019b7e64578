"""Asks a process of this machine whether it is well, with Python's library alone: exit code 0 or 1.

`python -m memsvc.health.probe ready` asks `memsvc serve`; `socket PATH` whether somebody answers there (`memsvc gpu`);
`beat PATH` whether `memsvc worker` still makes its rounds.
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

TIMEOUT_S = 4.0
# A round carries out all runs that wait; each renews its lease by the minute, but many of them take a while.
BEAT_WITHIN_S = 900.0


def ready(port: int) -> bool:
    """Whether `/readyz` says yes. Asked directly, whatever proxy the environment names."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    finally:
        connection.close()


def listening(path: str) -> bool:
    """Whether a process accepts connections at a Unix socket; raises `OSError` if none does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(TIMEOUT_S)
        client.connect(path)
    return True


def beating(path: Path, within_s: float) -> bool:
    """Whether a file was touched within so many seconds."""
    return time.time() - path.stat().st_mtime <= within_s


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if the process is well, else 1 and the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m memsvc.health.probe", description=__doc__)
    ways = parser.add_subparsers(dest="way", required=True)
    asked = ways.add_parser("ready")
    asked.add_argument("--port", type=int, default=int(os.environ.get("MEMSVC_PORT", "8000")))
    ways.add_parser("socket").add_argument("path")
    beat = ways.add_parser("beat")
    beat.add_argument("path", type=Path)
    beat.add_argument("--within-s", type=float, default=BEAT_WITHIN_S)
    given = parser.parse_args(arguments)
    try:
        if given.way == "ready":
            well = ready(given.port)
        elif given.way == "socket":
            well = listening(given.path)
        else:
            well = beating(given.path, given.within_s)
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"{given.way}: {error or type(error).__name__}\n")
        return 1
    if not well:
        sys.stderr.write(f"{given.way}: no\n")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
