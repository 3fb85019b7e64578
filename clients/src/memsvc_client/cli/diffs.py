"""`memsvc diff`: what changed between two versions of a memory, or in a namespace between two moments."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from memsvc_client.cli import options as opt
from memsvc_client.cli.output import clean, one_line
from memsvc_client.cli.session import Session, command
from memsvc_client.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from memsvc_client.client import MemoryClient
    from memsvc_client.types import Change, Revision

_SIGNS = {"added": "+", "changed": "~", "hidden": "-", "back": "+", "erased": "-"}
_NOT_FIELDS = {"version", "content", "recorded_from", "recorded_to"}


def register(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app)(diff)


def diff(
    session: Session,
    memory_id: Annotated[
        str | None, typer.Argument(help="Id of a memory; none: the namespace.", metavar="[ID]")
    ] = None,
    *,
    old: Annotated[
        int | None, typer.Option("--from", help="Its older version; default the last but one.", min=1)
    ] = None,
    new: Annotated[int | None, typer.Option("--to", help="Its newer version; default the last.", min=1)] = None,
    since: Annotated[str | None, typer.Option(help=f"The earlier moment. {opt.TIME_NOTE}", metavar="TIME")] = None,
    until: Annotated[str | None, typer.Option(help="The later moment; default now.", metavar="TIME")] = None,
) -> None:
    """Show what changed between two versions of a memory, or in a namespace between two moments.

    What a memory said before it was hidden is not shown, nor anything of what was erased. With --json a namespace gives
    a line for each memory.

    Example: memsvc diff --since 2026-01-31 --until 2026-02-01
    """
    if memory_id is not None:
        if since is not None or until is not None:
            raise InvalidArgument("a memory has versions (--from, --to); --since and --until are for a namespace")
        _versions(session, memory_id, old, new)
        return
    begin = opt.parse_time(since, "since")
    if begin is None or old is not None or new is not None:
        raise InvalidArgument("give the id of a memory, or --since and perhaps --until for a namespace")
    _between(session, begin, opt.parse_time(until, "until"))


def _versions(session: Session, memory_id: str, old: int | None, new: int | None) -> None:
    with session.client() as client:
        history = {one.version: one for one in client.history(memory_id)}
    last = max(history)
    later = last if new is None else new
    earlier = max(later - 1, min(history)) if old is None else old
    missing = [version for version in (earlier, later) if version not in history]
    if missing:
        raise InvalidArgument(f"there is no version {missing[0]}; the last is {last}")
    one, other = history[earlier], history[later]
    fields = _fields(one, other)
    data = {
        "memory_id": memory_id,
        "before": one.model_dump(mode="json"),
        "after": other.model_dump(mode="json"),
        "changed": sorted([*fields, *(["content"] if one.content != other.content else [])]),
    }
    session.output.show(data, lambda: Group(*_drawn(one, other, fields)))


def _fields(one: Revision, other: Revision) -> dict[str, tuple[Any, Any]]:
    before, after = one.model_dump(mode="json", exclude=_NOT_FIELDS), other.model_dump(mode="json", exclude=_NOT_FIELDS)
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


def _drawn(one: Revision, other: Revision, fields: dict[str, tuple[Any, Any]]) -> Iterator[RenderableType]:
    lines = difflib.unified_diff(
        (one.content or "").splitlines(),
        (other.content or "").splitlines(),
        f"version {one.version}  {one.recorded_from}",
        f"version {other.version}  {other.recorded_from}  {other.reason or ''}, {other.writer or ''}",
        lineterm="",
    )
    drawn = [*lines]
    if not drawn:
        yield clean(f"version {one.version} to {other.version}: the content is the same")
    for line in drawn:
        yield _coloured(line)
    for name, (before, after) in fields.items():
        yield _coloured(f"-{name}: {json.dumps(before, ensure_ascii=False)}")
        yield _coloured(f"+{name}: {json.dumps(after, ensure_ascii=False)}")


def _coloured(line: str) -> Text:
    style = {"+": "green", "-": "red", "@": "dim"}.get(line[:1], "")
    text = clean(line)
    text.stylize(style)
    return text


def _between(session: Session, since: datetime, until: datetime | None) -> None:
    counts: dict[str, int] = {}
    with session.client() as client:
        for memory_id, changes in _by_memory(client, since, until).items():
            found = _told(client, memory_id, changes, since, until)
            if found is not None:
                what = found["change"]
                counts[what] = counts.get(what, 0) + 1
                session.output.show(found, lambda found=found: _line(found))  # type: ignore[misc]
    session.output.note(", ".join(f"{count} {what}" for what, count in counts.items()) or "nothing changed")


def _by_memory(client: MemoryClient, since: datetime, until: datetime | None) -> dict[str, list[Change]]:
    """The writing changes of each memory, in the order of its first one."""
    found: dict[str, list[Change]] = {}
    for change in client.changes(since=since, until=until, page_size=200):
        if change.memory_id is not None and change.op in ("put", "erase"):
            found.setdefault(change.memory_id, []).append(change)
    return found


def _told(
    client: MemoryClient, memory_id: str, changes: Sequence[Change], since: datetime, until: datetime | None
) -> dict[str, Any] | None:
    """What became of a memory; None if both moments see the same of it."""
    if changes[-1].op == "erase":
        return {"memory_id": memory_id, "change": "erased", "before": None, "after": None}
    versions: Sequence[Revision] = ()
    with suppress(NotFound):  # it is hidden now
        versions = client.history(memory_id)
    before = _as_of(versions, since)
    after = versions[-1] if until is None and versions else _as_of(versions, until)
    is_new = changes[0].version == 1
    was_shown = not is_new and (before is None or before.state == "active")
    is_shown = changes[-1].state == "active"
    if not was_shown and not is_shown:
        return None
    what = "changed" if was_shown and is_shown else "hidden" if was_shown else "added" if is_new else "back"
    if what == "changed" and before is not None and after is not None and _says_the_same(before, after):
        return None
    return {
        "memory_id": memory_id,
        "change": what,
        "before": None if before is None else before.model_dump(mode="json"),
        "after": None if after is None else after.model_dump(mode="json"),
    }


def _says_the_same(one: Revision, other: Revision) -> bool:
    return one.content == other.content and not _fields(one, other).keys() - {"reason", "writer"}


def _as_of(versions: Sequence[Revision], moment: datetime | None) -> Revision | None:
    """The version that was current at a moment."""
    if moment is None:
        return None
    known = [one for one in versions if one.recorded_from is not None and one.recorded_from <= moment]
    return known[-1] if known else None


def _line(found: dict[str, Any]) -> Text:
    sign = _SIGNS[found["change"]]
    before, after = ((found[end] or {}).get("content") or "" for end in ("before", "after"))
    said = (
        f"{one_line(before, 60)} => {one_line(after, 60)}" if before and after and before != after else after or before
    )
    line = Text.assemble(
        (f"{sign} ", "bold"), clean(found["memory_id"]), f"  {found['change']:8} ", one_line(said, 130)
    )
    line.stylize({"+": "green", "-": "red"}.get(sign, ""))
    return line
