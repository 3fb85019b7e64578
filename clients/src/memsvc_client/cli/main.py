"""The root of the `memsvc` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memsvc_client._version import __version__
from memsvc_client.cli import (
    audit,
    completion,
    diffs,
    embedding,
    erasures,
    exploring,
    exports,
    importing,
    inspecting,
    jobs,
    keys,
    mcp,
    memories,
    migrating,
    policies,
    recall,
    service,
    session,
    tail,
    trust,
    why,
)
from memsvc_client.cli.server import RootGroup

EPILOG = "Exit codes: 0 done, 1 the service said no, 2 wrong usage, 3 the service cannot be reached."

app = typer.Typer(
    name="memsvc",
    cls=RootGroup,
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
importing.register(memories.app)
app.add_typer(memories.app, name="memories")
recall.register(app)
why.register(app)
inspecting.register(app)
exploring.register(app)
diffs.register(app)
tail.register(app)
policies.register(app)
migrating.register(app)
app.add_typer(jobs.app, name="jobs")
app.add_typer(embedding.app, name="embedding")
erasures.register(app)
exports.register(app)
trust.register(app)
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
service.register(app)
mcp.register(app)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    *,
    url: Annotated[str | None, typer.Option(envvar="MEMSVC_URL", help=session.URL_HELP)] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            envvar="MEMSVC_NAMESPACE",
            help=session.NAMESPACE_HELP,
            autocompletion=completion.namespaces,
        ),
    ] = None,
    api_key_file: Annotated[Path | None, typer.Option(envvar="MEMSVC_API_KEY_FILE", help=session.KEY_FILE_HELP)] = None,
    timeout_s: Annotated[float, typer.Option(help=session.TIMEOUT_HELP, min=0.001)] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help=session.JSON_HELP)] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the client's version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """A long-term memory for AI agents: remember, recall, forget."""
    del version  # its callback has ended the run
    ctx.obj = session.Session(url, namespace, api_key_file, timeout_s, as_json)


def main() -> None:
    """Runs the command; what the `memsvc` script calls."""
    app(prog_name="memsvc")
