"""The command, run in this process against a recorder."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner

from memsvc_client.cli.main import app
from tests.unit.client.recorder import Recorder, plausible, recording

Ran = tuple[int, str, str]
Memsvc = Callable[..., Ran]


@pytest.fixture
def service() -> Iterator[Recorder]:
    with recording() as recorder:
        recorder.default = plausible
        yield recorder


@pytest.fixture
def memsvc(service: Recorder, monkeypatch: pytest.MonkeyPatch) -> Memsvc:
    """Runs `memsvc ...`; gives the exit code, stdout and stderr."""
    for name in ("MEMSVC_API_KEY", "MEMSVC_API_KEY_FILE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MEMSVC_URL", service.url)
    monkeypatch.setenv("MEMSVC_NAMESPACE", "user/ada")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, stdin: str | bytes | None = None) -> Ran:
        result = CliRunner().invoke(app, list(arguments), input=stdin, prog_name="memsvc")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return run
