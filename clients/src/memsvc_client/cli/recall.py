"""`memsvc recall`, `context` and `feedback`: ask a question, and say what became of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from memsvc_client.cli import options as opt
from memsvc_client.cli.output import clean, grid, one_line
from memsvc_client.cli.session import Session, command

if TYPE_CHECKING:
    from memsvc_client.types import Answer, Hit, Recall

Question = Annotated[str, typer.Argument(help="The question; - reads stdin.", metavar="QUESTION")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the root."""
    command(app, extra=opt.ASK_OPTIONS)(recall)
    command(app, extra=opt.ASK_OPTIONS)(context)
    command(app)(feedback)
    command(app)(fusion)


def recall(
    session: Session,
    query: Question,
    *,
    token_budget: Annotated[int | None, typer.Option(help="Most tokens of content in all.", min=1)] = None,
    **values: Any,
) -> None:
    """Ask a question and get the memories that matter."""
    with session.client() as client:
        answer = client.recall(opt.text_or_stdin(query), token_budget=token_budget, **opt.ask_fields(values))
    session.output.show(answer.model_dump(mode="json"), lambda: _draw(answer))
    _note_missing(session, answer)


def context(
    session: Session,
    query: Question,
    *,
    budget: Annotated[int | None, typer.Option(help="Most tokens of the text; default 2000.", min=1)] = None,
    tokenizer: Annotated[opt.TokenizerChoice | None, typer.Option(help="What a token is.")] = None,
    order: Annotated[opt.BlockOrderChoice | None, typer.Option(help="In which order the memories stand.")] = None,
    previous: Annotated[
        list[str] | None, typer.Option(help="A memory that the prompt holds already; repeatable.", metavar="ID")
    ] = None,
    **values: Any,
) -> None:
    """Ask a question and get one text for a prompt: cited, inside a token budget."""
    with session.client() as client:
        answer = client.context(
            opt.text_or_stdin(query),
            token_budget=budget,
            tokenizer=tokenizer.value if tokenizer else None,
            order=order.value if order else None,
            previous=previous or None,
            **opt.ask_fields(values),
        )
    session.output.show(answer.model_dump(mode="json"), lambda: clean(answer.context or "nothing relevant"))
    session.output.note(
        f"{answer.used_tokens} of {answer.budget_tokens} tokens, {len(answer.citations)} memories, "
        f"{len(answer.left_out)} left out; recall {answer.id}"
    )
    _note_missing(session, answer)


def feedback(
    session: Session,
    recall_id: Annotated[str, typer.Argument(help="Id of the recall or context.", metavar="RECALL")],
    *,
    used: Annotated[list[str] | None, typer.Option(help="Memory that went into what was done.", metavar="ID")] = None,
    useful: Annotated[list[str] | None, typer.Option(help="Memory that helped.", metavar="ID")] = None,
    wrong: Annotated[list[str] | None, typer.Option(help="Memory that was wrong here.", metavar="ID")] = None,
) -> None:
    """Say what became of the memories of an answer, within an hour of it; the options are repeatable."""
    with session.client() as client:
        recorded = client.feedback(recall_id, used=used or (), useful=useful or (), wrong=wrong or ())
    session.output.show({"recorded": recorded}, lambda: clean(f"kept for {recorded} memories"))


def fusion(
    session: Session,
    *,
    reset: Annotated[bool, typer.Option("--reset", help="Begin again at the default weights.")] = False,
) -> None:
    """Show what the fusion of a namespace has learned from feedback."""
    with session.client() as client:
        state = client.reset_fusion() if reset else client.fusion()
    shown = state.model_dump(mode="json")
    session.output.show(shown, lambda: grid(shown))


def _note_missing(session: Session, answer: Answer) -> None:
    if answer.degraded:
        session.output.note(f"left out: {', '.join(map(str, answer.degraded))}")


def _draw(answer: Recall) -> RenderableType:
    if not answer.hits:
        return clean("nothing relevant")
    drawn = [part for hit in answer.hits for part in _hit(hit, show_namespace=bool(answer.seqs))]
    named = "" if answer.id is None else f", recall {answer.id}"
    foot = Text(f"confidence {answer.confidence:.2f}, {answer.took_ms:.1f} ms{named}", style="dim")
    explanation = [grid({"explanation": answer.explanation})] if answer.explanation else []
    return Group(*drawn, foot, *explanation)


def _hit(hit: Hit, *, show_namespace: bool) -> tuple[RenderableType, RenderableType]:
    """The content over the whole width of the terminal, below a line that says where it comes from."""
    where = f"{hit.memory.namespace}  " if show_namespace else ""
    facts = f"{hit.score:.3f}  {where}{hit.memory.kind}  {_channels(hit)}  {hit.memory.id}"
    head = Text.assemble((f"{hit.rank}.", "bold"), " ", (facts, "dim"))
    return head, Padding(clean(one_line(hit.memory.content)), (0, 0, 0, 3))


def _channels(hit: Hit) -> str:
    return " ".join(f"{name}:{found.rank or '-'}" for name, found in hit.channels.items())
