"""`memsvc embedding`: moving a namespace to another embedding model while it is in use, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from memsvc_client.cli.output import grid
from memsvc_client.cli.session import Session, command

if TYPE_CHECKING:
    from memsvc_client.types import Embedding

app = typer.Typer(no_args_is_help=True, help="Embedding models of a namespace: which, to another one, and back.")


@command(app)
def show(session: Session) -> None:
    """Show which model's vectors recalls search, and how far it is with another one."""
    with session.client() as client:
        _show(session, client.embedding.get())


@command(app)
def start(
    session: Session,
    *,
    model: Annotated[
        str | None, typer.Option(help="To which model of the server; default the only other one.", metavar="MODEL")
    ] = None,
    hold: Annotated[
        bool, typer.Option("--hold", help="Do not switch when it is complete; `switch` does that later.")
    ] = False,
) -> None:
    """Embed a namespace for another model, or go on with it. Recalls find everything meanwhile."""
    with session.client() as client:
        _show(session, client.embedding.start(model=model, switch_when_complete=not hold))


@command(app)
def switch(session: Session) -> None:
    """Have recalls search the vectors of the other model, which are complete."""
    with session.client() as client:
        _show(session, client.embedding.switch())


@command(app)
def back(session: Session) -> None:
    """Have recalls search the vectors of the model before again."""
    with session.client() as client:
        _show(session, client.embedding.back())


@command(app)
def drop(session: Session) -> None:
    """Delete the vectors that are kept beside."""
    with session.client() as client:
        _show(session, client.embedding.drop())


def _show(session: Session, found: Embedding) -> None:
    facts = {"recalls search": f"{found.active.model} ({found.active.dim} numbers)", "beside": "nothing"}
    if (beside := found.beside) is not None:
        facts["beside"] = f"{beside.model} ({beside.dim} numbers)"
        facts["it is"] = beside.state + (", then recalls search it" if beside.switches_when_complete else "")
        facts["embedded"] = f"{beside.embedded} of {beside.texts} texts"
    facts["models of the server"] = ", ".join(found.models)
    if found.last_run is not None:
        facts["last run"] = found.last_run.state
    session.output.show(found.model_dump(mode="json"), lambda: grid(facts))
