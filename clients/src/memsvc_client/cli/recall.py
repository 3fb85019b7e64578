"""`memsvc recall`: ask a question."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from memsvc_client.cli import options as opt
from memsvc_client.cli.output import clean, grid, one_line
from memsvc_client.cli.session import Session, command
from memsvc_client.types import Hit, Recall


def register(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app)(recall)


def recall(
    session: Session,
    query: Annotated[str, typer.Argument(help="The question; - reads stdin.", metavar="QUESTION")],
    *,
    top_k: Annotated[int | None, typer.Option("--top-k", "-k", help="Most hits.", min=1)] = None,
    kinds: Annotated[list[opt.KindChoice] | None, typer.Option("--kind", help="Only this kind; repeatable.")] = None,
    filter_: opt.FilterOption = None,
    as_of: Annotated[str | None, typer.Option(help="As the service knew it then.", metavar="TIME")] = None,
    valid_at: Annotated[str | None, typer.Option(help="What was true then.", metavar="TIME")] = None,
    asked_at: Annotated[str | None, typer.Option(help='The "now" of the question.', metavar="TIME")] = None,
    token_budget: Annotated[int | None, typer.Option(help="Most tokens of content in all.", min=1)] = None,
    profile: Annotated[opt.ProfileChoice | None, typer.Option(help="How much work to do.")] = None,
    min_seq: Annotated[int | None, typer.Option(help="A write that must be visible.", min=0)] = None,
    deadline_ms: Annotated[int | None, typer.Option(help="Leave out what is not done by then.", min=1)] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show how the hits were found.")] = False,
) -> None:
    """Ask a question and get the memories that matter."""
    with session.client() as client:
        answer = client.recall(
            opt.text_or_stdin(query),
            top_k=top_k,
            kinds=[kind.value for kind in kinds] if kinds else None,
            filter=opt.parse_object(filter_, "filter"),
            as_of=opt.parse_time(as_of, "as_of"),
            valid_at=opt.parse_time(valid_at, "valid_at"),
            asked_at=opt.parse_time(asked_at, "asked_at"),
            token_budget=token_budget,
            profile=profile.value if profile else None,
            explain=explain or None,
            min_seq=min_seq,
            deadline_ms=deadline_ms,
        )
    session.output.show(answer.model_dump(mode="json"), lambda: _draw(answer))
    if answer.degraded:
        session.output.note(f"left out: {', '.join(map(str, answer.degraded))}")


def _draw(answer: Recall) -> RenderableType:
    if not answer.hits:
        return clean("nothing relevant")
    drawn = [part for hit in answer.hits for part in _hit(hit)]
    foot = Text(f"confidence {answer.confidence:.2f}, {answer.took_ms:.1f} ms", style="dim")
    explanation = [grid({"explanation": answer.explanation})] if answer.explanation else []
    return Group(*drawn, foot, *explanation)


def _hit(hit: Hit) -> tuple[RenderableType, RenderableType]:
    """The content over the whole width of the terminal, below a line that says where it comes from."""
    facts = f"{hit.score:.3f}  {hit.memory.kind}  {_channels(hit)}  {hit.memory.id}"
    head = Text.assemble((f"{hit.rank}.", "bold"), " ", (facts, "dim"))
    return head, Padding(clean(one_line(hit.memory.content)), (0, 0, 0, 3))


def _channels(hit: Hit) -> str:
    return " ".join(f"{name}:{found.rank or '-'}" for name, found in hit.channels.items())
