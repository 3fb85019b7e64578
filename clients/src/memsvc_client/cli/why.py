"""`memsvc why`: a recall explained in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from memsvc_client.cli import options as opt
from memsvc_client.cli.output import REFUSED, clean, one_line
from memsvc_client.cli.recall import Question
from memsvc_client.cli.session import Session, command
from memsvc_client.errors import NotFound

if TYPE_CHECKING:
    from memsvc_client.client import MemoryClient
    from memsvc_client.types import ChannelHit, Hit, Recall

WIDEST = 200
"""Most hits that the service gives."""
_USUAL = 10
"""Hits that it gives where nobody says how many."""
_NEXT = 3
"""So many of those that just missed are shown."""
_READ = {
    "names": "names",
    "phrases": "quotations",
    "identifiers": "identifiers",
    "spans": "times",
    "order": "order",
    "anchor": "the event it is about",
    "kind_hint": "the kind of memory that is wanted",
}


def register(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app, extra=tuple(one for one in opt.ASK_OPTIONS if one.name != "explain"))(why)


def why(
    session: Session,
    query: Question,
    *,
    about: Annotated[
        str | None,
        typer.Option("--about", help="Also say why this memory is, or is not, among the hits.", metavar="ID"),
    ] = None,
    **values: Any,
) -> None:
    """Ask a question and have the answer explained: what was read out of it, which channel found what, what was cut.

    With --about the exit code is 1 if that memory is not among the hits.

    Example: memsvc why "What does Ada drink?" -k 3
    """
    text = opt.text_or_stdin(query)
    asked = opt.ask_fields(values) | {"explain": True}
    with session.client() as client:
        answer = client.recall(text, **asked)
        missed = _missed(client, answer, text, asked)
        told = None if about is None else _about(client, answer, about, text, asked)
    data = answer.model_dump(mode="json") | {"missed": [hit.model_dump(mode="json") for hit in missed]}
    data |= {} if told is None else {"about": {"id": about, "because": told}}
    session.output.show(data, lambda: Group(*_words(answer, missed, told)))
    if about is not None and all(hit.memory.id != about for hit in answer.hits):
        raise typer.Exit(REFUSED)


def _missed(client: MemoryClient, answer: Recall, text: str, asked: dict[str, Any]) -> Sequence[Hit]:
    """Those that come next, where there was no more room: the same question with more of it."""
    room = asked.get("top_k", _USUAL)
    if len(answer.hits) < room or room >= WIDEST:
        return ()
    given = {hit.memory.id for hit in answer.hits}
    wider = client.recall(text, **(asked | {"top_k": min(WIDEST, room + _NEXT)}))
    return [hit for hit in wider.hits if hit.memory.id not in given]


def _words(answer: Recall, missed: Sequence[Hit], told: str | None) -> Iterator[RenderableType]:
    explanation: Mapping[str, Any] = answer.explanation or {}
    yield clean(_whole(answer, explanation))
    if read := _read(explanation.get("question") or {}):
        yield clean(f"Read out of the question: {read}.")
    for hit in answer.hits:
        yield Text.assemble("\n", (f"{hit.rank}. ", "bold"), one_line(hit.memory.content))
        yield Padding(clean(_hit(hit)), (0, 0, 0, 3))
    if cut := [*_cut(answer, missed, explanation)]:
        yield Text("\nLeft out", style="bold")
        yield clean("\n".join(cut))
    if trail := explanation.get("trail"):
        yield Text("\nFurther looks", style="bold")
        yield clean("\n".join(map(str, trail)))
    if slow := _slowest(explanation.get("timings_ms") or {}):
        yield clean(f"\nTime: {slow}.")
    if told is not None:
        yield Text("\nThe memory that was asked about", style="bold")
        yield clean(told)


def _whole(answer: Recall, explanation: Mapping[str, Any]) -> str:
    among = f" of {explanation['eligible']} memories that may be found" if "eligible" in explanation else ""
    sure = f"{answer.confidence:.0%} sure that something relevant is here"
    nothing = "nothing relevant: " if answer.nothing_relevant else ""
    return f"{nothing}{len(answer.hits)} hits{among}, {sure}, in {answer.took_ms:.1f} ms."


def _read(question: Mapping[str, Any]) -> str:
    found = [f"{name} {_listed(question[field])}" for field, name in _READ.items() if question.get(field)]
    kind = question.get("type")
    return "; ".join([f"it asks for {kind}"] * bool(kind) + found)


def _listed(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    return ", ".join(
        " to ".join(str(end or "ever") for end in one) if isinstance(one, list) else str(one) for one in value
    )


def _hit(hit: Hit) -> str:
    """Who listed it, who added most first; who only scored it; and how far it has faded."""
    channels = sorted(hit.channels.items(), key=lambda one: (-(one[1].contribution or 0.0), one[1].rank or WIDEST))
    says = [
        f"{name} has it {_nth(one.rank)} of its list ({_gave(one)})" for name, one in channels if one.rank is not None
    ]
    scored = [f"{name} ({_gave(one)})" for name, one in channels if one.rank is None]
    if scored:
        says.append(f"not listed, but scored by {', '.join(scored)}")
    if not says:
        says.append("no channel listed it: it came with what another one is made of, or by further looks")
    memory = hit.memory
    faded = "" if memory.retention is None else f", retention {memory.retention:.2f}"
    trust = "" if memory.trust is None else f", trust {memory.trust}"
    return f"{'; '.join(says)}.\nScore {hit.score:.3f}{faded}{trust}. {memory.id}"


def _gave(found: ChannelHit) -> str:
    added = "" if found.contribution is None else f", adds {found.contribution:.2f}"
    return f"score {found.score:.3g}{added}"


def _nth(rank: int) -> str:
    ending = "th" if 10 <= rank % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{ending}"


def _cut(answer: Recall, missed: Sequence[Hit], explanation: Mapping[str, Any]) -> Iterator[str]:
    for hit in missed:
        yield f"{one_line(hit.memory.content, 60).plain} ({hit.memory.id}, score {hit.score:.3f}): --top-k has no room."
    if answer.degraded:
        yield f"What was not done: {', '.join(map(str, answer.degraded))} (not ready in time, or not there)."
    for origin, count in (explanation.get("capped") or {}).items():
        yield f"{count} of {origin} gave way: an untrusted origin has a fifth of the places at most."
    if trust := explanation.get("min_trust"):
        yield f"Whatever is trusted less than {trust}."


def _slowest(timings: Mapping[str, Any]) -> str:
    longest = sorted(((ms, name) for name, ms in timings.items() if name != "total"), reverse=True)[:5]
    return ", ".join(f"{name} {ms:.1f} ms" for ms, name in longest)


def _about(client: MemoryClient, answer: Recall, memory_id: str, text: str, asked: dict[str, Any]) -> str:
    """Why a memory is, or is not, among the hits."""
    for hit in answer.hits:
        if hit.memory.id == memory_id:
            return f"It is hit {hit.rank}."
    try:
        memory = client.get(memory_id)
    except NotFound:
        return "There is no such memory for this key: it never was, is forgotten or erased, or waits in quarantine."
    if memory.state != "active":
        by = f" into {memory.merged_into}" if memory.merged_into else ""
        return f"It is {memory.state}{by}: only active memories are found, unless the question says otherwise."
    for hit in client.recall(text, **(asked | {"top_k": WIDEST})).hits:
        if hit.memory.id == memory_id:
            return f"It was found, but comes {_nth(hit.rank)}, and {len(answer.hits)} hits were given.\n{_hit(hit)}"
    least = (answer.explanation or {}).get("min_trust")
    return (
        f"It is in {memory.namespace}, {memory.kind}, trust {memory.trust}. A filter, the namespace or the trust "
        f"that is asked for ({least}) leaves it out, or no channel had it among its candidates."
    )
