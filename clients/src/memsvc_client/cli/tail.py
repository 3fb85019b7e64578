"""`memsvc tail`: what is changed in a namespace, as it is."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from memsvc_client.cli import options as opt
from memsvc_client.cli.output import clean, one_line
from memsvc_client.cli.session import Session, command
from memsvc_client.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from memsvc_client.client import MemoryClient
    from memsvc_client.types import Change


def register(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app)(tail)


def tail(
    session: Session,
    *,
    since: Annotated[
        str | None, typer.Option(help=f"Also what was changed since then. {opt.TIME_NOTE}", metavar="TIME")
    ] = None,
    after: Annotated[
        int | None, typer.Option(help="Also what was changed after this seq, to go on where one was.", min=0)
    ] = None,
    limit: Annotated[int | None, typer.Option(help="End after so many changes.", min=1)] = None,
) -> None:
    """Follow the changes of a namespace, until it is stopped; a lost connection is made anew and none is missed.

    With --json one line of JSON for each change, whose `seq` goes into --after.

    Example: memsvc tail --since 2026-01-31
    """
    if since is not None and after is not None:
        raise InvalidArgument("give --since or --after")
    moment, seen = opt.parse_time(since, "since"), 0
    with session.client() as client:
        begin = (0 if moment else client.stats().head_seq or 0) if after is None else after
        for event in client.follow_changes(since=moment, after=str(begin)):
            change = event.value
            line = "" if session.as_json else _line(client, change)
            session.output.show(change.model_dump(mode="json"), lambda line=line: line)  # type: ignore[misc]
            seen += 1
            if seen == limit:
                return


def _line(client: MemoryClient, change: Change) -> Text:
    what = change.op if change.op != "put" else f"{change.state or 'hidden'}: {change.reason or 'in quarantine'}"
    said = ""
    if change.memory_id is not None and change.op == "put":
        with suppress(NotFound):  # it is hidden, or gone by now
            said = client.get(change.memory_id).content
    facts = (change.seq, f"{change.recorded_at:%Y-%m-%d %H:%M:%S}", what, change.writer or "", change.memory_id or "")
    return Text.assemble((clean("  ".join(map(str, facts))).plain, "dim"), "  ", one_line(said))
