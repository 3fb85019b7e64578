"""`memsvc timeline` and `memsvc graph`: memories by when they happened, and by whom they mention."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from memsvc_client.cli import options as opt
from memsvc_client.cli.output import clean, one_line, table
from memsvc_client.cli.session import Session, command
from memsvc_client.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from memsvc_client.client import MemoryClient
    from memsvc_client.types import EntityGraph, EntityInfo, Memory

_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)


def register(app: typer.Typer) -> None:
    """Adds the commands to the root."""
    command(app)(timeline)
    command(app)(graph)


def timeline(
    session: Session,
    *,
    since: Annotated[str | None, typer.Option(help=f"From then on. {opt.TIME_NOTE}", metavar="TIME")] = None,
    until: Annotated[str | None, typer.Option(help="Before then.", metavar="TIME")] = None,
    filter_: opt.FilterOption = None,
    limit: Annotated[int, typer.Option(help="The latest so many.", min=1)] = 50,
) -> None:
    """Show memories by when they happened, or else were recorded, the latest at the end.

    All memories of that time are read; narrow it down where there are many. With --json a line for each memory.

    Example: memsvc timeline --since 2026-01-01 --filter '{"kind": "episodic"}'
    """
    window = {"gte": opt.parse_time(since, "since"), "lt": opt.parse_time(until, "until")}
    wanted = opt.parse_object(filter_, "filter")
    with session.client() as client:
        found = heapq.nlargest(limit, client.list(filter=_within(window, wanted), page_size=200), key=_place)
    found.reverse()
    if session.as_json:
        for memory in found:
            session.output.show(memory.model_dump(mode="json"), str)
        return
    session.output.show(None, lambda: Group(*_days(found)) if found else clean("nothing happened"))


def _within(window: dict[str, datetime | None], wanted: dict[str, Any] | None) -> dict[str, Any] | None:
    given = {operator: moment for operator, moment in window.items() if moment is not None}
    if not given:
        return wanted
    recorded = {"and": [{"occurred_at": {"exists": False}}, {"recorded_at": given}]}
    happened: dict[str, Any] = {"or": [{"occurred_at": given}, recorded]}
    return happened if wanted is None else {"and": [happened, wanted]}


def _place(memory: Memory) -> tuple[datetime, str]:
    when = memory.occurred_at or memory.recorded_at
    if when is None:
        raise InvalidArgument("the service does not say when its memories were recorded")
    return when, memory.id


def _days(found: Iterable[Memory]) -> Iterator[RenderableType]:
    for day, memories in groupby(found, key=lambda memory: _place(memory)[0].date()):
        yield Text(f"{day:%Y-%m-%d %a}", style="bold")
        for memory in memories:
            who = f"{memory.speaker}: " if memory.speaker else ""
            head = Text(f"  {_place(memory)[0]:%H:%M}  ")
            yield Text.assemble(head, one_line(who + memory.content), (f"  {clean(memory.id).plain}", "dim"))


def graph(
    session: Session,
    entity: Annotated[
        str | None, typer.Argument(help="A name, or the id of an entity; none: all of them.", metavar="[ENTITY]")
    ] = None,
    *,
    limit: Annotated[int, typer.Option(help="Most entities.", min=1, max=50)] = 20,
) -> None:
    """Show who is mentioned together with somebody or something, and the newest memory that says so.

    Example: memsvc graph Ada
    """
    with session.client() as client:
        if entity is None:
            _show_entities(session, [*client.entities(limit=limit)])
            return
        found = client.entity_graph(_id_of(client, entity), limit=limit)
        told = {} if session.as_json else _newest(client, found)
    session.output.show(found.model_dump(mode="json"), lambda: _tree(found, told))


def _show_entities(session: Session, found: Sequence[EntityInfo]) -> None:
    rows = ((one.id, one.name, one.memories, ", ".join(_others(one))) for one in found)
    session.output.show(
        {"items": [one.model_dump(mode="json") for one in found]},
        lambda: table(("id", "name", "memories", "also"), rows),
    )


def _id_of(client: MemoryClient, entity: str) -> str:
    """The id of what has this name; of several the one that most memories mention."""
    if _ID.fullmatch(entity):
        return entity
    wanted = " ".join(entity.split()).casefold()
    for one in client.entities(page_size=200):
        if wanted in {name.name.casefold() for name in one.aliases} | {one.name.casefold()}:
            return one.id
    raise InvalidArgument("no active memory of this namespace mentions that name; memsvc graph lists those that are")


def _others(one: EntityInfo) -> list[str]:
    return [alias.name for alias in one.aliases if alias.name != one.name]


def _newest(client: MemoryClient, found: EntityGraph) -> dict[str, str]:
    """What the newest shared memory says, by the entity that shares it with the first one."""
    told = {}
    for link in found.links:
        beside = _beside(found, link.one, link.other)
        if beside is not None and link.memory_ids:
            with suppress(NotFound):
                told[beside] = client.get(link.memory_ids[0]).content
    return told


def _beside(found: EntityGraph, one: str, other: str) -> str | None:
    """The other end of a link of the entity that was asked for; None for a link between two others."""
    centre = found.entities[0].id
    return other if one == centre else one if other == centre else None


def _tree(found: EntityGraph, told: dict[str, str]) -> RenderableType:
    centre, *others = found.entities
    shared = {_beside(found, link.one, link.other): link.memories for link in found.links}
    also = f"; also: {', '.join(_others(centre))}" if _others(centre) else ""
    tree = Tree(clean(f"{centre.name} ({centre.memories} memories{also})"))
    for one in others:
        branch = tree.add(clean(f"{one.name}  {shared.get(one.id, 0)} memories together  {one.id}"))
        if one.id in told:
            branch.add(one_line(told[one.id]))
    return tree
