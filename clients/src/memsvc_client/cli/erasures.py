"""`memsvc erase` and `memsvc erasures`: erasing for good, and what can be shown of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memsvc_client.cli import options as opt
from memsvc_client.cli.output import grid, table
from memsvc_client.cli.session import Session, command
from memsvc_client.errors import InvalidArgument

if TYPE_CHECKING:
    from memsvc_client.inputs import Erased
    from memsvc_client.types import Erasure

REFUSED = 1

app = typer.Typer(no_args_is_help=True, help="What was erased: progress, receipts.")

ErasureId = Annotated[str, typer.Argument(help="Id of the erasure.", metavar="ERASURE")]
ReceiptFile = Annotated[Path, typer.Argument(help="File with the receipt, or - for stdin.", metavar="FILE")]


def register(root: typer.Typer) -> None:
    """Adds the commands to the root."""
    command(root)(erase)
    root.add_typer(app, name="erasures")


def erase(
    session: Session,
    *,
    id_: Annotated[list[str] | None, typer.Option("--id", help="This memory; repeatable.", metavar="ID")] = None,
    filter_: opt.FilterOption = None,
    user: Annotated[str | None, typer.Option(help="Memories that are, or ever were, of this user.")] = None,
    entity: Annotated[str | None, typer.Option(help="Memories that mention this entity (its id).")] = None,
    writer: Annotated[str | None, typer.Option(help="Memories that the key of this name made.")] = None,
    receipt: Annotated[
        Path | None, typer.Option(help="What is back of an erasure, by the file with its receipt.", metavar="FILE")
    ] = None,
    everywhere: Annotated[bool, typer.Option("--everywhere", help="In all namespaces that the key reaches.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be erased.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait_s: Annotated[float, typer.Option(help="Wait so long for its end.", min=0.0)] = 60.0,
) -> None:
    """Destroy memories with their history and all that was derived from them. There is no way back."""
    given = {"memory_ids": id_ or None, "filter": opt.parse_object(filter_, "filter"), "user_id": user}
    given |= {"entity_id": entity, "writer": writer, "receipt": None if receipt is None else _receipt(receipt)}
    of: Erased = {name: value for name, value in given.items() if value is not None}  # type: ignore[assignment]
    with session.client() as client:
        found = client.erasures.preview(everywhere=everywhere, **of)
        if dry_run:
            session.output.show(found.model_dump(mode="json"), lambda: grid(found.model_dump(mode="json")))
            return
        question = f"Erase {found.memories} memories and {found.derived} derived from them for good? [y/N] "
        if not yes and not _agreed(question):
            session.output.note("nothing was erased")
            raise typer.Exit(REFUSED)
        done = client.erasures.create(everywhere=everywhere, wait_s=wait_s, **of)
    _show(session, done)


@command(app, "list")
def list_(session: Session, *, limit: Annotated[int, typer.Option(help="So many at most.", min=1)] = 20) -> None:
    """List erasures, the newest first."""
    with session.client() as client:
        found = [*client.erasures.list(limit=limit)]
    rows = ((one.id, one.state, one.memories, one.asked_by, one.ended_at, one.overwritten_at) for one in found)
    session.output.show(
        {"items": [one.model_dump(mode="json") for one in found]},
        lambda: table(("id", "state", "memories", "asked by", "erased", "overwritten"), rows),
    )


@command(app)
def show(session: Session, erasure_id: ErasureId) -> None:
    """Show one erasure, and how far it is; with --json also its receipt."""
    with session.client() as client:
        _show(session, client.erasures.get(erasure_id))


@command(app)
def verify(session: Session, file: ReceiptFile) -> None:
    """Check a receipt: that it is genuine, and that nothing of it is back. Exit code 1 if not."""
    with session.client() as client:
        verdict = client.erasures.verify(_receipt(file))
    session.output.show(verdict.model_dump(mode="json"), lambda: grid(verdict.model_dump(mode="json")))
    if not verdict.holds:
        raise typer.Exit(REFUSED)


def _receipt(file: Path) -> dict[str, Any]:
    """A receipt, or the one in an erasure as `show --json` prints it."""
    try:
        found = json.loads(sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidArgument("the file with the receipt cannot be read as JSON") from error
    found = found.get("receipt", found) if isinstance(found, dict) else found
    if not isinstance(found, dict):
        raise InvalidArgument("the file holds no receipt")
    return found


def _agreed(question: str) -> bool:
    typer.echo(question, err=True, nl=False)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _show(session: Session, erasure: Erasure) -> None:
    facts: dict[str, Any] = {"id": erasure.id, "state": erasure.state, "memories": erasure.memories}
    facts |= {"erased": erasure.ended_at, "overwritten": erasure.overwritten_at, "how": erasure.overwriting}
    facts |= {"problem": erasure.problem} if erasure.problem else {}
    session.output.show(erasure.model_dump(mode="json"), lambda: grid(facts))
