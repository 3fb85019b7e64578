"""`memsvc quarantine`, `memsvc revoke` and `memsvc unrevoke`: what nobody should believe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from memsvc_client.cli import options as opt
from memsvc_client.cli.output import clean, grid, one_line, table
from memsvc_client.cli.session import Session, command

if TYPE_CHECKING:
    from memsvc_client.inputs import Brought

_QUARANTINED = {"state": "quarantined"}

app = typer.Typer(no_args_is_help=True, help="What waits, hidden, for an admin to look at it.")

Reason = Annotated[str, typer.Option(help="Why; stays in the history, 48 bytes at most.", metavar="TEXT")]


def register(root: typer.Typer) -> None:
    """Adds the commands to the root."""
    root.add_typer(app, name="quarantine")
    command(root)(revoke)
    command(root)(unrevoke)


@command(app, "list")
def list_(session: Session, *, limit: Annotated[int, typer.Option(help="So many at most.", min=1)] = 20) -> None:
    """List what is in quarantine, the newest first."""
    with session.client() as client:
        found = [*client.list(filter=_QUARANTINED, limit=limit)]
    rows = ((one.id, one.trust, one.origin, ", ".join(one.flags), one_line(one.content)) for one in found)
    session.output.show(
        {"items": [one.model_dump(mode="json") for one in found]},
        lambda: table(("id", "trust", "origin", "flags", "content"), rows),
    )


@command(app)
def add(session: Session, memory_id: opt.MemoryId, *, reason: Reason) -> None:
    """Put a memory into quarantine: nobody but admins sees it."""
    with session.client() as client:
        done = client.quarantine(memory_id, reason)
    session.output.show(done.model_dump(mode="json"), lambda: clean(f"{memory_id} is in quarantine"))


@command(app)
def release(session: Session, memory_id: opt.MemoryId, *, reason: Reason) -> None:
    """Let a memory out of quarantine."""
    with session.client() as client:
        done = client.unquarantine(memory_id, reason)
    session.output.show(done.model_dump(mode="json"), lambda: clean(f"{memory_id} is released"))


def revoke(
    session: Session,
    *,
    writer: Annotated[str | None, typer.Option(help="Memories that the key of this name made.")] = None,
    origin: Annotated[str | None, typer.Option(help="Memories of this origin, such as source:news.example.")] = None,
    in_session: Annotated[str | None, typer.Option("--session", help="Memories of this session.")] = None,
    since: Annotated[str | None, typer.Option(help=f"Recorded then or later. {opt.TIME_NOTE}", metavar="TIME")] = None,
    until: Annotated[str | None, typer.Option(help="Recorded before then.", metavar="TIME")] = None,
    everywhere: Annotated[bool, typer.Option("--everywhere", help="In all namespaces that the key reaches.")] = False,
    erase: Annotated[bool, typer.Option("--erase", help="For good; there is no way back.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be revoked.")] = False,
) -> None:
    """Take back all that a key, a source or a session brought in, with what was derived from it."""
    times = {"since": opt.parse_time(since, "since"), "until": opt.parse_time(until, "until")}
    given = {"writer": writer, "origin": origin, "session_id": in_session, **times}
    of: Brought = {name: value for name, value in given.items() if value is not None}  # type: ignore[assignment]
    with session.client() as client:
        if dry_run:
            found = client.revocation_preview(everywhere=everywhere, **of)
            session.output.show(found.model_dump(mode="json"), lambda: grid(found.model_dump(mode="json")))
            return
        done = client.revoke(everywhere=everywhere, erase=erase, **of)
    session.output.show(
        done.model_dump(mode="json"),
        lambda: clean(f"revoked {done.memories} memories and {done.derived} derived from them; {done.id}"),
    )


def unrevoke(
    session: Session,
    revocation_id: Annotated[str, typer.Argument(help="Id of the revocation.", metavar="REVOCATION")],
) -> None:
    """Bring back what a revocation hid."""
    with session.client() as client:
        done = client.undo_revocation(revocation_id)
    session.output.show(done.model_dump(mode="json"), lambda: clean(f"{done.memories} memories are back"))
