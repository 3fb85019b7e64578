"""`memsvc namespaces`, `stats` and `version`: what is known of the service itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import filesize

from memsvc_client._version import __version__
from memsvc_client.cli.output import grid, table
from memsvc_client.cli.session import Session, command
from memsvc_client.errors import MemsvcError

if TYPE_CHECKING:
    from memsvc_client.types import Stats

namespaces_app = typer.Typer(no_args_is_help=True, help="See the namespaces.")


def register(app: typer.Typer) -> None:
    """Adds the commands to the root."""
    app.add_typer(namespaces_app, name="namespaces")
    command(app)(stats)
    command(app)(version)


@command(namespaces_app, "list")
def list_(
    session: Session,
    *,
    prefix: Annotated[str | None, typer.Option(help="Only those that begin so.")] = None,
    limit: Annotated[int, typer.Option(help="Show at most so many.", min=1)] = 1000,
    sizes: Annotated[bool, typer.Option("--sizes", help="With levels, bytes, and what needs a look; slower.")] = False,
) -> None:
    """List the namespaces that the key may see."""
    with session.client() as client:
        found = [*client.namespaces(prefix=prefix, limit=limit)]
        if sizes:
            _show_sizes(session, [client.stats(namespace=one.namespace) for one in found])
            return
    rows = ((n.namespace, n.memories, n.head_seq, n.embedding_model, n.created_at) for n in found)
    session.output.show(
        {"items": [namespace.model_dump(mode="json") for namespace in found]},
        lambda: table(("namespace", "memories", "seq", "embedding model", "created"), rows),
    )


def _show_sizes(session: Session, found: Sequence[Stats]) -> None:
    rows = (
        (
            one.namespace,
            one.memories,
            ", ".join(f"{name} {count}" for name, count in one.levels.items() if count),
            filesize.decimal(one.bank_bytes or 0),
            filesize.decimal(sum(one.database_bytes.values())),
            "; ".join(_worries(one)) or "well",
        )
        for one in found
    )
    session.output.show(
        {"items": [one.model_dump(mode="json") for one in found]},
        lambda: table(("namespace", "memories", "levels", "bank", "database", "health"), rows),
    )


def _worries(one: Stats) -> Iterator[str]:
    """What somebody should look at: a bank that is behind, texts that wait, and work whose newest run failed."""
    behind = (one.head_seq or 0) - (one.applied_seq if one.applied_seq is not None else one.head_seq or 0)
    if behind > 0 and one.bank_bytes:  # one that is not loaded yet will be when it is asked
        yield f"bank {behind} changes behind"
    if one.pending_embeddings:
        yield f"{one.pending_embeddings} texts wait for the embedding model"
    yield from (f"{kind} {run.state}" for kind, run in one.last_runs.items() if run.state == "failed")


def stats(session: Session) -> None:
    """Show counts and sizes of a namespace."""
    with session.client() as client:
        figures = client.stats().model_dump(mode="json")
    session.output.show(figures, lambda: grid(_flat(figures)))


def version(session: Session) -> None:
    """Show the versions of the client and of the service."""
    server: dict[str, Any] | None = None
    try:
        with session.client() as client:
            server = client.version().model_dump(mode="json")
    except MemsvcError as error:  # the client's version is an answer of its own
        session.output.error(error)
    lines = {"client": __version__, "server": server}
    session.output.show(lines, lambda: grid(_flat(lines)))


def _flat(figures: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in figures.items():
        flat |= _flat(value, f"{prefix}{name} ") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
