"""`memsvc audit`: the trail of what was done that somebody may have to answer for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memsvc_client.cli import options as opt
from memsvc_client.cli.output import grid, table
from memsvc_client.cli.session import Session, command
from memsvc_client.errors import InvalidArgument

if TYPE_CHECKING:
    from memsvc_client.types import Anchor

BROKEN = 1

app = typer.Typer(no_args_is_help=True, help="See the audit trail, and check it.")


@command(app, "list")
def list_(
    session: Session,
    *,
    kind: Annotated[str | None, typer.Option(help="Only this kind, such as key, or key.create.")] = None,
    since: Annotated[str | None, typer.Option(help=f"From then on. {opt.TIME_NOTE}", metavar="TIME")] = None,
    until: Annotated[str | None, typer.Option(help="Before then.", metavar="TIME")] = None,
    limit: Annotated[int, typer.Option(help="So many at most.", min=1)] = 1000,
) -> None:
    """List entries, the oldest first."""
    with session.client() as client:
        since_at, until_at = opt.parse_time(since, "since"), opt.parse_time(until, "until")
        found = [*client.audit.list(kind=kind, since=since_at, until=until_at, limit=limit)]
    rows = ((one.seq, one.at, one.kind, one.actor, one.subject, json.dumps(one.facts)) for one in found)
    session.output.show(
        {"items": [one.model_dump(mode="json") for one in found]},
        lambda: table(("seq", "at", "kind", "actor", "subject", "facts"), rows),
    )


@command(app)
def anchor(session: Session) -> None:
    """Print the last entry, signed, to keep elsewhere; with --json for `verify --anchor`."""
    with session.client() as client:
        found = client.audit.anchor()
    shown = None if found is None else found.model_dump(mode="json")
    session.output.show({"anchor": shown}, lambda: "the trail is empty" if shown is None else grid(shown))


@command(app)
def verify(
    session: Session,
    *,
    anchor: Annotated[
        Path | None, typer.Option(help="File with an anchor that was kept, or - for stdin.", metavar="FILE")
    ] = None,
) -> None:
    """Check every entry, here and on the service. Exit code 1, and the first broken entry, if one is not what it was.

    `memsvc verify-audit` does so from the database, without a service.
    """
    kept = None if anchor is None else _anchor(anchor)
    with session.client() as client:
        verdict = client.audit.check(kept)
        if verdict.holds:
            verdict = client.audit.verify(kept)
    session.output.show(verdict.model_dump(mode="json"), lambda: grid(verdict.model_dump(mode="json")))
    if not verdict.holds:
        raise typer.Exit(BROKEN)


def _anchor(file: Path) -> Anchor:
    """An anchor, or the one in what `anchor --json` prints."""
    from memsvc_client.types import Anchor

    try:
        found = json.loads(sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8"))
        return Anchor.model_validate(found.get("anchor", found) if isinstance(found, dict) else found)
    except (OSError, ValueError) as error:
        raise InvalidArgument("the file holds no anchor") from error
