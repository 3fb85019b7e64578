"""`memsvc inspect`: all that is known of one memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from memsvc_client.cli import options as opt
from memsvc_client.cli.curve import curve_of, why_it_stays
from memsvc_client.cli.memories import draw
from memsvc_client.cli.output import clean, one_line, table
from memsvc_client.cli.session import Session, command
from memsvc_client.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from memsvc_client.client import MemoryClient
    from memsvc_client.types import Hold, Link, Memory, Policy, Revision

_LINKS_TOLD = 20
"""Of so many linked memories it is also said what they say."""


def register(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app)(inspect)


def inspect(session: Session, memory_id: opt.MemoryId) -> None:
    """Show one memory whole: fields, who wrote it, how it fades and when, versions, links, holds.

    Holds are shown to keys with the role `admin`.

    Example: memsvc inspect 0198c5a0-0000-7000-8000-000000000001
    """
    with session.client() as client:
        memory = client.get(memory_id)
        versions, links = client.history(memory_id), client.links(memory_id)
        policy = client.jobs.policy(namespace=memory.namespace).policy
        holds: Sequence[Hold] | None = None
        with suppress(Forbidden):
            holds = client.holds(memory_id)
        told = {} if session.as_json else _told(client, links)
    curve = curve_of(memory, policy)
    fading = None if curve is None else {"since": _moment(curve.since), "stability_s": curve.stability_s}
    data: dict[str, Any] = {
        "memory": memory.model_dump(mode="json"),
        "versions": [one.model_dump(mode="json") for one in versions],
        "links": [one.model_dump(mode="json") for one in links],
        "holds": None if holds is None else [one.model_dump(mode="json") for one in holds],
        "fading": fading,
        "stays": why_it_stays(memory, policy),
    }
    session.output.show(data, lambda: Group(*_parts(memory, versions, links, told, holds or (), policy)))


def _told(client: MemoryClient, links: Sequence[Link]) -> dict[str, str]:
    told = {}
    for link in links[:_LINKS_TOLD]:
        with suppress(NotFound):
            told[link.memory_id] = client.get(link.memory_id).content
    return told


def _parts(
    memory: Memory,
    versions: Sequence[Revision],
    links: Sequence[Link],
    told: dict[str, str],
    holds: Sequence[Hold],
    policy: Policy,
) -> list[RenderableType]:
    parts = [draw(memory), _head("Fading"), clean(_fading(memory, policy)), _head("Versions")]
    parts.append(
        table(
            ("version", "from", "state", "reason", "writer", "content"),
            ((v.version, v.recorded_from, v.state, v.reason, v.writer, one_line(v.content or "")) for v in versions),
        )
    )
    if links:
        rows = ((x.memory_id, f"{x.direction} {x.relation}", one_line(told.get(x.memory_id, ""))) for x in links)
        parts += [_head("Links"), table(("memory", "relation", "content"), rows)]
    if holds:
        rows_ = ((x.held_at, x.held_by, x.reason, x.released_at) for x in holds)
        parts += [_head("Legal holds"), table(("held", "by", "reason", "released"), rows_)]
    return parts


def _fading(memory: Memory, policy: Policy) -> str:
    stays, curve = why_it_stays(memory, policy), curve_of(memory, policy)
    if memory.retention is None:
        return "It does not fade."
    said = f"Retention {memory.retention:.3f}, {memory.level}"
    if memory.fades_at is not None:
        said += f"; falls to the next level at {memory.fades_at:%Y-%m-%d %H:%M} if nobody uses it"
    elif stays:
        said += f"; stays so: {stays}"
    return said + ("." if curve is None else ".\n" + curve.draw(datetime.now(UTC)))


def _head(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
