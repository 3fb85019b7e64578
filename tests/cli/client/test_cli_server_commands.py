"""An installed server's commands join the client's; without one the command says so."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import Any

import pytest
import typer

from memsvc_client.cli import server
from tests.cli.client.conftest import Memsvc
from tests.unit.client.recorder import Recorder

several = typer.Typer()
single = typer.Typer()
keys_app = typer.Typer()


@several.command()
def serve(port: int = 8000) -> None:
    """Serve it."""
    typer.echo(f"serving on {port}")


@several.command()
def migrate() -> None:
    """Migrate it."""


@keys_app.command("create")
def local_create() -> None:
    """Make a key in the database."""
    typer.echo("the server's")


@keys_app.command("rotate")
def local_rotate() -> None:
    """Not reachable: the client's group wins."""


several.add_typer(keys_app, name="keys")


@single.command("doctor")
def doctor() -> None:
    """Look for faults."""
    typer.echo("healthy")


def install(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    points = [EntryPoint(f"p{n}", value, server.ENTRY_POINT_GROUP) for n, value in enumerate(values)]

    def entry_points(*, group: str) -> list[EntryPoint]:
        assert group == "memsvc.commands"
        return points

    monkeypatch.setattr(server, "entry_points", entry_points)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(sys.modules, "a_server", sys.modules[__name__])
    return "a_server"


@pytest.mark.parametrize("name", ["serve", "migrate", "doctor", "admin-key"])
def test_without_a_server_one_line_says_how_to_get_it(
    memsvc: Memsvc, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    install(monkeypatch)
    assert memsvc(name, "--port", "1") == (2, "", server.NOT_INSTALLED + "\n")


def test_a_servers_commands_are_merged(memsvc: Memsvc, monkeypatch: pytest.MonkeyPatch, here: str) -> None:
    install(monkeypatch, f"{here}:several", f"{here}:single")
    assert memsvc("serve", "--port", "9") == (0, "serving on 9\n", "")
    assert memsvc("doctor")[1] == "healthy\n"
    code, out, _ = memsvc("--help")
    assert code == 0
    for name in ("serve", "migrate", "doctor", "recall", "memories"):
        assert f" {name} " in out


def test_the_clients_keys_win(memsvc: Memsvc, service: Recorder, monkeypatch: pytest.MonkeyPatch, here: str) -> None:
    install(monkeypatch, f"{here}:several")
    code, out, _ = memsvc("keys", "create", "ci", "--role", "read")
    assert code == 0
    assert "msk_secret" in out
    assert service.last.path == "/v1/keys"
    assert memsvc("keys", "rotate")[0] == 2


def test_a_server_that_cannot_be_loaded_does_not_stop_the_client(
    memsvc: Memsvc, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, "no_such_module_here:app")
    code, _, err = memsvc("serve")
    assert code == 2
    assert "cannot be loaded" in err
    assert "pip install" not in err
    assert memsvc("recall", "tea")[0] == 0


def test_client_commands_do_not_load_the_server(memsvc: Memsvc, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise AssertionError("loaded")

    monkeypatch.setattr(server, "load_server_commands", fail)
    assert memsvc("recall", "tea")[0] == 0


def test_the_command_starts_light() -> None:
    code = (
        "import sys, memsvc_client.cli.main\n"
        "heavy = {'torch', 'numpy', 'fastapi', 'sqlalchemy', 'memsvc', 'retrieval', 'gpu'} & sys.modules.keys()\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
