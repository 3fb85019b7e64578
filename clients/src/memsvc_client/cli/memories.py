"""`memsvc memories`: one memory or a list of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType

from memsvc_client.cli import options as opt
from memsvc_client.cli.output import REFUSED, clean, grid, one_line, table
from memsvc_client.cli.session import Session, command
from memsvc_client.errors import InvalidArgument

if TYPE_CHECKING:
    from memsvc_client.types import Memory, Written

app = typer.Typer(no_args_is_help=True, help="Write, read, change and remove memories.")


@command(app, extra=opt.WRITE_OPTIONS)
def add(
    session: Session,
    text: Annotated[str, typer.Argument(help="What to remember; - reads stdin.", metavar="TEXT")],
    **fields: Any,
) -> None:
    """Write one memory."""
    with session.client() as client:
        written = client.remember(opt.text_or_stdin(text), **opt.memory_fields(fields))
    _show_written(session, written, "remembered" if written.created else "changed")


@command(app, "list")
def list_(
    session: Session,
    *,
    filter_: opt.FilterOption = None,
    limit: Annotated[int, typer.Option(help="Show at most so many.", min=1)] = 50,
    order: Annotated[opt.OrderChoice | None, typer.Option(help="By the time of recording; default newest.")] = None,
) -> None:
    """List the memories of a namespace."""
    with session.client() as client:
        memories = [
            *client.list(filter=opt.parse_object(filter_, "filter"), order=order.value if order else None, limit=limit)
        ]
    rows = ((m.id, m.kind, m.state, m.occurred_at or m.recorded_at, one_line(m.content)) for m in memories)
    session.output.show(
        {"items": [_plain(memory) for memory in memories]},
        lambda: table(("id", "kind", "state", "when", "content"), rows),
    )


@command(app)
def show(session: Session, memory_id: opt.MemoryId) -> None:
    """Show one memory with all its fields."""
    with session.client() as client:
        memory = client.get(memory_id)
    session.output.show(_plain(memory), lambda: draw(memory))


@command(app, extra=opt.EDIT_OPTIONS)
def edit(
    session: Session,
    memory_id: opt.MemoryId,
    *,
    content: Annotated[str | None, typer.Option(help="New content; - reads stdin.", metavar="TEXT")] = None,
    clear: Annotated[list[str] | None, typer.Option(help="Field to empty; may be repeated.", metavar="FIELD")] = None,
    if_version: Annotated[int | None, typer.Option(help="Only if this is still its version.")] = None,
    **fields: Any,
) -> None:
    """Change the named fields; the former state stays in the history."""
    changes = (
        opt.memory_fields(fields)
        | dict.fromkeys(clear or ())
        | ({} if content is None else {"content": opt.text_or_stdin(content)})
    )
    with session.client() as client:
        written = client.edit(memory_id, if_version=if_version, **changes)
    _show_written(session, written, "changed")


@command(app)
def history(session: Session, memory_id: opt.MemoryId) -> None:
    """Show every version of a memory."""
    with session.client() as client:
        versions = client.history(memory_id)
    rows = (
        (v.version, v.state, v.recorded_from, v.recorded_to or "now", v.reason, v.writer, one_line(v.content or ""))
        for v in versions
    )
    session.output.show(
        {"items": [version.model_dump(mode="json") for version in versions]},
        lambda: table(("version", "state", "from", "to", "reason", "writer", "content"), rows),
    )


@command(app)
def links(session: Session, memory_id: opt.MemoryId) -> None:
    """Show how a memory hangs together with others."""
    with session.client() as client:
        found = client.links(memory_id)
    session.output.show(
        {"items": [link.model_dump(mode="json") for link in found]},
        lambda: table(("memory", "relation", "direction"), ((x.memory_id, x.relation, x.direction) for x in found)),
    )


@command(app)
def forget(session: Session, memory_id: opt.MemoryId) -> None:
    """Hide a memory from recall; restore brings it back."""
    with session.client() as client:
        _show_written(session, client.forget(memory_id), "forgotten")


@command(app)
def restore(session: Session, memory_id: opt.MemoryId) -> None:
    """Bring a forgotten, archived or superseded memory back."""
    with session.client() as client:
        _show_written(session, client.restore(memory_id), "restored")


@command(app)
def unmerge(session: Session, memory_id: opt.MemoryId) -> None:
    """Take a memory out of the one that says the same and stands for it."""
    with session.client() as client:
        _show_written(session, client.unmerge(memory_id), "unmerged")


@command(app)
def due(
    session: Session,
    *,
    horizon_s: Annotated[int, typer.Option(help="Also those that will be due so soon.", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="Show at most so many.", min=1)] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with those that come to be due, one a line.")] = False,
) -> None:
    """List important memories that are about to fade, the most urgent first."""
    if follow:
        with session.client() as client:
            for event in client.follow_due(horizon_s=horizon_s):
                one = event.value
                shown = f"{one.memory.id}  {one.due_at}  {one_line(one.memory.content)}"
                session.output.show(one.model_dump(mode="json"), lambda shown=shown: clean(shown))  # type: ignore[misc]
        return
    with session.client() as client:
        found = [*client.due(horizon_s=horizon_s, limit=limit)]
    rows = (
        (one.memory.id, one.due_at, one.memory.retention, one.rehearsals, one_line(one.memory.content)) for one in found
    )
    session.output.show(
        {"items": [one.model_dump(mode="json") for one in found]},
        lambda: table(("id", "due", "retention", "rehearsals", "content"), rows),
    )


@command(app)
def rehearsed(
    session: Session,
    memory_id: opt.MemoryId,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="It was not remembered.")] = False,
) -> None:
    """Say that a memory was looked at again, and was remembered."""
    with session.client() as client:
        found = client.rehearsed(memory_id, "failed" if failed else "remembered")
    session.output.show(found.model_dump(mode="json"), lambda: clean(f"{memory_id} is due again at {found.due_at}"))


_Reason = Annotated[str, typer.Option(help="Why; stays on record.", metavar="TEXT")]


@command(app)
def hold(session: Session, memory_id: opt.MemoryId, *, reason: _Reason) -> None:
    """Put a memory under a legal hold: nothing can hide or erase it."""
    with session.client() as client:
        found = client.hold(memory_id, reason)
    session.output.show(found.model_dump(mode="json"), lambda: clean(f"{memory_id} is held since {found.held_at}"))


@command(app)
def release(session: Session, memory_id: opt.MemoryId, *, reason: _Reason) -> None:
    """End the legal hold of a memory."""
    with session.client() as client:
        found = client.release(memory_id, reason)
    session.output.show(found.model_dump(mode="json"), lambda: clean(f"{memory_id} is released"))


@command(app)
def holds(session: Session, memory_id: opt.MemoryId) -> None:
    """Show every legal hold that a memory was ever under."""
    with session.client() as client:
        found = client.holds(memory_id)
    rows = ((x.held_at, x.held_by, x.reason, x.released_at, x.released_by, x.release_reason) for x in found)
    session.output.show(
        {"items": [one.model_dump(mode="json") for one in found]},
        lambda: table(("held", "by", "reason", "released", "by", "reason"), rows),
    )


@command(app)
def erase(
    session: Session,
    memory_id: opt.MemoryId,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Destroy a memory with its history. There is no way back."""
    if not memory_id:
        raise InvalidArgument("a memory id is needed")
    if not yes and not _agreed(f"Erase {clean(memory_id).plain} for good? [y/N] "):
        session.output.note("nothing was erased")
        raise typer.Exit(REFUSED)
    with session.client() as client:
        client.erase(memory_id)
    session.output.show({"erased": memory_id}, lambda: clean(f"erased {memory_id}"))


def _agreed(question: str) -> bool:
    """Asks on stderr: stdout is for results alone, which the usual prompt does not keep to."""
    typer.echo(question, err=True, nl=False)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _show_written(session: Session, written: Written, verb: str) -> None:
    memory = written.memory
    session.output.show(
        {"memory": _plain(memory), "seq": written.seq, "created": written.created},
        lambda: clean(f"{verb} {memory.id} (version {memory.version})"),
    )
    if written.degraded:
        session.output.note("found by its words alone until the embedding model answers again")


def _plain(memory: Memory) -> dict[str, Any]:
    return memory.model_dump(mode="json")


def draw(memory: Memory) -> RenderableType:
    """All fields of a memory, its content last."""
    fields = {name: getattr(memory, name) for name in type(memory).model_fields if name != "content"}
    return Group(grid(fields), "", clean(memory.content))
